//! Payments at Hyperliquid, as user-signed actions. Source: the exchange endpoint's documents, the
//! official Python SDK, and nktkas/hyperliquid for `sendToEvmWithData`.

use serde::{Deserialize, Serialize};

use super::{Checked, PaymentError, check_destination, check_places, require};
use crate::eth::{Address, Digest, Domain, Field, Signature, typed_digest};
use crate::intent::{HYPERLIQUID_SIGNATURE_CHAIN_ID, HyperliquidChain};
use crate::policy::Amount;

/// Decimal places of USDC on perpetuals and at the bridges. Hyperliquid refuses more.
const USDC_PLACES: u8 = 6;

/// A balance of an account: `""` (main perpetuals), `spot`, or the name of a HIP-3 exchange.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Dex(String);

impl Dex {
    /// Returns the balance of the main perpetuals.
    #[must_use]
    pub const fn perps() -> Self {
        Self(String::new())
    }

    /// Returns the spot balance.
    #[must_use]
    pub fn spot() -> Self {
        Self("spot".to_owned())
    }

    /// Returns the text as signed and sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn is_perps(&self) -> bool {
        self.0.is_empty()
    }

    fn is_spot(&self) -> bool {
        self.0 == "spot"
    }
}

impl TryFrom<String> for Dex {
    type Error = PaymentError;

    fn try_from(text: String) -> Result<Self, PaymentError> {
        let fits = text.len() <= 16 && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        require(fits, "invalid dex: expected at most 16 letters and digits")?;
        Ok(Self(text))
    }
}

impl From<Dex> for String {
    fn from(dex: Dex) -> Self {
        dex.0
    }
}

/// A token of Hyperliquid: `NAME:0x<tokenId>`, the id in lower case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HyperliquidToken(String);

impl HyperliquidToken {
    /// Returns the text as signed and sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name without the id.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.split_once(':').map_or("", |(name, _)| name)
    }
}

impl TryFrom<String> for HyperliquidToken {
    type Error = PaymentError;

    fn try_from(text: String) -> Result<Self, PaymentError> {
        let is_id = |id: &str| {
            id.len() == 32 && id.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
        };
        let fits = text.split_once(":0x").is_some_and(|(name, id)| {
            (1..=16).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
                && is_id(id)
        });
        require(fits, "invalid token: expected NAME:0x and 32 lower-case hex digits")?;
        Ok(Self(text))
    }
}

impl From<HyperliquidToken> for String {
    fn from(token: HyperliquidToken) -> Self {
        token.0
    }
}

/// The way of a withdrawal, which the exchange names in `usdcRouting`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Route {
    /// The legacy bridge to Arbitrum (`withdraw3`).
    Bridge,
    /// Circle's CCTP (`sendToEvmWithData`, without data, so that Circle forwards).
    Cctp {
        /// Circle's number of the chain; not its EVM chain id.
        domain: u32,
        /// Gas for the arrival.
        gas_limit: u64,
        /// The balance to take the money from.
        source: Dex,
    },
}

/// Withdraws USDC from Hyperliquid.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HyperliquidWithdraw {
    /// The receiver on the EVM chain.
    pub destination: Address,
    /// USDC, before the fee.
    pub amount: Amount,
    /// The way.
    pub route: Route,
    /// The highest expected fee in USDC. The signed text does not contain it; it is counted.
    pub max_fee: Amount,
}

/// Sends a token to another Hyperliquid account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HyperliquidSendAsset {
    /// The receiving account.
    pub destination: Address,
    /// The token.
    pub token: HyperliquidToken,
    /// Amount of the token.
    pub amount: Amount,
    /// The balance to take it from.
    pub source: Dex,
    /// The receiver's balance.
    pub target: Dex,
    /// Sends `usdSend`, which only standard accounts accept; otherwise `sendAsset`.
    pub standard: bool,
}

