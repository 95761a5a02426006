//! Contracts: ERC-20 tokens, and those that take deposits for the exchanges.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};

use super::spec::{Asset, NATIVE, Role, Spec, Token, from_units};
use super::state::{ChainState, Deposit, Log, Venue};

/// Broker of a deposit to Aster's spot account. Every other number selects futures.
const SPOT_BROKER: U256 = U256::from_limbs([1_000, 0, 0, 0]);

/// Number of Hyperliquid's spot balance in a deposit from HyperEVM.
const SPOT_DEX: U256 = U256::from_limbs([4_294_967_295, 0, 0, 0]);

/// A call of a contract, or a transfer of coins.
pub(super) struct Message<'a> {
    pub(super) from: Address,
    pub(super) to: Address,
    pub(super) value: U256,
    pub(super) data: &'a [u8],
    /// Hash of the transaction.
    pub(super) hash: B256,
}

/// Result of a call.
#[derive(Default)]
pub(super) struct Effect {
    pub(super) logs: Vec<Log>,
    pub(super) gas: u64,
    pub(super) returned: Bytes,
    pub(super) deposit: Option<Deposit>,
}

/// A failed call, with its reason.
pub(super) struct Revert(pub(super) &'static str);

/// Executes a call.
pub(super) fn run(
    state: &mut ChainState,
    spec: &Spec,
    message: &Message<'_>,
) -> Result<Effect, Revert> {
    let Message { from, to, value, .. } = *message;
    if !state.transfer(Asset::Coin, (from, to), value) {
        return Err(Revert("insufficient balance for transfer"));
    }
    if let Some(token) = spec.token(to) {
        return of_token(state, (spec, token), message);
    }
    match spec.role(to) {
        Some(Role::Vault) => of_vault(state, spec, message),
        Some(Role::CoreDeposit) => of_core_deposit(state, spec, message),
        Some(Role::Bridge) => Err(Revert("the bridge takes only its token")),
        // An account without code takes coins with any data.
        None => Ok(Effect::default()),
    }
}

/// Returns the selector of a function.
fn selector(signature: &str) -> [u8; 4] {
    let [a, b, c, d, ..] = keccak256(signature).0;
    [a, b, c, d]
}

/// Words of a call after its selector.
struct Arguments<'a>(&'a [u8]);

impl Arguments<'_> {
    fn number(&self, nth: usize) -> Result<U256, Revert> {
        let word = self.0.get(32 * nth..32 * (nth + 1)).ok_or(Revert("the call data is short"))?;
        Ok(U256::from_be_slice(word))
    }

    fn address(&self, nth: usize) -> Result<Address, Revert> {
        let word = self.number(nth)?.to_be_bytes::<32>();
        let (zeros, digits) = word.split_at(12);
        let clean = zeros.iter().all(|byte| *byte == 0);
        clean.then(|| Address::from_slice(digits)).ok_or(Revert("an address has 20 bytes"))
    }
}

fn split(data: &[u8]) -> Result<([u8; 4], Arguments<'_>), Revert> {
    let (selector, words) = data.split_first_chunk::<4>().ok_or(Revert("no function"))?;
    Ok((*selector, Arguments(words)))
}

fn of_token(
    state: &mut ChainState,
    (spec, token): (&Spec, &Token),
    message: &Message<'_>,
) -> Result<Effect, Revert> {
    if !message.value.is_zero() {
        return Err(Revert("the token takes no coins"));
    }
    let (called, arguments) = split(message.data)?;
    let answer = |number: U256| Effect {
        gas: 3_000,
        returned: number.to_be_bytes::<32>().into(),
        ..Effect::default()
    };
    let asset = Asset::Token(token.address);
    if called == selector("balanceOf(address)") {
        return Ok(answer(state.balance(asset, arguments.address(0)?)));
    }
    if called == selector("decimals()") {
        return Ok(answer(U256::from(token.decimals)));
    }
    if called == selector("allowance(address,address)") {
        let (owner, spender) = (arguments.address(0)?, arguments.address(1)?);
        return Ok(answer(state.allowance(token.address, owner, spender)));
    }
    if called == selector("transfer(address,uint256)") {
        let (to, amount) = (arguments.address(0)?, arguments.number(1)?);
        return send(state, (spec, token), (message.from, to), (amount, message.hash));
    }
    if called == selector("transferFrom(address,address,uint256)") {
        let (owner, to) = (arguments.address(0)?, arguments.address(1)?);
        let amount = arguments.number(2)?;
        spend(state, token.address, (owner, message.from), amount)?;
        return send(state, (spec, token), (owner, to), (amount, message.hash));
    }
    if called == selector("approve(address,uint256)") {
        let (spender, amount) = (arguments.address(0)?, arguments.number(1)?);
        let known = state.allowance(token.address, message.from, spender);
        if spec.id == 1 && token.symbol == "USDT" && !known.is_zero() && !amount.is_zero() {
            return Err(Revert("the allowance must be 0 first"));
        }
        state.approve(token.address, (message.from, spender), amount);
        let event = "Approval(address,address,uint256)";
        let log = event_of(token.address, event, (message.from, spender), amount);
        return Ok(Effect { logs: vec![log], gas: 25_000, ..answer(U256::ONE) });
    }
    Err(Revert("the token has no such function"))
}

