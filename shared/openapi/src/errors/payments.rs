//! The errors of payments, made by the code that returns them.

use domain::eth::Address;
use domain::ids::Exchange;
use domain::intent::HyperliquidChain;
use domain::money::{AccountType, AsterWithdraw, Payment, PaymentId};
use domain::policy::{Amount, AssetId, Venue};
use http::{HeaderMap, Uri};
use platform::items::StoreError;
use platform::networks::Networks;
use protocol::{ApprovalRejection, LimitScope, PaymentRefusal, RejectedApproval};
use shared::api::body::JsonBody;
use shared::api::error::ApiError;
use shared::api::money::payment_error;
use shared::api::requests::PayRequest;
use shared::aws::CallError;
use shared::evm::ChainError;
use shared::exchanges::LookupError;
use shared::exchanges::budget::Busy;
use shared::money::MoneyError;
use shared::mpc::{CosignerError, ProtocolError};
use shared::store::{ExpectedCosts, PaymentRecord, PaymentRefusal as StoredRefusal, PaymentState};
use shared::wallets::{PaySignError, SignError};
use uuid::Uuid;

use super::failures;

/// The codes of refused payments.
const REFUSED: [(&str, &str); 11] = [
    ("INSUFFICIENT_FUNDS", "Insufficient balance for withdrawal"),
    ("DEPOSIT_REQUIRED", "Must deposit before performing actions"),
    ("NOT_OFFERED_BY_EXCHANGE", "Action disabled when unified account is active"),
    ("EXCHANGE_LIMIT_EXCEEDED", "You've exceeded the withdrawal limit for this chain."),
    ("NONCE_EXPIRED", "the exchange never executed the payment"),
    ("NOT_EXECUTED", "the nonce is used and the ledger has no payment"),
    ("EXCHANGE_FAILED", "Aster reports it as failed"),
    ("PAYMENT_REJECTED", "Invalid send"),
    ("NOT_SENT", "the exchange was not reached"),
    ("REVERTED", "the chain has reverted the transaction"),
    ("NONCE_TAKEN", "another transaction has used the account's nonce"),
];

fn id() -> Option<PaymentId> {
    "p-6e4bf6a51c4e4a529f0c8f5c0d3f7a10".parse().ok()
}

fn record(state: PaymentState, refusal: Option<(&str, &str)>) -> Option<Box<PaymentRecord>> {
    let at_ms = 1_762_765_034_479;
    let amount = |text: &str| Amount::parse(text).ok();
    let payment = Payment::AsterWithdraw(AsterWithdraw {
        chain_id: 56,
        asset: "USDT".to_owned(),
        amount: amount("50")?,
        fee: amount("0.11")?,
        account_type: AccountType::Perp,
    });
    Some(Box::new(PaymentRecord {
        schema: 1,
        id: id()?,
        venue: Venue::Aster,
        fingerprint: String::new(),
        payment,
        expected: ExpectedCosts {
            fee: amount("0.11")?,
            fee_asset: "USDT".to_owned(),
            chain_id: Some(56),
        },
        state,
        revision: Uuid::nil(),
        approve_until_s: 0,
        created_at_ms: at_ms,
        updated_at_ms: at_ms,
        lease_until_ms: at_ms,
        signed: None,
        exchange_id: None,
        transaction_hash: None,
        fee_taken: None,
        refusal: refusal.map(|(code, text)| StoredRefusal {
            code: code.to_owned(),
            text: text.to_owned(),
            at_ms,
        }),
        next_check_ms: None,
        checks: 0,
        unreported: false,
    }))
}

