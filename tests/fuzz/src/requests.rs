//! Target for client requests: bodies, identifiers, cursors, queries, headers and messages.

use domain::ids::{Exchange, Tenant, UserId, WalletRef};
use domain::intent::{MAX_MESSAGE_BYTES, PersonalMessage};
use http::{HeaderMap, HeaderValue, Uri};
use platform::items::SHARDS;
use serde_json::{Map, Value};
use shared::api::body::{JsonBody, field_names};
use shared::api::cursor::{MAX_LIMIT, from_cursor, page_in_query, to_cursor};
use shared::api::error::ApiError;
use shared::api::idempotency::key_of;
use shared::api::requests::{
    ApprovePolicyChange, CancelPolicyChange, CreateTenantKey, CreateWallet, CreateWebhook,
    DeleteApiKey, ModifyOrder, PayRequest, PlaceOrder, PlaceOrderRequest, PlaceOrders,
    ProposePolicyChange, RegisterApiKey, ReplayWebhook, RevokeTenantKey, RotateApiKey,
    RotateTenantKey, SendTokens, SetTradingPolicy, SignMessage, TransferAtHyperliquid,
    WithdrawFromAster, WithdrawFromHyperliquid, order_name,
};
use shared::api::wallet_names::WalletNames;
use shared::store::Position;
use shared::webhooks::Targets;
use uuid::Uuid;

use crate::SECRET;

/// Parses the bytes as each part of a request.
pub fn run(data: &[u8]) {
    body(data);
    nested(data);
    header(data);
    position(data);
    if let Ok(text) = std::str::from_utf8(data) {
        identifier(text);
        cursor(text);
        query(text);
        message(text);
    }
}

/// Checks that a refusal follows the contract and quotes nothing.
fn refusal(error: &ApiError, statuses: &[u16]) {
    assert!(statuses.contains(&error.status), "{error:?}");
    let body = error.body(0);
    assert!(body.is_ascii() && body.len() < 400 && !body.contains(SECRET), "{body}");
}

/// Checks a refusal that may show the name of an unknown field in an object of the request.
fn naming_refusal(error: &ApiError, statuses: &[u16]) {
    assert!(statuses.contains(&error.status), "{error:?}");
    let body = error.body(0);
    assert!(body.len() < 800 && !body.contains(SECRET), "{body}");
}

/// Parses each request type from its own fields. Any other field would be the only error.
fn requests(fields: &Map<String, Value>) {
    const ID: &str = "29dd4dc0-1ff9-4df6-a19f-936f997cbc5a";
    let uri = Uri::default();
    request(fields, &field_names::<CreateWallet>(), CreateWallet::read);
    request(fields, &field_names::<SignMessage>(), |body| SignMessage::read("user_1", &uri, body));
    request(fields, &field_names::<RegisterApiKey>(), |body| RegisterApiKey::read(&uri, body));
    request(fields, &field_names::<RotateApiKey>(), |body| RotateApiKey::read(&uri, body));
    request(fields, &field_names::<DeleteApiKey>(), |body| DeleteApiKey::read(&uri, body));
    request(fields, &field_names::<CreateWebhook>(), |body| {
        CreateWebhook::read(body, Targets::Public)
    });
    request(fields, &field_names::<CreateTenantKey>(), |body| {
        CreateTenantKey::read(body, 1_762_765_034_479)
    });
    let key = "a1b2c3d4e5";
    request(fields, &field_names::<RotateTenantKey>(), |body| RotateTenantKey::read(key, body));
    request(fields, &field_names::<RevokeTenantKey>(), |body| RevokeTenantKey::read(key, body));
    request(fields, &field_names::<ReplayWebhook>(), |body| {
        ReplayWebhook::read(ID, body)?.replay(&tenants()[0], 1_762_765_034_479)
    });
}

