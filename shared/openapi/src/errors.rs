//! Every error of each operation, made by the code that returns it.

pub(crate) mod accounts;
pub(crate) mod lighter;
pub(crate) mod payment_policy;
pub(crate) mod payments;
pub(crate) mod trading;

use std::sync::LazyLock;

use domain::ids::Tenant;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use platform::items::StoreError;
use protocol::Refusal as CosignerRefusal;
use serde_json::{Map, Value, json};
use shared::api::body::{JsonBody, field_names};
use shared::api::credential_error::Action;
use shared::api::cursor::page_in_query;
use shared::api::error::{ApiError, REPEAT};
use shared::api::exchange::not_served;
use shared::api::requests::{
    CreateTenantKey, CreateWallet, CreateWebhook, DeleteApiKey, DeleteWebhook, ListDeliveries,
    RegisterApiKey, ReplayWebhook, RevokeTenantKey, RotateApiKey, RotateTenantKey, SignMessage,
    UpdateWebhook,
};
use shared::api::wallet_names::WalletNames;
use shared::aws::CallError;
use shared::credentials::CredentialError;
use shared::exchanges::budget::Busy;
use shared::exchanges::http::TransportError;
use shared::exchanges::{Refusal, RefusalKind, Unclear};
use shared::key_admin::{GrantError, KeyAdminError};
use shared::mpc::{CosignerError, ProtocolError};
use shared::store::TenantError;
use shared::tenancy::{KeyId, Scope};
use shared::wallets::{CreateError, SignError};
use shared::webhooks::{CreateWebhookError, DeleteWebhookError, ReplayError, Targets, TestError};
use utoipa::PartialSchema;

/// The key of the examples.
static KEY: LazyLock<KeyId> = LazyLock::new(|| KeyId::from(Tenant::local()));

/// The exchange's text in the examples.
const SAID: &str = "Must deposit before performing actions";

/// Returns the errors of all routes that require a tenant key.
pub(crate) fn keyed() -> Vec<ApiError> {
    vec![
        ApiError::no_api_key(),
        ApiError::invalid_api_key(),
        ApiError::tenant_key_revoked(),
        ApiError::tenant_key_expired(),
        ApiError::address_not_allowed(),
        ApiError::scope_missing(Scope::Sign),
        ApiError::tenant_suspended(),
        ApiError::request_timeout(),
        ApiError::unreadable_body(StatusCode::PAYLOAD_TOO_LARGE),
        ApiError::rate_limited(1),
        ApiError::quota_exceeded(3_600),
        ApiError::internal("Internal error", &"the table did not respond"),
        ApiError::store("Internal error", &StoreError::Busy(String::new())),
        ApiError::new(504, "TIMEOUT", "No response in time").advise("Retry the call; it is safe."),
    ]
}

/// Returns the error of the local stack's health.
pub(crate) fn unhealthy() -> ApiError {
    ApiError::unhealthy("the disk of the data directory is full: 3 MiB are free".to_owned())
}

/// Returns the error of an unsupported method.
pub(crate) fn method() -> ApiError {
    ApiError::method_not_allowed()
}

/// Returns the errors of a body, independent of its fields.
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