/// Moves a token between the wallet's own balances.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HyperliquidMoveOwn {
    /// The token.
    pub token: HyperliquidToken,
    /// Amount of the token.
    pub amount: Amount,
    /// The balance to take it from.
    pub from: Dex,
    /// The balance to add it to.
    pub to: Dex,
    /// Sends `usdClassTransfer`, which only standard accounts accept; otherwise `sendAsset`.
    pub standard: bool,
}

impl HyperliquidWithdraw {
    pub(super) fn check(&self) -> Checked {
        check_destination(self.destination)?;
        check_places(self.amount, USDC_PLACES)?;
        require(self.max_fee < self.amount, "the amount does not exceed the fee")?;
        match &self.route {
            Route::Bridge => Ok(()),
            Route::Cctp { source, .. } => require(
                source.is_perps() || source.is_spot(),
                "a withdrawal takes money from perpetuals or spot",
            ),
        }
    }

    pub(super) fn action(&self, chain: HyperliquidChain, nonce_ms: u64) -> Action {
        let destination = self.destination.to_lower_hex();
        let amount = self.amount.to_string();
        let fields = match &self.route {
            Route::Bridge => vec![
                ("string", "destination", Value::Text(destination)),
                ("string", "amount", Value::Text(amount)),
                ("uint64", "time", Value::Uint(nonce_ms)),
            ],
            Route::Cctp { domain, gas_limit, source } => vec![
                ("string", "token", Value::Text("USDC".to_owned())),
                ("string", "amount", Value::Text(amount)),
                ("string", "sourceDex", Value::Text(source.0.clone())),
                ("string", "destinationRecipient", Value::Text(destination)),
                ("string", "addressEncoding", Value::Text("hex".to_owned())),
                ("uint32", "destinationChainId", Value::Uint(u64::from(*domain))),
                ("uint64", "gasLimit", Value::Uint(*gas_limit)),
                ("bytes", "data", Value::NoBytes),
                ("uint64", "nonce", Value::Uint(nonce_ms)),
            ],
        };
        let (kind, primary) = match self.route {
            Route::Bridge => ("withdraw3", "Withdraw"),
            Route::Cctp { .. } => ("sendToEvmWithData", "SendToEvmWithData"),
        };
        Action { kind, primary, chain, nonce_ms, fields }
    }
}

impl HyperliquidSendAsset {
    pub(super) fn check(&self, wallet: Address) -> Checked {
        check_destination(self.destination)?;
        require(self.destination != wallet, "the destination is the wallet itself")?;
        if self.standard {
            require(self.token.name() == "USDC", "only USDC is sent without a named balance")?;
            let perps = self.source.is_perps() && self.target.is_perps();
            require(perps, "usdSend moves money between perpetuals")?;
            check_places(self.amount, USDC_PLACES)?;
        }
        Ok(())
    }

    pub(super) fn action(&self, chain: HyperliquidChain, nonce_ms: u64) -> Action {
        if !self.standard {
            let (from, to) = (&self.source, &self.target);
            return send_asset(
                chain,
                self.destination,
                (&self.token, self.amount),
                (from, to),
                nonce_ms,
            );
        }
        let fields = vec![
            ("string", "destination", Value::Text(self.destination.to_lower_hex())),
            ("string", "amount", Value::Text(self.amount.to_string())),
            ("uint64", "time", Value::Uint(nonce_ms)),
        ];
        Action { kind: "usdSend", primary: "UsdSend", chain, nonce_ms, fields }
    }
}

impl HyperliquidMoveOwn {
    pub(super) fn check(&self) -> Checked {
        require(self.from != self.to, "the money would stay where it is")?;
        if self.standard {
            require(self.token.name() == "USDC", "only USDC moves between spot and perpetuals")?;
            let between = (self.from.is_perps() && self.to.is_spot())
                || (self.from.is_spot() && self.to.is_perps());
            require(between, "usdClassTransfer moves money between spot and perpetuals")?;
            check_places(self.amount, USDC_PLACES)?;
        }
        Ok(())
    }