/// Moves tokens. A transfer to an exchange's contract is a deposit.
fn send(
    state: &mut ChainState,
    (spec, token): (&Spec, &Token),
    (from, to): (Address, Address),
    (amount, hash): (U256, B256),
) -> Result<Effect, Revert> {
    if to.is_zero() {
        return Err(Revert("transfer to the zero address"));
    }
    let is_new = state.balance(Asset::Token(token.address), to).is_zero();
    if !state.transfer(Asset::Token(token.address), (from, to), amount) {
        return Err(Revert("transfer amount exceeds balance"));
    }
    let deposit = |venue| Deposit {
        venue,
        chain_id: spec.id,
        account: from,
        asset: token.symbol.to_owned(),
        amount: from_units(amount, token.decimals),
        to_spot: false,
        hash: hash.to_string(),
    };
    let deposit = match spec.role(to) {
        Some(Role::Bridge) if token.symbol == "USDC" => Some(deposit(Venue::Hyperliquid)),
        Some(Role::Vault) => Some(deposit(Venue::Aster)),
        // Another token at the bridge, and any transfer to the wallet on HyperEVM, is stuck.
        _ => None,
    };
    let log = event_of(token.address, "Transfer(address,address,uint256)", (from, to), amount);
    Ok(Effect {
        logs: vec![log],
        gas: if is_new { 40_000 } else { 23_000 },
        returned: U256::ONE.to_be_bytes::<32>().into(),
        deposit,
    })
}

fn spend(
    state: &mut ChainState,
    token: Address,
    (owner, spender): (Address, Address),
    amount: U256,
) -> Result<(), Revert> {
    let left = state.allowance(token, owner, spender).checked_sub(amount);
    let left = left.ok_or(Revert("transfer amount exceeds allowance"))?;
    state.approve(token, (owner, spender), left);
    Ok(())
}

/// Aster's vault: `depositFor`, the older `deposit` and `depositNative`, and plain coins.
fn of_vault(state: &mut ChainState, spec: &Spec, message: &Message<'_>) -> Result<Effect, Revert> {
    let Message { from, to: vault, value, hash, .. } = *message;
    let coins = |account, amount, broker| {
        let effect = Effect {
            gas: 40_000,
            deposit: Some(Deposit {
                venue: Venue::Aster,
                chain_id: spec.id,
                account,
                asset: spec.coin.to_owned(),
                amount: from_units(amount, 18),
                to_spot: broker == SPOT_BROKER,
                hash: hash.to_string(),
            }),
            ..Effect::default()
        };
        if value.is_zero() { Err(Revert("ZeroAmount")) } else { Ok(effect) }
    };
    if message.data.is_empty() {
        return coins(from, value, U256::ZERO);
    }
    let (called, arguments) = split(message.data)?;
    if called == selector("depositNative(uint256)") {
        return coins(from, value, arguments.number(0)?);
    }
    let is_for = called == selector("depositFor(address,address,uint256,uint256)");
    if !is_for && called != selector("deposit(address,uint256,uint256)") {
        return Err(Revert("the vault has no such function"));
    }
    let currency = arguments.address(0)?;
    let account = if is_for { arguments.address(1)? } else { from };
    let at = usize::from(is_for);
    let (amount, broker) = (arguments.number(1 + at)?, arguments.number(2 + at)?);
    if account.is_zero() {
        return Err(Revert("ZeroAddress"));
    }
    if amount.is_zero() {
        return Err(Revert("ZeroAmount"));
    }
    if currency == NATIVE {
        if amount != value {
            return Err(Revert("AmountIllegal"));
        }
        return coins(account, amount, broker);
    }
    if !value.is_zero() {
        return Err(Revert("ValueNotZero"));
    }
    let token = spec.token(currency).ok_or(Revert("CurrencyNotSupport"))?;
    spend(state, token.address, (from, vault), amount)?;
    let mut effect = send(state, (spec, token), (from, vault), (amount, hash))?;
    if let Some(deposit) = &mut effect.deposit {
        deposit.account = account;
        deposit.to_spot = broker == SPOT_BROKER;
    }
    effect.gas += 40_000;
    Ok(effect)
}

/// Hyperliquid's wallet on HyperEVM: `deposit` and `depositFor` move the caller's tokens.
fn of_core_deposit(
    state: &mut ChainState,
    spec: &Spec,
    message: &Message<'_>,
) -> Result<Effect, Revert> {
    let Message { from, to: wallet, value, hash, .. } = *message;
    if !value.is_zero() {
        return Err(Revert("the wallet takes no coins"));
    }
    let (called, arguments) = split(message.data)?;
    let (account, at) = if called == selector("deposit(uint256,uint32)") {
        (from, 0)
    } else if called == selector("depositFor(address,uint256,uint32)") {
        (arguments.address(0)?, 1)
    } else {
        return Err(Revert("the wallet has no such function"));
    };
    let (amount, dex) = (arguments.number(at)?, arguments.number(at + 1)?);
    let token = spec.tokens.first().ok_or(Revert("no token"))?;
    spend(state, token.address, (from, wallet), amount)?;
    let mut effect = send(state, (spec, token), (from, wallet), (amount, hash))?;
    effect.deposit = Some(Deposit {
        venue: Venue::Hyperliquid,
        chain_id: spec.id,
        account,
        asset: token.symbol.to_owned(),
        amount: from_units(amount, token.decimals),
        to_spot: dex == SPOT_DEX,
        hash: hash.to_string(),
    });
    effect.gas += 40_000;
    Ok(effect)
}

/// Returns an event with two indexed addresses and a number.
fn event_of(
    address: Address,
    signature: &str,
    (from, to): (Address, Address),
    amount: U256,
) -> Log {
    let topics = vec![keccak256(signature), from.into_word(), to.into_word()];
    Log { address, topics, data: amount.to_be_bytes::<32>().into() }
}