/// Returns the errors of a request's fields: an unknown field, then each field of the type. `good`
/// is a valid body.
fn fields<T: PartialSchema>(
    good: &str,
    read: impl Fn(&JsonBody) -> Result<T, ApiError>,
) -> Vec<ApiError> {
    let reserved = "You are signing into Astherus 1";
    let values = [
        Value::Null,
        json!(7),
        json!("a b"),
        json!("29dd4dc0-1ff9-4df6-a19f-936f997cbc5a"),
        json!(reserved),
    ];
    let mut bodies = vec![r#"{"autorenew":false}"#.to_owned()];
    let good: Map<String, Value> = serde_json::from_str(good).unwrap_or_default();
    for name in field_names::<T>() {
        for value in &values {
            let mut body = good.clone();
            body.insert(name.clone(), value.clone());
            bodies.push(Value::Object(body).to_string());
        }
    }
    failures(&bodies, read)
}

pub(crate) fn create_wallet() -> Vec<ApiError> {
    fields("{}", CreateWallet::read)
}

pub(crate) fn sign_message() -> Vec<ApiError> {
    fields("{}", |body| SignMessage::read("user_123", &Uri::default(), body))
}

/// The wallet in bodies with a different fault.
const NAMED: &str = r#"{"walletIdOrAddress":"user_123"}"#;

pub(crate) fn register() -> Vec<ApiError> {
    fields(NAMED, |body| RegisterApiKey::read(&Uri::default(), body))
}

pub(crate) fn rotate() -> Vec<ApiError> {
    fields(NAMED, |body| RotateApiKey::read(&Uri::default(), body))
}

pub(crate) fn delete() -> Vec<ApiError> {
    fields(NAMED, |body| DeleteApiKey::read(&Uri::default(), body))
}

/// Returns the error of a query that does not name the wallet.
pub(crate) fn unnamed() -> Option<ApiError> {
    WalletNames::in_query(&Uri::default()).err()
}

/// Returns the errors of a body on a route that requires none.
pub(crate) fn no_body() -> Vec<ApiError> {
    let bodies = [r#"{"autorenew":false}"#];
    body().into_iter().chain(failures(&bodies, |body| DeleteWebhook::read("", body))).collect()
}

/// Returns the errors of an `Idempotency-Key`.
pub(crate) fn once() -> Vec<ApiError> {
    vec![
        ApiError::idempotency_key_invalid(),
        ApiError::idempotency_in_progress(7),
        ApiError::idempotency_key_reused(),
    ]
}

/// Returns the errors of a wallet's name in a path or a query.
pub(crate) fn named() -> Vec<ApiError> {
    let wrong = WalletNames::in_path("a b").err();
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

/// Returns the error of each body, as a request type parses it.
fn failures<T>(
    bodies: &[impl AsRef<str>],
    read: impl Fn(&JsonBody) -> Result<T, ApiError>,
) -> Vec<ApiError> {
    let parse = |text: &str| JsonBody::parse(&HeaderMap::new(), text.as_bytes()).ok();
    let bodies = bodies.iter().filter_map(|text| parse(text.as_ref()));
    bodies.filter_map(|body| read(&body).err()).collect()
}

/// Returns the errors of a new webhook.
pub(crate) fn new() -> Vec<ApiError> {
    let bodies = [
        "{}",
        r#"{"url":"http://hooks.example.com"}"#,
        r#"{"url":"https://10.0.0.1"}"#,
        r#"{"url":"https://hooks.example.com","events":["wallet.gone"]}"#,
        r#"{"uri":"https://hooks.example.com"}"#,
    ];
    let mut errors = failures(&bodies, |body| CreateWebhook::read(body, Targets::Public));
    let failed = CreateWebhookError::Store(StoreError::Conflict);
    errors.extend([CreateWebhookError::TooMany, failed].map(ApiError::from));
    errors
}

/// Returns the errors of a webhook's id in a path.
pub(crate) fn webhook() -> Vec<ApiError> {
    let id = failures(&["{}"], |body| DeleteWebhook::read("a b", body));
    let gone = DeleteWebhookError::NotFound.into();
    id.into_iter().chain([gone, ApiError::unreadable_path(), ApiError::no_route()]).collect()
}

/// The errors of a new tenant key's request.
pub(crate) fn new_tenant_key() -> Vec<ApiError> {
    let bodies = [
        "{}",
        r#"{"label":7}"#,
        r#"{"label":"a","scopes":["all"]}"#,
        r#"{"label":"a","scopes":[]}"#,
        r#"{"label":"a","expiresAt":"tomorrow"}"#,
        r#"{"label":"a","expiresAt":"1970-01-01T00:00:00Z"}"#,
        r#"{"label":"a","networks":[]}"#,
        r#"{"label":"a","networks":["here"]}"#,
        r#"{"lable":"a"}"#,
    ];
    let mut errors = failures(&bodies, |body| CreateTenantKey::read(body, 1));
    errors.push(KeyAdminError::LabelTaken(KEY.clone()).into());
    errors.extend([GrantError::Networks, GrantError::Expiry].map(ApiError::from));
    errors
}

/// The errors of a rotation's request.
pub(crate) fn rotated_tenant_key() -> Vec<ApiError> {
    let bodies = [r#"{"overlapSeconds":-1}"#, r#"{"overlap":60}"#];
    let mut errors = failures(&bodies, |body| RotateTenantKey::read(KEY.as_str(), body));
    errors.push(KeyAdminError::Replaced(KEY.clone()).into());
    errors.extend([ApiError::tenant_key_in_use(), ApiError::tenant_key_not_active()]);
    errors
}

/// The errors of a revocation's request.
pub(crate) fn revoked_tenant_key() -> Vec<ApiError> {
    let bodies = [r#"{"force":"yes"}"#, r#"{"forced":true}"#];
    let mut errors = failures(&bodies, |body| RevokeTenantKey::read(KEY.as_str(), body));
    errors.push(ApiError::tenant_key_in_use());
    errors
}

/// The errors of every operation that makes a tenant key.
pub(crate) fn tenant_key_made() -> Vec<ApiError> {
    let too_many = KeyAdminError::Tenant(TenantError::TooManyKeys(Tenant::local()));
    let failed = KeyAdminError::Id;
    vec![
        GrantError::Scope(Scope::Money).into(),
        too_many.into(),
        failed.into(),
        ApiError::secret_not_shown_again(),
    ]
}

/// The errors of a tenant key that a path names.
pub(crate) fn tenant_key() -> Vec<ApiError> {
    let id = failures(&["{}"], |body| RevokeTenantKey::read("a b", body));
    let own = [ApiError::tenant_key_not_found(), ApiError::unreadable_path(), ApiError::no_route()];
    id.into_iter().chain(own).collect()
}

/// Returns the errors of a change of a webhook.
pub(crate) fn changed() -> Vec<ApiError> {
    let bodies = [
        "{}",
        r#"{"url":"http://hooks.example.com"}"#,
        r#"{"url":"https://10.0.0.1"}"#,
        r#"{"events":["wallet.gone"]}"#,
        r#"{"enabled":"yes"}"#,
        r#"{"uri":"https://hooks.example.com"}"#,
    ];
    let id = "0b7e1c52-9a3f-4c1d-8e65-2f4a9d0c7b18";
    failures(&bodies, |body| UpdateWebhook::read(id, body, Targets::Public))
}

/// Returns the errors of a test of a webhook.
pub(crate) fn test() -> Vec<ApiError> {
    let failed = ApiError::internal("Failed to queue the test", &"SQS did not respond");
    let refused = [TestError::Disabled, TestError::TooMany].map(ApiError::from);
    refused.into_iter().chain([failed.advise(REPEAT)]).collect()
}

/// Returns the errors of the parameters of a list of deliveries.
pub(crate) fn deliveries() -> Vec<ApiError> {
    let read = |query: &str| {
        let uri = format!("/?{query}").parse().ok()?;
        ListDeliveries::read("0b7e1c52-9a3f-4c1d-8e65-2f4a9d0c7b18", &uri).err()
    };
    ["limit=0", "cursor=x", "limit=1&limit=2"].into_iter().filter_map(read).collect()
}

/// Returns the errors of a replay request.
pub(crate) fn again() -> Vec<ApiError> {
    let bodies = [
        r#"{"since":"yesterday"}"#,
        r#"{"from":"yesterday"}"#,
        r#"{"eventId":"x"}"#,
        r#"{"cursor":"x"}"#,
    ];
    let id = "0b7e1c52-9a3f-4c1d-8e65-2f4a9d0c7b18";
    let mut errors =
        failures(&bodies, |body| ReplayWebhook::read(id, body)?.replay(&Tenant::local(), 0));
    let refused = [ReplayError::NoEvent, ReplayError::Disabled, ReplayError::TooMany];
    errors.extend(refused.map(ApiError::from));
    let failed = ApiError::internal("Failed to queue events", &"SQS did not respond");
    errors.push(failed.advise(REPEAT));
    errors
}

/// Returns the errors of an unsupported exchange.
pub(crate) fn exchange() -> Vec<ApiError> {
    vec![not_served("lighter"), not_served("binance")]
}

/// Returns the failures of party 2.
fn cosigner() -> [ProtocolError; 5] {
    [
        CosignerError::Refused(CosignerRefusal::Policy("a rule".to_owned())).into(),
        CosignerError::Refused(CosignerRefusal::Rate {
            reason: "too many messages with this wallet in a minute".to_owned(),
            retry_after_s: 42,
        })
        .into(),
        CosignerError::Refused(CosignerRefusal::Barred).into(),
        CosignerError::Nonsense.into(),
        CosignerError::Unavailable(CallError::Function(String::new())).into(),
    ]
}

pub(crate) fn create() -> Vec<ApiError> {
    let failed = cosigner().map(|error| CreateError::Protocol(error).into());
    let stored = [StoreError::Conflict, StoreError::Busy(String::new())];
    let stored = stored.map(|error| CreateError::Store(error).into());
    let full = CreateError::QuotaReached { quota: 1_000_000 }.into();
    failed.into_iter().chain(stored).chain([full]).collect()
}

pub(crate) fn sign() -> Vec<ApiError> {
    let mut errors: Vec<ApiError> =
        cosigner().map(|error| SignError::Protocol(error).into()).into_iter().collect();
    errors.push(SignError::NotFound.into());
    errors.push(SignError::Store(StoreError::Busy(String::new())).into());
    errors
}

/// Returns the errors of an operation on a credential.
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
            CredentialError::Busy(Busy::TenantLimited { retry_after_s: 10 }),
            CredentialError::Busy(Busy::Down { retry_after_s: 30 }),
            Unclear::NoAnswer(TransportError::TooLarge).into(),
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
