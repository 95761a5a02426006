//! Response bodies of payments.

use domain::eth::Address;
use domain::money::{EvmToken, Nonces, Payment};
use domain::policy::Venue;
use protocol::{Charge, PaymentRefusal};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::money::Quote;
use crate::money::tokens::NATIVE;
use crate::schema;
use crate::store::{PaymentRecord, WalletRecord};

/// A payment in its present state.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(as = Payment)]
pub struct PaymentData {
    /// The payment's id, for GET. It follows from the Idempotency-Key.
    transfer_id: String,
    /// ACCEPTED, SIGNED, SENT, COMPLETED, REFUSED or UNKNOWN.
    #[schema(value_type = schema::PaymentStateName)]
    state: &'static str,
    /// The kind of payment, as the cosigner's policy names it.
    kind: &'static str,
    /// hyperliquid, aster, or evm: and the chain's id.
    venue: String,
    #[schema(value_type = schema::WalletId)]
    wallet_id: Uuid,
    /// The paying address.
    #[schema(value_type = schema::AddressText)]
    from: String,
    /// The receiver. It is the wallet's own address for Aster and for a transfer between its own
    /// balances.
    #[schema(value_type = schema::AddressText)]
    receiver: String,
    asset: String,
    #[schema(value_type = schema::NumberText)]
    amount: String,
    /// The fee that the exchange took, otherwise the expected fee with the activation. For a
    /// transaction, the most that its gas costs.
    #[schema(value_type = schema::NumberText)]
    fee: String,
    fee_asset: String,
    /// The chain on which the money arrives.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u64, required = false)]
    chain_id: Option<u64>,
    /// The nonce of the signed bytes: that of the exchange, or the account's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u64, required = false)]
    nonce: Option<u64>,
    /// The exchange's id, if it stated one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    withdraw_id: Option<String>,
    /// The hash of the transaction on the chain, or on Hyperliquid's own chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    hash: Option<String>,
    /// The signed transaction, until it is in a block. Broadcast it if the deployment cannot reach
    /// the chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    raw_transaction: Option<String>,
    /// Why the payment was refused, or a chain's node does not take it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = PaymentRefusalData, required = false)]
    refusal: Option<PaymentRefusalData>,
    #[schema(value_type = schema::UnixMs)]
    created_at: u64,
    /// When the state last changed, Unix milliseconds.
    #[schema(value_type = schema::UnixMs)]
    updated_at: u64,
}

/// Why a payment was not made.
#[derive(Serialize, ToSchema, Debug)]
#[schema(as = PaymentRefusal)]
struct PaymentRefusalData {
    #[schema(value_type = schema::Code)]
    code: String,
    /// The exchange's or the node's own text, bounded.
    message: String,
}

/// A payment with its costs. Nothing was signed.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(as = PaymentQuote)]
pub struct QuoteData {
    /// Always true.
    dry_run: bool,
    /// The kind of payment, as the cosigner's policy names it.
    kind: &'static str,
    venue: String,
    #[schema(value_type = schema::WalletId)]
    wallet_id: Uuid,
    #[schema(value_type = schema::AddressText)]
    from: String,
    #[schema(value_type = schema::AddressText)]
    receiver: String,
    asset: String,
    #[schema(value_type = schema::NumberText)]
    amount: String,
    /// The fee with the activation. For a transaction, the most that its gas costs.
    #[schema(value_type = schema::NumberText)]
    fee: String,
    fee_asset: String,
    /// The part of the fee that activates an account.
    #[schema(value_type = schema::NumberText)]
    activation_fee: String,
    /// The amount that arrives.
    #[schema(value_type = schema::NumberText)]
    receives: String,
    /// The chain on which the money arrives.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u64, required = false)]
    chain_id: Option<u64>,
    /// The way of the money: bridge, cctp, sendAsset, aster, erc20 or
    /// native.
    route: &'static str,
    arrival: ArrivalData,
    policy: VerdictData,
}

/// When the money usually arrives, in seconds. An estimate.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(as = PaymentArrival)]
struct ArrivalData {
    min_seconds: u64,
    max_seconds: u64,
}

/// What the cosigner's policy says at present.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(as = PaymentVerdict)]
struct VerdictData {
    /// Whether the payment would be signed now.
    allowed: bool,
    /// Why it would not be signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    reason: Option<&'static str>,
    /// The facts of the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    detail: Option<String>,
    /// The amounts that would count against the limits.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>, required = false)]
    charges: Vec<Charge>,
}

