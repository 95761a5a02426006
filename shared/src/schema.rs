//! The formats of the contract's texts and numbers for the OpenAPI document. The fields of
//! requests and responses refer to them.

use std::borrow::Cow;

use domain::ids::Exchange;
use domain::intent::MAX_MESSAGE_BYTES;
use protocol::{CountedState, ReportedOutcome};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::credentials::{AgentRole, Life};
use crate::events::EventType;
use crate::exchanges::account::{Direction, MarginMode};
use crate::store::{self, MAX_URL};
use crate::store::{DeliveryState, PaymentState};
use crate::tenancy::Scope;
use crate::trading::order::{OrderStatus, OrderType, PositionSide, Side, TimeInForce};
use crate::trading::policy::PolicyRule;

/// The characters of names, without a length limit.
pub const NAME_PATTERN: &str = "^[A-Za-z0-9_.:@|-]+$";

/// The reasons of [`protocol::PolicyFault`] that a response 422 has.
const CHANGE_REASONS: [&str; 15] = [
    "AUTHORITY_MISSING",
    "TOO_MANY_PENDING",
    "TOO_MANY_RECORDS",
    "EXPIRED",
    "NOT_AFTER_TOO_FAR",
    "BELOW_MINIMUM_DELAY",
    "ABOVE_HARD_CAP",
    "OWN_REMOVAL",
    "WRONG_QUORUM",
    "NOTHING_TO_DO",
    "DESTINATION_EXISTS",
    "FULL",
    "WRONG_HEAD",
    "ASSET_UNKNOWN",
    "INVALID",
];

/// The other reasons of [`protocol::PaymentRefusal`] that a response 422 has.
const PAYMENT_REASONS: [&str; 10] = [
    "PAYMENT_NOT_ALLOWED",
    "DESTINATION_NOT_ALLOWED",
    "DESTINATION_NOT_ACTIVE",
    "LIMIT_EXCEEDED",
    "FROZEN",
    "PAYMENTS_OFF",
    "FEE_TOO_HIGH",
    "OTHER_CONTENT",
    "ACCOUNT_NONCE_TAKEN",
    "PREPARE_AGAIN",
];

macro_rules! forms {
    ($($(#[doc = $doc:literal])+ $name:ident: $form:expr;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let description = concat!($($doc, "\n"),+);
                let form: ObjectBuilder = $form;
                form.description(Some(description.trim())).build().into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                stringify!($name).into()
            }
        }
    )+};
}

fn text(pattern: &str, example: &str) -> ObjectBuilder {
    let text = ObjectBuilder::new().schema_type(Type::String);
    let text = text.pattern((!pattern.is_empty()).then_some(pattern));
    if example.is_empty() { text } else { text.examples([example]) }
}

fn one_of(words: impl IntoIterator<Item = &'static str>) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words))
}

