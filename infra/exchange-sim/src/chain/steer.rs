//! Steering of the chains, by tests and over HTTP.

use std::sync::Arc;

use alloy_primitives::{Address, B256};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::{delete, get, post};
use http::{HeaderMap, Uri};
use serde::Deserialize;
use serde_json::{Value, json};

use super::spec::{self, Asset, SPECS, Spec};
use super::transaction::decode;
use super::{ChainTransaction, Chains, lock};
use crate::parse_address;
use crate::steer::{NextFault, Refused, SHAPE, answer, fault, read};

impl Chains {
    /// Gives an account an amount of a token, or of the chain's own coin (`native`). Returns false
    /// for an unknown chain or asset, and for an invalid amount.
    pub fn fund(&self, chain_id: u64, account: Address, asset: &str, amount: &str) -> bool {
        self.settle();
        let Some((spec, asset, decimals)) = find(chain_id, asset) else { return false };
        let Some(units) = spec::parse(amount, decimals) else { return false };
        self.change(spec, |chain| chain.mint(asset, account, units));
        true
    }

    /// Returns what an account has of a token or of the chain's own coin (`native`), as a decimal;
    /// `0` for an unknown one.
    #[must_use]
    pub fn balance_of(&self, chain_id: u64, account: Address, asset: &str) -> String {
        self.0.edge.run_late();
        self.settle();
        let Some((spec, asset, decimals)) = find(chain_id, asset) else { return "0".to_owned() };
        let book = lock(&self.0.book);
        let units = book.chains.get(&spec.id).map(|chain| chain.balance(asset, account));
        spec::text(units.unwrap_or_default(), decimals)
    }

    /// Returns the transactions of an account, by nonce.
    #[must_use]
    pub fn transactions_of(&self, chain_id: u64, account: Address) -> Vec<ChainTransaction> {
        self.0.edge.run_late();
        let book = lock(&self.0.book);
        let sent = book.chains.get(&chain_id).into_iter().flat_map(|it| it.transactions.values());
        let decoded = sent.filter_map(|sent| Some((decode(&sent.raw).ok()?, sent)));
        let own = decoded.filter(|(transaction, _)| transaction.from == account);
        let mut own: Vec<_> = own
            .map(|(it, sent)| ChainTransaction {
                hash: it.hash,
                nonce: it.nonce,
                to: it.to,
                value: it.value,
                data: it.data.to_vec(),
                success: sent.mined.as_ref().map(|mined| mined.success),
            })
            .collect();
        own.sort_by_key(|transaction| transaction.nonce);
        own
    }

    /// Sets the base fee of a chain, in wei. Returns false for an unknown chain.
    pub fn set_base_fee(&self, chain_id: u64, wei: u128) -> bool {
        let set = spec::spec(chain_id).map(|spec| {
            self.change(spec, |chain| chain.base_fee = Some(wei));
        });
        set.is_some()
    }

    /// Sets whether transactions wait until [`Chains::mine`]. Returns false for an unknown chain.
    pub fn hold_blocks(&self, chain_id: u64, is_held: bool) -> bool {
        let set = spec::spec(chain_id).map(|spec| {
            self.change(spec, |chain| chain.is_manual = is_held);
        });
        set.is_some()
    }

    /// Puts waiting transactions into a block. Returns false for an unknown chain.
    pub fn mine(&self, chain_id: u64) -> bool {
        let Some(spec) = spec::spec(chain_id) else { return false };
        let now = (self.0.now)();
        let mut book = lock(&self.0.book);
        let super::Book { chains, deposits, .. } = &mut *book;
        chains.entry(spec.id).or_default().mine(spec, now, deposits);
        true
    }

    /// Forgets a waiting transaction, as a node that drops it from its pool. Returns whether it
    /// waited.
    pub fn forget(&self, chain_id: u64, hash: B256) -> bool {
        let mut book = lock(&self.0.book);
        let Some(chain) = book.chains.get_mut(&chain_id) else { return false };
        let waits = chain.transactions.get(&hash).is_some_and(|sent| sent.mined.is_none());
        if waits {
            chain.transactions.remove(&hash);
        }
        waits
    }