/// Parses requests for orders and policies from their own fields. An order may ask for what the
/// exchange does not offer.
fn trading(fields: &Map<String, Value>) {
    let (headers, uri) = (HeaderMap::new(), Uri::default());
    for exchange in Exchange::ALL {
        for names in [field_names::<PlaceOrder>(), field_names::<PlaceOrders>()] {
            let check = |error: &ApiError| naming_refusal(error, &[400, 422]);
            parsed(fields, &names, check, |body| {
                let read = PlaceOrderRequest::read(exchange, &headers, &uri, body)?;
                assert!((1..=20).contains(&read.orders.len()));
                assert!(read.is_batch || read.orders.len() == 1);
                Ok(read)
            });
        }
    }
    request(fields, &field_names::<ModifyOrder>(), |body| ModifyOrder::read(&headers, &uri, body));
    request(fields, &field_names::<SetTradingPolicy>(), |body| {
        SetTradingPolicy::read(&headers, &uri, body)
    });
    request(fields, &field_names::<WithdrawFromAster>(), |body| {
        PayRequest::withdraw_aster((&headers, &uri, body), None)
    });
    request(fields, &field_names::<WithdrawFromHyperliquid>(), |body| {
        PayRequest::withdraw_hyperliquid((&headers, &uri, body), None, 42_161)
    });
    request(fields, &field_names::<TransferAtHyperliquid>(), |body| {
        PayRequest::transfer_hyperliquid((&headers, &uri, body), None)
    });
    request(fields, &field_names::<SendTokens>(), |body| {
        PayRequest::send_tokens("user_123", (&headers, &uri, body), None)
    });
    request(fields, &field_names::<ProposePolicyChange>(), |body| {
        ProposePolicyChange::read(body)?.proposal()
    });
    request(fields, &field_names::<ApprovePolicyChange>(), |body| {
        ApprovePolicyChange::read("7", body)
    });
    request(fields, &field_names::<CancelPolicyChange>(), |body| {
        CancelPolicyChange::read("7", body)?.proposal()
    });
}

fn request<T>(
    fields: &Map<String, Value>,
    names: &[String],
    read: impl Fn(&JsonBody) -> Result<T, ApiError>,
) {
    parsed(fields, names, |error| refusal(error, &[400]), read);
}

fn parsed<T>(
    fields: &Map<String, Value>,
    names: &[String],
    check: impl Fn(&ApiError),
    read: impl Fn(&JsonBody) -> Result<T, ApiError>,
) {
    let own = fields.iter().filter(|(name, _)| names.contains(name));
    let own: Map<String, Value> = own.map(|(name, value)| (name.clone(), value.clone())).collect();
    let text = Value::Object(own).to_string();
    let body = JsonBody::parse(&HeaderMap::new(), text.as_bytes()).expect("a JSON object");
    if let Err(error) = read(&body) {
        check(&error);
    }
}

#[expect(clippy::panic, reason = "a violated property panics")]
fn body(data: &[u8]) {
    match JsonBody::parse(&HeaderMap::new(), data) {
        Ok(_) if data.is_empty() => {
            requests(&Map::new());
            trading(&Map::new());
        }
        Ok(_) => match serde_json::from_slice::<Value>(data) {
            Ok(Value::Object(fields)) => {
                requests(&fields);
                trading(&fields);
            }
            other => panic!("read as an object: {other:?}"),
        },
        Err(error) => refusal(&error, &[400]),
    }
}

/// Places a secret before the bytes and another field after them. No refusal may quote the secret.
fn nested(data: &[u8]) {
    for field in
        ["userId", "walletIdOrAddress", "message", "autoRenew", "url", "description", "cursor"]
    {
        let before = format!("{{\"{field}\":\"{SECRET}");
        let whole = [before.as_bytes(), data, b"\"}"].concat();
        body(&whole);
    }
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(data) {
        headers.insert(http::header::CONTENT_TYPE, value);
        if let Err(error) = JsonBody::parse(&headers, b"{}") {
            refusal(&error, &[415]);
        }
    }
}

