//! Every error that an operation answers, made by the code that answers it.

use domain::ids::Tenant;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use platform::items::StoreError;
use protocol::Refusal as CosignerRefusal;
use shared::api::body::{JsonBody, wallet_ref};
use shared::api::credential_error::Action;
use shared::api::cursor::page_in_query;
use shared::api::error::{ApiError, REPEAT};
use shared::api::exchange::not_served;
use shared::api::webhooks::{new_webhook, replay, webhook_id};
use shared::aws::CallError;
use shared::credentials::CredentialError;
use shared::exchanges::budget::Busy;
use shared::exchanges::{Refusal, RefusalKind, Unclear};
use shared::mpc::{CosignerError, ProtocolError};
use shared::wallets::{CreateError, SignError};
use shared::webhooks::{CreateWebhookError, DeleteWebhookError, ReplayError, Targets};

/// What the exchange said in the examples.
const SAID: &str = "Must deposit before performing actions";

/// The answers of all routes with a key, whatever they do.
pub(crate) fn keyed() -> Vec<ApiError> {
    vec![
        ApiError::no_api_key(),
        ApiError::invalid_api_key(),
        ApiError::request_timeout(),
        ApiError::unreadable_body(StatusCode::PAYLOAD_TOO_LARGE),
        ApiError::rate_limited(1),
        ApiError::quota_exceeded(3_600),
        ApiError::internal("Internal error", &"the table did not answer"),
        ApiError::store("Internal error", &StoreError::Busy(String::new())),
        ApiError::new(504, "TIMEOUT", "No answer in time").advise("Retry the call; it is safe."),
    ]
}

/// What the local stack's health finds.
pub(crate) fn unhealthy() -> ApiError {
    ApiError::unhealthy("the disk of the data directory is full: 3 MiB are free".to_owned())
}

/// A method that the path does not have.
pub(crate) fn method() -> ApiError {
    ApiError::method_not_allowed()
}