    /// Returns what an account has on each chain.
    fn account(&self, account: Address) -> Value {
        self.0.edge.run_late();
        self.settle();
        let book = lock(&self.0.book);
        let shown = SPECS.iter().map(|spec| {
            let chain = book.chains.get(&spec.id);
            let balance = |asset, decimals| {
                let units = chain.map(|chain| chain.balance(asset, account)).unwrap_or_default();
                json!(spec::text(units, decimals))
            };
            let mut balances = json!({});
            balances[spec.coin] = balance(Asset::Coin, 18);
            for token in spec.tokens {
                balances[token.symbol] = balance(Asset::Token(token.address), token.decimals);
            }
            let nonce = chain.map(|chain| chain.nonce(account)).unwrap_or_default();
            (spec.id.to_string(), json!({"nonce": nonce, "balances": balances}))
        });
        Value::Object(shown.collect())
    }
}

fn find(chain_id: u64, asset: &str) -> Option<(&'static Spec, Asset, u8)> {
    let spec = spec::spec(chain_id)?;
    let (asset, decimals) = spec.asset(asset)?;
    Some((spec, asset, decimals))
}

/// Returns the routes that steer the chains.
pub(super) fn router(chains: Chains) -> Router {
    let steer = post(
        |State(chains): State<Arc<Chains>>, uri: Uri, headers: HeaderMap, body: Bytes| async move {
            answer(&headers, true, || change(&chains, uri.path(), &body))
        },
    );
    let account =
        get(|State(chains): State<Arc<Chains>>, uri: Uri, headers: HeaderMap| async move {
            answer(&headers, false, || {
                let query = uri.query().unwrap_or_default();
                let account = query.strip_prefix("account=").and_then(parse_address);
                account.map(|account| chains.account(account)).ok_or(SHAPE)
            })
        });
    let clear = delete(|State(chains): State<Arc<Chains>>, headers: HeaderMap| async move {
        answer(&headers, false, || Ok(json!({"removed": chains.clear_faults()})))
    });
    Router::new()
        .route("/_sim/fund", steer.clone())
        .route("/_sim/fees", steer.clone())
        .route("/_sim/blocks", steer.clone())
        .route("/_sim/forget", steer.clone())
        .route("/_sim/fault", steer)
        .route("/_sim/faults", clear)
        .route("/_sim/account", account)
        .with_state(Arc::new(chains))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Fund {
    chain_id: u64,
    account: String,
    asset: String,
    amount: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Fees {
    chain_id: u64,
    /// In wei, as a decimal.
    base_fee: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Blocks {
    chain_id: u64,
    mode: BlockMode,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum BlockMode {
    /// Every transaction is mined at once.
    Auto,
    /// Transactions wait.
    Held,
    /// Mines once what waits.
    Mine,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Forget {
    chain_id: u64,
    hash: B256,
}

fn change(chains: &Chains, path: &str, body: &[u8]) -> Result<Value, Refused> {
    let done = match path {
        "/_sim/fund" => {
            let Fund { chain_id, account, asset, amount } = read(body)?;
            chains.fund(chain_id, parse_address(&account).ok_or(SHAPE)?, &asset, &amount)
        }
        "/_sim/fees" => {
            let Fees { chain_id, base_fee } = read(body)?;
            chains.set_base_fee(chain_id, base_fee.parse().map_err(|_| SHAPE)?)
        }
        "/_sim/blocks" => {
            let Blocks { chain_id, mode } = read(body)?;
            match mode {
                BlockMode::Auto => chains.hold_blocks(chain_id, false),
                BlockMode::Held => chains.hold_blocks(chain_id, true),
                BlockMode::Mine => chains.mine(chain_id),
            }
        }
        "/_sim/forget" => {
            let Forget { chain_id, hash } = read(body)?;
            chains.forget(chain_id, hash)
        }
        _ => {
            let next: NextFault = read(body)?;
            chains.fail_next(next.target(), fault(&next).ok_or(SHAPE)?);
            true
        }
    };
    done.then(|| json!({"done": true})).ok_or(SHAPE)
}