fn header(data: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(data) else { return };
    let mut headers = HeaderMap::new();
    headers.insert("idempotency-key", value);
    match key_of(&headers) {
        Ok(key) => {
            let key = key.expect("a valid name");
            assert!(key.as_bytes() == data && (1..=255).contains(&key.len()));
            assert!(key.bytes().all(|byte| byte.is_ascii_graphic()));
        }
        Err(error) => refusal(&error, &[400]),
    }
}

/// Checks that a text is at most one identifier, and that its canonical form parses as the same
/// one.
fn identifier(text: &str) {
    let is_key_safe = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    if let Ok(tenant) = text.parse::<Tenant>() {
        assert!(tenant.as_str() == text && is_key_safe(text) && text.len() <= 64);
    }
    let read = text.parse::<WalletRef>();
    match &read {
        Ok(WalletRef::Address(address)) => {
            let canonical = address.to_string();
            assert!(canonical.eq_ignore_ascii_case(text));
            assert_eq!(canonical.parse::<WalletRef>().ok(), read.clone().ok());
            assert_eq!(address.to_lower_hex().parse::<WalletRef>().ok(), read.clone().ok());
        }
        Ok(WalletRef::Wallet(id)) => {
            assert!(id.to_string().eq_ignore_ascii_case(text));
            assert_eq!(id.to_string().parse::<WalletRef>().ok(), read.clone().ok());
        }
        Ok(WalletRef::User(user)) => {
            assert!(user.as_str() == text && is_key_safe(text) && (1..=128).contains(&text.len()));
        }
        Err(error) => assert!(error.to_string().is_ascii() && error.to_string().len() < 100),
    }
    if let Err(error) = order_name(text) {
        refusal(&error, &[400]);
    }
    // A wallet can only be created with a findable user id. URL libraries remove dot segments.
    let is_user = matches!(read, Ok(WalletRef::User(_))) && !matches!(text, "." | "..");
    assert_eq!(UserId::for_creation(text).is_ok(), is_user);
}

fn tenants() -> [Tenant; 2] {
    ["one", "two"].map(|name| name.parse().expect("a tenant"))
}

fn cursor(text: &str) {
    let [one, two] = tenants();
    if let Some(position) = from_cursor(&one, text) {
        assert_eq!(to_cursor(&one, position), text);
        assert!(from_cursor(&two, text).is_none() && position.shard < SHARDS);
    }
}

/// Checks that every position has one cursor for each tenant.
fn position(data: &[u8]) {
    let Some((bytes, _)) = data.split_first_chunk::<25>() else { return };
    let (shard, rest) = (bytes[0], &bytes[1..]);
    let (after_ms, after) = rest.split_at(8);
    let position = Position {
        shard,
        after_ms: u64::from_be_bytes(after_ms.try_into().expect("8 bytes")),
        after: Uuid::from_slice(after).expect("16 bytes"),
    };
    let [one, two] = tenants();
    let cursor = to_cursor(&one, position);
    assert_eq!(from_cursor(&one, &cursor), (shard < SHARDS).then_some(position));
    assert!(from_cursor(&two, &cursor).is_none());
}

fn query(text: &str) {
    let Ok(uri) = format!("/api/wallets?{text}").parse::<Uri>() else { return };
    let [one, _] = tenants();
    match page_in_query(&one, &uri) {
        Ok((position, limit)) => {
            assert!((1..=MAX_LIMIT).contains(&limit) && position.shard < SHARDS);
        }
        Err(error) => refusal(&error, &[400]),
    }
    if let Err(error) = WalletNames::in_query(&uri) {
        refusal(&error, &[400]);
    }
}

fn message(text: &str) {
    if let Ok(message) = PersonalMessage::parse(text) {
        assert!(message.as_str() == text && (1..=MAX_MESSAGE_BYTES).contains(&text.len()));
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        assert!(!words.starts_with("you are signing into"), "{text:?}");
        assert!(!words.starts_with("register lighter account"), "{text:?}");
        let lighter = "only sign this message for a trusted client!";
        assert!(!words.contains(lighter), "{text:?}");
    }
}