    pub(super) fn action(&self, wallet: Address, chain: HyperliquidChain, nonce_ms: u64) -> Action {
        if !self.standard {
            let (from, to) = (&self.from, &self.to);
            return send_asset(chain, wallet, (&self.token, self.amount), (from, to), nonce_ms);
        }
        let fields = vec![
            ("string", "amount", Value::Text(self.amount.to_string())),
            ("bool", "toPerp", Value::Bool(self.to.is_perps())),
            ("uint64", "nonce", Value::Uint(nonce_ms)),
        ];
        Action { kind: "usdClassTransfer", primary: "UsdClassTransfer", chain, nonce_ms, fields }
    }
}

/// `sendAsset`. `fromSubAccount` is always empty.
fn send_asset(
    chain: HyperliquidChain,
    destination: Address,
    (token, amount): (&HyperliquidToken, Amount),
    (source, target): (&Dex, &Dex),
    nonce_ms: u64,
) -> Action {
    let fields = vec![
        ("string", "destination", Value::Text(destination.to_lower_hex())),
        ("string", "sourceDex", Value::Text(source.0.clone())),
        ("string", "destinationDex", Value::Text(target.0.clone())),
        ("string", "token", Value::Text(token.0.clone())),
        ("string", "amount", Value::Text(amount.to_string())),
        ("string", "fromSubAccount", Value::Text(String::new())),
        ("uint64", "nonce", Value::Uint(nonce_ms)),
    ];
    Action { kind: "sendAsset", primary: "SendAsset", chain, nonce_ms, fields }
}

/// A value of a field. No text contains a quote, a backslash or a control character, so that it is
/// its own JSON.
enum Value {
    Text(String),
    Uint(u64),
    Bool(bool),
    /// `bytes` without content.
    NoBytes,
}

/// A user-signed action. The fields are signed and sent in the same order.
pub(super) struct Action {
    kind: &'static str,
    primary: &'static str,
    chain: HyperliquidChain,
    nonce_ms: u64,
    fields: Vec<(&'static str, &'static str, Value)>,
}

impl Action {
    pub(super) fn digest(&self) -> Digest {
        let mut types = vec!["string hyperliquidChain".to_owned()];
        types.extend(self.fields.iter().map(|(kind, name, _)| format!("{kind} {name}")));
        let encode_type = format!("HyperliquidTransaction:{}({})", self.primary, types.join(","));
        let mut fields = vec![Field::Text(self.chain.as_str())];
        fields.extend(self.fields.iter().map(|(_, _, value)| match value {
            Value::Text(text) => Field::Text(text),
            Value::Uint(number) => Field::Uint(*number),
            Value::Bool(flag) => Field::Bool(*flag),
            // `bytes` and `string` are hashed in the same way.
            Value::NoBytes => Field::Text(""),
        }));
        let chain_id = HYPERLIQUID_SIGNATURE_CHAIN_ID;
        let domain = Domain { name: "HyperliquidSignTransaction", chain_id };
        typed_digest(domain, &encode_type, &fields)
    }

    /// Returns the JSON body to send.
    pub(super) fn body(&self, signature: &Signature) -> String {
        let fields = self.fields.iter().fold(String::new(), |text, (_, name, value)| match value {
            Value::Text(value) => format!("{text},\"{name}\":\"{value}\""),
            Value::Uint(value) => format!("{text},\"{name}\":{value}"),
            Value::Bool(value) => format!("{text},\"{name}\":{value}"),
            Value::NoBytes => format!("{text},\"{name}\":\"0x\""),
        });
        format!(
            "{{\"action\":{{\"type\":\"{}\",\"signatureChainId\":\"{:#x}\",\
             \"hyperliquidChain\":\"{}\"{fields}}},\"nonce\":{},\
             \"signature\":{{\"r\":\"0x{}\",\"s\":\"0x{}\",\"v\":{}}}}}",
            self.kind,
            HYPERLIQUID_SIGNATURE_CHAIN_ID,
            self.chain.as_str(),
            self.nonce_ms,
            hex::encode(signature.r),
            hex::encode(signature.s),
            signature.v,
        )
    }
}