/// The parts of a payment that both bodies state.
struct Parts {
    kind: &'static str,
    receiver: Address,
    asset: String,
}

impl Parts {
    fn of(payment: &Payment, wallet: Address) -> Self {
        let (receiver, asset) = match payment {
            Payment::HyperliquidWithdraw(it) => (it.destination, "USDC".to_owned()),
            Payment::HyperliquidSendAsset(it) => (it.destination, it.token.name().to_owned()),
            Payment::HyperliquidMoveOwn(it) => (wallet, it.token.name().to_owned()),
            Payment::AsterWithdraw(it) => (wallet, it.asset.clone()),
            Payment::EvmTokenTransfer(it) => match &it.token {
                EvmToken::Native => (it.destination, NATIVE.to_owned()),
                EvmToken::Erc20 { symbol, .. } => (it.destination, symbol.clone()),
            },
        };
        Self { kind: payment.name(), receiver, asset }
    }
}

/// Returns the nonce of a payment: the exchange's, or the account's.
fn nonce(record: &PaymentRecord) -> Option<u64> {
    match (record.signed.as_ref()?.nonces, &record.payment) {
        (Nonces::Hyperliquid(nonce), _) | (Nonces::Aster(nonce, _), _) => Some(nonce),
        (Nonces::Evm, Payment::EvmTokenTransfer(transfer)) => Some(transfer.account_nonce),
        (Nonces::Evm, _) => None,
    }
}

impl PaymentData {
    /// Returns the data of a payment.
    #[must_use]
    pub fn new(wallet: &WalletRecord, record: &PaymentRecord) -> Self {
        let Parts { kind, receiver, asset } = Parts::of(&record.payment, wallet.address);
        let expected = &record.expected;
        let is_transaction = matches!(record.venue, Venue::Evm(_));
        let is_open = record.state.is_open();
        let raw = record.signed.as_ref().filter(|_| is_transaction && is_open);
        let refusal = record.refusal.as_ref().map(|refusal| PaymentRefusalData {
            code: refusal.code.clone(),
            message: refusal.text.clone(),
        });
        Self {
            transfer_id: record.id.to_string(),
            state: record.state.published(),
            kind,
            venue: record.venue.to_string(),
            wallet_id: wallet.wallet_id,
            from: wallet.address.to_string(),
            receiver: receiver.to_string(),
            asset,
            amount: record.payment.amount().to_string(),
            fee: record.fee_taken.clone().unwrap_or_else(|| expected.fee.to_string()),
            fee_asset: expected.fee_asset.clone(),
            chain_id: expected.chain_id,
            nonce: nonce(record),
            withdraw_id: record.exchange_id.clone(),
            hash: record.transaction_hash.clone(),
            raw_transaction: raw.map(|signed| signed.body.clone()),
            refusal,
            created_at: record.created_at_ms,
            updated_at: record.updated_at_ms,
        }
    }
}

impl QuoteData {
    /// Returns the data of a quote.
    #[must_use]
    pub fn new(
        wallet: &WalletRecord,
        venue: Venue,
        quote: &Quote,
        verdict: Result<Vec<Charge>, PaymentRefusal>,
    ) -> Self {
        let Parts { kind, receiver, asset } = Parts::of(&quote.payment, wallet.address);
        let policy = match verdict {
            Ok(charges) => VerdictData { allowed: true, reason: None, detail: None, charges },
            Err(refusal) => VerdictData {
                allowed: false,
                reason: Some(refusal.reason()),
                detail: Some(refusal.to_string()),
                charges: Vec::new(),
            },
        };
        Self {
            dry_run: true,
            kind,
            venue: venue.to_string(),
            wallet_id: wallet.wallet_id,
            from: wallet.address.to_string(),
            receiver: receiver.to_string(),
            asset,
            amount: quote.payment.amount().to_string(),
            fee: quote.fee.to_string(),
            fee_asset: quote.fee_asset.clone(),
            activation_fee: quote.activation_fee.to_string(),
            receives: quote.receives.to_string(),
            chain_id: quote.chain_id,
            route: quote.route,
            arrival: ArrivalData {
                min_seconds: quote.arrival.min_s,
                max_seconds: quote.arrival.max_s,
            },
            policy,
        }
    }
}