forms! {
    /// An address, in EIP-55 form.
    AddressText: text("^0x[0-9a-fA-F]{40}$", "0x173404aAAa4d6539e2C7dbcC1931Cf41b3A3D5c7");
    /// The state of a payment.
    PaymentStateName: one_of(PaymentState::ALL.map(PaymentState::published));
    /// A wallet's id.
    WalletId: text(
        "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
        "29dd4dc0-1ff9-4df6-a19f-936f997cbc5a",
    );
    /// Your own name for a user: 1 to 128 characters of A-Z a-z 0-9 _ . : @ | - At creation, it
    /// must not be a UUID, an address, . or ..
    UserName: text(NAME_PATTERN, "user_123").min_length(Some(1)).max_length(Some(128));
    /// A wallet's userId, walletId or address, parsed in the order address, UUID, userId.
    WalletName: text(NAME_PATTERN, "user_123").min_length(Some(1)).max_length(Some(128));
    /// The uncompressed SEC1 point, 130 hex digits without 0x.
    PublicKey: text(
        "^04[0-9a-f]{128}$",
        "04090ce18936a64a24c48624d5734edf96d33a5f3d79bb014f27ebfa2197a813cfc46009ac278f4de56afc3e48733d1adf1a6cf804e6b20ddf55a9f5d4f651104a",
    );
    /// 0x and 65 bytes: r, s (low) and v (27 or 28).
    SignatureText: text("^0x[0-9a-f]{128}(1b|1c)$", "");
    /// 0x and the 32 bytes of a private key. Returned once, and again for ten minutes under the
    /// same Idempotency-Key, in case the response was lost.
    PrivateKey: text("^0x[0-9a-f]{64}$", "");
    /// A text to sign: at most 8192 bytes of UTF-8, and not a login or key approval of an
    /// exchange.
    MessageText: text("", "Hello").min_length(Some(1)).max_length(Some(MAX_MESSAGE_BYTES));
    /// RFC 3339 in whole seconds, UTC.
    Seconds: text("^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}Z$", "2025-11-27T02:00:00Z");
    /// Unix milliseconds.
    UnixMs: ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(0))
        .examples([1_762_765_034_479_u64]);
    /// Opaque start of the next page.
    Cursor: text("^[A-Za-z0-9_-]{56}$", "");
    /// An exchange with orders. Trading keys are registered at all but lighter.
    ExchangeName: one_of(Exchange::TRADED.map(Exchange::as_str));
    /// The state of a credential.
    State: one_of(Life::ALL.map(Life::as_str));
    /// The role of a listed agent.
    AgentRoleName: one_of(AgentRole::ALL.map(AgentRole::as_str));
    /// An agent's name or address.
    AgentName: text("", "hdxm1abc2d3ef").min_length(Some(1)).max_length(Some(128));
    /// A webhook's id.
    WebhookIdText: text(
        "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
        "0b7e1c52-9a3f-4c1d-8e65-2f4a9d0c7b18",
    );
    /// An https URL of a public hostname on port 443, without user, password or #.
    WebhookUrl: text("^[^\\s#]+$", "https://hooks.example.com/hyperdex")
        .min_length(Some(1))
        .max_length(Some(MAX_URL));
    /// Your description of the webhook.
    WebhookDescription: text("", "the back office").max_length(Some(200));
    /// whsec_ and the base64 of 32 bytes. Returned once, and again for ten minutes under the same
    /// Idempotency-Key, in case the response was lost.
    WebhookSecret: text("^whsec_[A-Za-z0-9+/]{43}=$", "");
    /// The type of an event that is sent.
    SentEventTypeName: one_of(EventType::ALL.map(EventType::as_str));
    /// The state of a delivery.
    DeliveryStateName: one_of(DeliveryState::ALL.map(DeliveryState::as_str));
    /// The type of an event.
    EventTypeName: one_of(EventType::SUBSCRIBED.map(EventType::as_str));
    /// An event's id, as in the header webhook-id.
    EventIdText: text("^evt_[0-9a-f]{36}$", "evt_01a2b3c4d5e60123456789abcdef01234567")
        .min_length(Some(1))
        .max_length(Some(40));
    /// A tenant key's id. It is not a secret.
    TenantKeyId: text("^[A-Za-z0-9_-]+$", "a1b2c3d4e5").min_length(Some(1)).max_length(Some(64));
    /// The tenant's words for a key.
    TenantKeyLabel: text("", "production").min_length(Some(1)).max_length(Some(64));
    /// The value of the header X-API-KEY. It is returned once, and again for ten minutes under the same
    /// Idempotency-Key, in case the response was lost.
    TenantKeyValue: text("^hdxk[0-9a-f]{64}$", "");
    /// Whether a tenant key may be used.
    TenantKeyState: one_of(["active", "expired", "revoked"]);
    /// What a tenant key may do.
    ScopeName: one_of(Scope::ALL.map(Scope::as_str));
    /// An approver's name within its authority.
    ApproverId: text("^[a-z0-9-]+$", "alice").min_length(Some(1)).max_length(Some(32));
    /// The authority whose approvers sign: the tenant's, or the operator's.
    QuorumName: one_of(["tenant", "root"]);
    /// The number of a change of the payment policy.
    ChangeNumber: ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(0))
        .maximum(Some(999_999_999_999_u64))
        .examples([7]);
    /// The SHA-256 of a change of the payment policy, in hex. 64 zeros: no change.
    PolicyHash: text(
        "^[0-9a-f]{64}$",
        "5d41402abc4b2a76b9719d911017c592ae0d3f1f0a6c2b7f1e4e0e2e7f0f1a2b",
    );
    /// Unix seconds.
    UnixSeconds: ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1))
        .maximum(Some(4_102_444_800_u64))
        .examples([1_790_000_000_u64]);
    /// ECDSA with SHA-256, DER in hex.
    DerSignature: text("^[0-9a-f]+$", "").min_length(Some(16)).max_length(Some(4096));
    /// The state of a change of the payment policy.
    ChangeStateName: one_of(["approving", "waiting", "active", "cancelled", "expired"]);
    /// The system that pays: hyperliquid, aster, or evm: and the id of a chain.
    VenueText: text("^(hyperliquid|aster|evm:[1-9][0-9]*)$", "hyperliquid");
    /// A token at a venue.
    AssetText: text("^(hyperliquid|aster|evm:[1-9][0-9]*)/[A-Za-z0-9.:_-]{1,40}$", "evm:56/USDT");
    /// An amount of a token: a decimal number without a sign, an exponent or trailing zeros.
    AmountText: text("^(0|[1-9][0-9]{0,19})(\\.[0-9]{0,17}[1-9])?$", "12.5");
    /// A network in CIDR notation, or one address.
    Network: text("", "203.0.113.0/24").min_length(Some(1)).max_length(Some(49));
    /// Seconds, up to 30 days.
    OverlapSeconds: ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(0))
        .maximum(Some(2_592_000))
        .default(Some(3_600.into()));
    /// Opaque start of the next call.
    ReplayCursor: text("^[A-Za-z0-9_-]+$", "").min_length(Some(1)).max_length(Some(100));
    /// A time in RFC 3339 format.
    Moment: text("", "2025-11-27T02:00:00Z").min_length(Some(1)).max_length(Some(40));
    /// enabled, or disabled: by you, or after the receiver returned 410.
    WebhookStatus: one_of(["enabled", "disabled"]);
    /// Why an agent is not renewed automatically.
    ExpiringReason: one_of(store::ExpiringReason::ALL.map(store::ExpiringReason::as_str));
    /// A kind of difference between a credential and the exchange's list.
    DriftKindName: one_of(store::DriftKind::ALL.map(store::DriftKind::as_str));
    /// A market's name: BTC, BTC-PERP and BTCUSDT name the perpetual market, BASE/QUOTE a spot
    /// market, and dex:COIN a market of another deployer on Hyperliquid.
    SymbolName: text("^[^\\s\\x00-\\x1f\\x7f-\\x9f]{1,40}$", "BTCUSDT");
    /// The direction of an order.
    OrderSideName: one_of([Side::Buy, Side::Sell].map(Side::as_str));
    /// The kind of an order. A type with STOP or TAKE_PROFIT waits for triggerPrice.
    OrderTypeName: one_of(OrderType::ALL.map(OrderType::as_str));
    /// How long an order with a price rests.
    TimeInForceName: one_of(TimeInForce::ALL.map(TimeInForce::as_str));
    /// The position that an order changes. LONG and SHORT are for accounts in hedge mode on Aster.
    PositionSideName: one_of(PositionSide::ALL.map(PositionSide::as_str));
    /// The state of an order. exchangeStatus has the exchange's own word.
    OrderStatusName: one_of(OrderStatus::ALL.map(OrderStatus::as_str));
    /// A decimal number that is not negative, without an exponent: at most 15 digits before the
    /// point and 12 after it.
    DecimalText: text("^[0-9]{1,15}(\\.[0-9]{1,12})?$", "0.001");
    /// A decimal number.
    NumberText: text("^[0-9]+(\\.[0-9]+)?$", "49850.00");
    /// Your own id of an order, with at least one character that is not a digit. It is unique for
    /// a wallet and an exchange: a repeat with the same order returns the first result.
    ClientOrderIdText: text("^[0-9]*[A-Za-z._-][A-Za-z0-9._-]*$", "bot-17")
        .min_length(Some(1))
        .max_length(Some(36));
    /// The exchange's id of an order, or its clientOrderId.
    OrderName: text("^[A-Za-z0-9._-]+$", "12345").min_length(Some(1)).max_length(Some(36));
    /// A decimal number, which may be negative.
    SignedText: text("^-?[0-9]+(\\.[0-9]+)?$", "-12.5");
    /// The direction of a position.
    DirectionName: one_of([Direction::Long, Direction::Short].map(Direction::as_str));
    /// How a market's margin is kept.
    MarginModeName: one_of(MarginMode::ALL.map(MarginMode::as_str));
    /// Where a page of executions starts: a time in Unix milliseconds.
    FillCursorText: text("^[0-9]{1,13}$", "1730869356000");
    /// The id of a payment.
    TransferIdText: text("^[A-Za-z0-9._-]{1,64}$", "p-6e4bf6a51c4e4a529f0c8f5c0d3f7a10");
    /// The state of a payment that the cosigner has counted. Only signed payments may still be made; the
    /// words that begin with reported are claims of the service, which the cosigner cannot verify.
    CountedStateName: one_of(CountedState::ALL.map(CountedState::as_str));
    /// The outcome of a payment as the service reported it.
    ReportedOutcomeName: one_of(ReportedOutcome::ALL.map(ReportedOutcome::as_str));
    /// Opaque start of the next page.
    PaymentCursor: text("^[A-Za-z0-9_-]+$", "").min_length(Some(1)).max_length(Some(220));
    /// A rule of the trading policy, or the reason for which the payment policy refuses a change or a payment.
    PolicyRuleName: one_of(
        PolicyRule::ALL.map(PolicyRule::as_str).into_iter().chain(CHANGE_REASONS).chain(PAYMENT_REASONS)
    );
    /// A stable code for programs to switch on.
    Code: text("^[A-Z][A-Z0-9_]+$", "WALLET_NOT_FOUND");
    /// Always true.
    Succeeded: ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([true]));
    /// Always false.
    Failed: ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([false]));
}