/// What is wrong with a body, whatever its fields.
pub(crate) fn body() -> Vec<ApiError> {
    let other =
        HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"))]);
    let packed =
        HeaderMap::from_iter([(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"))]);
    let read = [
        JsonBody::parse(&HeaderMap::new(), b"{"),
        JsonBody::parse(&HeaderMap::new(), b"[]"),
        JsonBody::parse(&HeaderMap::new(), br#"{"a":1,"a":2}"#),
        JsonBody::parse(&other, b"{}"),
        JsonBody::parse(&packed, b"{}"),
    ];
    read.into_iter().filter_map(Result::err).collect()
}

/// What is wrong with one field of a body.
pub(crate) fn field(name: &str) -> Vec<ApiError> {
    let parse = |text: &str| JsonBody::parse(&HeaderMap::new(), text.as_bytes());
    let wrong = |value: &str| {
        let body = parse(&format!("{{\"{name}\":{value}}}")).ok()?;
        match name {
            "userId" => body.user_id().err(),
            "message" => body.message().err(),
            "walletIdOrAddress" => body.wallet_ref().err(),
            flag => body.flag(flag, true).err(),
        }
    };
    let reserved = "\"You are signing into Astherus 1\"";
    let values = ["null", "7", "\"a b\"", "\"29dd4dc0-1ff9-4df6-a19f-936f997cbc5a\"", reserved];
    values.into_iter().filter_map(wrong).collect()
}

/// A field that none of these fields is.
pub(crate) fn unknown(fields: &[&str]) -> Option<ApiError> {
    JsonBody::parse(&HeaderMap::new(), br#"{"autorenew":false}"#).ok()?.only(fields).err()
}

/// What is wrong with a body on a route that needs none.
pub(crate) fn no_body() -> Vec<ApiError> {
    body().into_iter().chain(unknown(&[])).collect()
}

/// What is wrong with an `Idempotency-Key`.
pub(crate) fn once() -> Vec<ApiError> {
    vec![
        ApiError::idempotency_key_invalid(),
        ApiError::idempotency_in_progress(7),
        ApiError::idempotency_key_reused(),
    ]
}

/// A wallet that a path or a query names.
pub(crate) fn named() -> Vec<ApiError> {
    let wrong = wallet_ref("a b").err();
    wrong.into_iter().chain([ApiError::unreadable_path(), ApiError::no_route()]).collect()
}

pub(crate) fn wallet() -> ApiError {
    ApiError::wallet_not_found()
}

pub(crate) fn page() -> Vec<ApiError> {
    let read = |query: &str| {
        let uri = format!("/api/wallets?{query}").parse().ok()?;
        page_in_query(&Tenant::local(), &uri).err()
    };
    ["limit=0", "cursor=x", "limit=1&limit=2"].into_iter().filter_map(read).collect()
}

fn read<T>(bodies: &[&str], read: impl Fn(&JsonBody) -> Result<T, ApiError>) -> Vec<ApiError> {
    let parse = |text: &&str| JsonBody::parse(&HeaderMap::new(), text.as_bytes()).ok();
    bodies.iter().filter_map(parse).filter_map(|body| read(&body).err()).collect()
}

/// What is wrong with a webhook that is to be made.
pub(crate) fn new() -> Vec<ApiError> {
    let bodies = [
        "{}",
        r#"{"url":"http://hooks.example.com"}"#,
        r#"{"url":"https://10.0.0.1"}"#,
        r#"{"url":"https://hooks.example.com","events":["wallet.gone"]}"#,
        r#"{"uri":"https://hooks.example.com"}"#,
    ];
    let mut errors = read(&bodies, |body| new_webhook(body, Targets::Public));
    let failed = CreateWebhookError::Store(StoreError::Conflict);
    errors.extend([CreateWebhookError::TooMany, failed].map(ApiError::from));
    errors
}

/// What is wrong with a webhook's id in a path.
pub(crate) fn webhook() -> Vec<ApiError> {
    let id = webhook_id("a b").err();
    let gone = DeleteWebhookError::NotFound.into();
    id.into_iter().chain([gone, ApiError::unreadable_path(), ApiError::no_route()]).collect()
}

/// What is wrong with what is to be sent again.
pub(crate) fn again() -> Vec<ApiError> {
    let bodies = [
        r#"{"since":"yesterday"}"#,
        r#"{"from":"yesterday"}"#,
        r#"{"eventId":"x"}"#,
        r#"{"cursor":"x"}"#,
    ];
    let mut errors = read(&bodies, |body| replay(body, &Tenant::local(), 0));
    errors.extend([ReplayError::NoEvent, ReplayError::Disabled].map(ApiError::from));
    errors.push(ApiError::internal("Failed to queue events", &"SQS did not answer").advise(REPEAT));
    errors
}

/// What is said of an exchange that is not served.
pub(crate) fn exchange() -> Vec<ApiError> {
    vec![not_served("lighter"), not_served("binance")]
}

/// Party 2 as it fails.
fn cosigner() -> [ProtocolError; 4] {
    [
        CosignerError::Refused(CosignerRefusal::Policy("a rule".to_owned())).into(),
        CosignerError::Refused(CosignerRefusal::Barred).into(),
        CosignerError::Nonsense.into(),
        CosignerError::Unavailable(CallError::Function(String::new())).into(),
    ]
}

pub(crate) fn create() -> Vec<ApiError> {
    let failed = cosigner().map(|error| CreateError::Protocol(error).into());
    let stored = [StoreError::Conflict, StoreError::Busy(String::new())];
    let stored = stored.map(|error| CreateError::Store(error).into());
    failed.into_iter().chain(stored).collect()
}

pub(crate) fn sign() -> Vec<ApiError> {
    let mut errors: Vec<ApiError> =
        cosigner().map(|error| SignError::Protocol(error).into()).into_iter().collect();
    errors.push(SignError::NotFound.into());
    errors.push(SignError::Store(StoreError::Busy(String::new())).into());
    errors
}

/// What an operation on a credential comes to.
pub(crate) fn credential(action: Action, own: Vec<CredentialError>) -> Vec<ApiError> {
    use RefusalKind::{
        AgentKnown, DepositRequired, NoAgentSlot, OurFault, RateLimited, RemovalPending,
    };
    let refusals = [
        DepositRequired,
        NoAgentSlot,
        RateLimited { retry_after_s: 10 },
        RemovalPending,
        AgentKnown,
    ];
    let refused = |kind| CredentialError::Refused(Refusal { kind, text: SAID.to_owned() });
    let all = own
        .into_iter()
        .chain([
            CredentialError::NotFound,
            CredentialError::InProgress { retry_after_s: 12 },
            CredentialError::Busy(Busy::Limited { retry_after_s: 10 }),
            CredentialError::Busy(Busy::Down { retry_after_s: 30 }),
            Unclear::NoAnswer(String::new()).into(),
            Unclear::BadAnswer(String::new()).into(),
            Unclear::Blocked(String::new()).into(),
            CredentialError::ClockSkew { skew_s: 70, source: Box::new(CredentialError::OutOfTime) },
            CredentialError::OutOfTime,
            CredentialError::DamagedKey,
            CredentialError::Store(StoreError::Busy(String::new())),
            refused(RefusalKind::Other),
            refused(OurFault),
        ])
        .chain(refusals.map(refused))
        .chain(cosigner().map(|error| CredentialError::Sign(SignError::Protocol(error))));
    all.map(|error| ApiError::credential(action, error)).collect()
}