fn refusals() -> Vec<PaymentRefusal> {
    let mut refusals = vec![
        PaymentRefusal::NotAllowed("this chain is not in the policy document".to_owned()),
        PaymentRefusal::DestinationNotAllowed,
        PaymentRefusal::DestinationNotActive { active_from_ms: 1_762_851_434_479 },
        PaymentRefusal::Frozen,
        PaymentRefusal::PaymentsOff,
        PaymentRefusal::AuthorityMissing,
        PaymentRefusal::ApprovalRequired {
            text: "HyperDEX Keys payment\n…".to_owned(),
            threshold: 2,
        },
        PaymentRefusal::FeeTooHigh { max: Amount::ZERO },
        PaymentRefusal::OtherContent,
        PaymentRefusal::AccountNonceTaken { nonce: 4 },
    ];
    if let Ok(asset) = AssetId::new(Venue::Aster, "USDT") {
        let (left, scope) = (Amount::ZERO, LimitScope::Wallet);
        refusals.push(PaymentRefusal::LimitExceeded { asset, scope, left, payments_left: 3 });
    }
    let reasons = [
        ApprovalRejection::UnknownApprover,
        ApprovalRejection::BadSignature,
        ApprovalRejection::Duplicate,
        ApprovalRejection::Expired,
    ];
    refusals.extend(reasons.map(|reason| PaymentRefusal::ApprovalInvalid {
        text: "HyperDEX Keys payment\n…".to_owned(),
        threshold: 2,
        rejected: vec![RejectedApproval { index: 0, approver: "alice".to_owned(), reason }],
    }));
    refusals
}

/// Returns the errors of every operation that pays.
pub(crate) fn pay() -> Vec<ApiError> {
    let mut errors = vec![
        MoneyError::KeyRequired,
        MoneyError::NotOffered {
            what: "a transfer of this asset on this chain",
            advice: "Choose native, USDT or USDC on a chain of the documentation's table.",
        },
        MoneyError::AboveExchangeLimit { most: "12.5".to_owned() },
        MoneyError::DestinationRefused,
        MoneyError::Missing("gasLimit"),
        MoneyError::Chain(ChainError::WrongChain { found: 1 }),
        MoneyError::Lookup(LookupError::Unreadable { what: "usdcRouting", status: 502 }),
        MoneyError::Lookup(LookupError::Blocked(String::new())),
        MoneyError::OutOfTime,
        MoneyError::Damaged("no signed bytes"),
        MoneyError::Store(StoreError::Busy(String::new())),
    ];
    for busy in [
        Busy::Limited { retry_after_s: 10 },
        Busy::TenantLimited { retry_after_s: 10 },
        Busy::Down { retry_after_s: 30 },
    ] {
        errors.push(MoneyError::Busy(busy));
    }
    errors.extend(id().map(|id| MoneyError::KeyReused { id }));
    errors.extend(id().map(|id| MoneyError::InProgress { id, retry_after_s: 12 }));
    let refused = |refusal| record(PaymentState::Refused, Some(refusal));
    let refused = REFUSED.into_iter().filter_map(refused);
    errors.extend(refused.map(|record| MoneyError::Refused { record }));
    let unknown = record(PaymentState::Unknown, None);
    errors.extend(unknown.map(|record| MoneyError::Unknown { record, retry_after_s: 5 }));
    errors.extend(refusals().into_iter().map(|it| MoneyError::Sign(PaySignError::Refused(it))));
    let cosigner: [ProtocolError; 2] = [
        CosignerError::Unavailable(CallError::Function(String::new())).into(),
        CosignerError::Nonsense.into(),
    ];
    let signs = cosigner.map(SignError::Protocol).into_iter();
    let signs = signs.chain([SignError::Frozen, SignError::FrozenByOperator, SignError::Busy]);
    errors.extend(signs.map(|error| MoneyError::Sign(PaySignError::Sign(error))));
    errors.into_iter().map(payment_error).collect()
}

/// Returns the errors of reading a payment.
pub(crate) fn get() -> Vec<ApiError> {
    let invalid =
        ApiError::bad_request("transferId must be 1 to 64 characters of A-Z a-z 0-9 . _ -");
    let own = [MoneyError::PaymentNotFound, MoneyError::Store(StoreError::Busy(String::new()))];
    let path = [ApiError::unreadable_path(), ApiError::no_route()];
    own.map(payment_error).into_iter().chain([invalid]).chain(path).collect()
}

/// Returns the response to a deposit.
pub(crate) fn deposit(exchange: Exchange) -> ApiError {
    let main = HyperliquidChain::Mainnet;
    shared::api::money::deposit(exchange, Networks { hyperliquid: main, aster: main })
}

fn requests(
    good: &str,
    changes: &[&str],
    read: impl Fn(&JsonBody) -> Result<PayRequest, ApiError>,
) -> Vec<ApiError> {
    let common = [
        r#""amount":"1e2""#,
        r#""amount":5"#,
        r#""dryRun":"yes""#,
        r#""approvals":{}"#,
        r#""fee":"0""#,
    ];
    let bodies: Vec<String> = common
        .iter()
        .chain(changes)
        .map(|change| {
            let field = change.split(':').next().unwrap_or_default();
            let kept = good.split(", ").filter(|part| !part.starts_with(field));
            let kept: Vec<&str> = kept.collect();
            format!("{{{},{change}}}", kept.join(","))
        })
        .chain(["{}".to_owned()])
        .collect();
    failures(&bodies, read)
}

pub(crate) fn aster_request() -> Vec<ApiError> {
    let good = r#""walletAddress":"0x173404aAAa4d6539e2C7dbcC1931Cf41b3A3D5c7", "chainId":56, "asset":"USDT", "amount":"50""#;
    let changes = [
        r#""walletAddress":"user_123""#,
        r#""chainId":0"#,
        r#""asset":"US DT""#,
        r#""receiver":"0x1""#,
        r#""receiver":"0x00000000000000000000000000000000000000aa""#,
        r#""accountType":"futures""#,
    ];
    let mut errors = requests(good, &changes, |body| {
        PayRequest::withdraw_aster((&HeaderMap::new(), &Uri::default(), body), None)
    });
    errors.push(payment_error(MoneyError::Invalid {
        field: "receiver",
        expected: "must be walletAddress; Aster pays only to the account's own address",
    }));
    errors
}

pub(crate) fn hyperliquid_request() -> Vec<ApiError> {
    let good = r#""walletIdOrAddress":"user_123", "destination":"0x173404aAAa4d6539e2C7dbcC1931Cf41b3A3D5c7", "amount":"50""#;
    let changes = [
        r#""destination":"0x1""#,
        r#""asset":"USDT""#,
        r#""chainId":0"#,
        r#""accountType":"futures""#,
    ];
    let mut errors = requests(good, &changes, |body| {
        PayRequest::withdraw_hyperliquid((&HeaderMap::new(), &Uri::default(), body), None, 42_161)
    });
    errors.extend(unpayable());
    errors
}

pub(crate) fn transfer_request() -> Vec<ApiError> {
    let good = r#""walletIdOrAddress":"user_123", "from":"perp", "to":"spot", "amount":"50""#;
    let changes =
        [r#""destination":"0x1""#, r#""asset":"HYPE""#, r#""from":"a b""#, r#""to":"a b""#];
    let mut errors = requests(good, &changes, |body| {
        PayRequest::transfer_hyperliquid((&HeaderMap::new(), &Uri::default(), body), None)
    });
    errors.extend(["from", "to"].map(|field| payment_error(MoneyError::Missing(field))));
    errors.extend(unpayable());
    errors
}

pub(crate) fn send_request() -> Vec<ApiError> {
    let good = r#""chainId":56, "asset":"USDT", "destination":"0x173404aAAa4d6539e2C7dbcC1931Cf41b3A3D5c7", "amount":"50""#;
    let changes = [
        r#""chainId":0"#,
        r#""destination":"0x1""#,
        r#""asset":"US DT""#,
        r#""gasLimit":1"#,
        r#""maxFeePerGas":-1"#,
        r#""accountNonce":"1""#,
    ];
    let mut errors = requests(good, &changes, |body| {
        PayRequest::send_tokens("user_123", (&HeaderMap::new(), &Uri::default(), body), None)
    });
    errors.extend(unpayable());
    errors
}

/// Returns the error of a payment that no policy allows.
fn unpayable() -> Option<ApiError> {
    let record = record(PaymentState::Accepted, None)?;
    let Payment::AsterWithdraw(mut withdraw) = record.payment else { return None };
    withdraw.amount = Amount::ZERO;
    let error = Payment::AsterWithdraw(withdraw).check(Address::ZERO).err()?;
    Some(payment_error(MoneyError::Payment(error)))
}
