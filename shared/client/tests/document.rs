//! Tests of the client against the OpenAPI document. Each operation has a method whose requests
//! match the document; each response of the document parses without loss.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test panics on failure")]

mod orders;
mod requests;
mod schema;
mod support;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use hyperdex_client::{
    Answer, Client, Code, DeleteApiKey, Elsewhere, Error, ErrorKind, EventType, Exchange,
    NewTenantKey, NewWebhook, PolicyApproval, RegisterApiKey, Replay, Retry, Scope, Secret,
    SignedTerms, TradingLimits, WebhookChange,
};
use orders::{cancelled, listed, modified, placed, read};
use requests::wrong;
use schema::Document;
use serde::Serialize;
use serde_json::{Value, json};
use support::{Server, Step};
use uuid::Uuid;

const USER: &str = "user_123";
const CURSOR: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_12";

/// Returns the fields of a response.
fn plain<T: Serialize>(answer: Answer<T>) -> Value {
    let mut body = serde_json::to_value(answer.into_value()).unwrap();
    body["success"] = true.into();
    body
}

/// Returns the fields of a response with the value in `data`.
fn data<T: Serialize>(answer: Answer<T>) -> Value {
    let mut body = json!({ "success": true, "timestamp": answer.timestamp.unwrap() });
    body["data"] = serde_json::to_value(&answer.value).unwrap();
    if let Some(note) = answer.note {
        body["message"] = note.into();
    }
    body
}

async fn guided(client: &Client, asked: Elsewhere) -> Vec<Result<Value, Error>> {
    guided_about(client, "elsewhere", asked).await
}

async fn guided_about(
    client: &Client,
    exchange: &str,
    asked: Elsewhere,
) -> Vec<Result<Value, Error>> {
    let guidance = client.guidance(exchange, asked).await;
    vec![guidance.map(|told| json!({ "error": told.error, "message": told.message }))]
}

/// Returns the terms of a change with a signature.
fn signed() -> SignedTerms {
    let signature = json!({ "der": "3006020101020101" });
    SignedTerms {
        sequence: 8,
        previous_hash: "0".repeat(64),
        not_after: 1_790_000_000,
        approvals: vec![PolicyApproval { approver: "alice".to_owned(), signature }],
    }
}

/// Performs an operation in every way; `None` when the client has no method for it.
async fn perform(client: &Client, operation: &str) -> Option<Vec<Result<Value, Error>>> {
    let (aster, hyperliquid) = (Exchange::Aster, Exchange::Hyperliquid);
    let kept = RegisterApiKey::new(USER).auto_renew(false);
    let removed = DeleteApiKey::new(USER).removed_on_exchange();
    Some(match operation {
        "getHealth" => vec![client.health().await.map(plain)],
        "getOpenApi" => vec![client.openapi().await.map(Answer::into_value)],
        "createWallet" => vec![client.create_wallet(USER).await.map(plain)],
        "getWallet" => vec![client.wallet(USER).await.map(plain)],
        "listWallets" => vec![
            client.list_wallets(None, None).await.map(plain),
            client.list_wallets(Some(100), Some(CURSOR)).await.map(plain),
        ],
        "signMessage" => vec![client.sign(USER, "Hello").await.map(plain)],
        "registerAster" => vec![
            client.register_aster(USER).await.map(data),
            client.register_aster(kept).await.map(data),
        ],
        "registerHyperliquid" => vec![
            client.register_hyperliquid(USER).await.map(data),
            client.register_hyperliquid(kept).await.map(data),
        ],
        "getAsterApiKey" => vec![client.api_key(&aster, USER).await.map(data)],
        "getHyperliquidApiKey" => vec![client.api_key(&hyperliquid, USER).await.map(data)],
        "rotateAsterApiKey" => vec![client.rotate_aster(USER).await.map(data)],
        "rotateHyperliquidApiKey" => vec![client.rotate_hyperliquid(USER).await.map(data)],
        "deleteAsterApiKey" => vec![
            client.delete_api_key(&aster, USER).await.map(data),
            client.delete_api_key(&aster, removed).await.map(data),
        ],
        "deleteHyperliquidApiKey" => vec![
            client.delete_api_key(&hyperliquid, USER).await.map(data),
            client.delete_api_key(&hyperliquid, removed).await.map(data),
        ],
        "listAsterAgents" => vec![client.agents(&aster, USER).await.map(data)],
        "listHyperliquidAgents" => vec![client.agents(&hyperliquid, USER).await.map(data)],
        "deleteAsterAgent" => vec![client.delete_agent(&aster, USER, "hdx1").await.map(data)],
        "deleteHyperliquidAgent" => {
            vec![client.delete_agent(&hyperliquid, USER, "hdx1").await.map(data)]
        }
        "placeAsterOrder" => placed(client, &aster).await,
        "placeHyperliquidOrder" => placed(client, &hyperliquid).await,
        "modifyAsterOrder" => modified(client, &aster).await,
        "modifyHyperliquidOrder" => modified(client, &hyperliquid).await,
        "cancelAsterOrder" => cancelled(client, &aster).await,
        "cancelHyperliquidOrder" => cancelled(client, &hyperliquid).await,
        "cancelAsterOrders" => vec![client.cancel_orders(&aster, USER, "BTC").await.map(data)],
        "cancelHyperliquidOrders" => {
            vec![client.cancel_orders(&hyperliquid, USER, "BTC").await.map(data)]
        }
        "listAsterOrders" => listed(client, &aster).await,
        "listHyperliquidOrders" => listed(client, &hyperliquid).await,
        "getAsterOrder" => read(client, &aster).await,
        "getHyperliquidOrder" => read(client, &hyperliquid).await,
        "getTradingPolicy" => vec![
            client.trading_policy(None).await.map(data),
            client.trading_policy(Some(USER)).await.map(data),
        ],
        "setTradingPolicy" => {
            let none = TradingLimits::default();
            let all = TradingLimits {
                symbols: Some(vec!["BTC".to_owned()]),
                max_order_notional: Some("1000.5".to_owned()),
                max_position_notional: Some("5000".to_owned()),
                max_leverage: Some(10),
                orders_per_minute: Some(0),
                reduce_only: Some(true),
                max_slippage: Some("0.01".to_owned()),
                builders: Some(vec!["0x8c967E73E7B15087c42A10D344cFf4c96D877f1D".to_owned()]),
                max_builder_fee: Some(50),
            };
            vec![
                client.set_trading_policy(None, &none).await.map(data),
                client.set_trading_policy(Some(USER), &all).await.map(data),
            ]
        }
        "getPaymentPolicy" => vec![client.payment_policy(None).await.map(data)],
        "proposePolicyChange" => {
            let (change, signed) = (json!({ "type": "freeze" }), signed());
            vec![
                client.propose_policy_change(&change, None).await.map(data),
                client.propose_policy_change(&change, Some(&signed)).await.map(data),
            ]
        }
        "approvePolicyChange" => {
            let approval = &signed().approvals[0];
            vec![client.approve_policy_change(7, approval).await.map(data)]
        }
        "cancelPolicyChange" => vec![
            client.cancel_policy_change(7, None).await.map(data),
            client.cancel_policy_change(7, Some(&signed())).await.map(data),
        ],
        "placeElsewhereOrder" => guided(client, Elsewhere::PlaceOrder).await,
        "modifyElsewhereOrder" => guided(client, Elsewhere::ModifyOrder).await,
        "cancelElsewhereOrder" => guided(client, Elsewhere::CancelOrder).await,
        "cancelElsewhereOrders" => guided(client, Elsewhere::CancelOrders).await,
        "listElsewhereOrders" => guided(client, Elsewhere::ListOrders).await,
        "getElsewhereOrder" => guided(client, Elsewhere::GetOrder).await,
        "listElsewhereAgents" => guided(client, Elsewhere::ListAgents).await,
        "deleteElsewhereAgent" => guided(client, Elsewhere::DeleteAgent).await,
        "getElsewhereApiKey" => guided(client, Elsewhere::Describe).await,
        "registerElsewhere" => guided(client, Elsewhere::Register).await,
        "deleteElsewhereApiKey" => guided(client, Elsewhere::Delete).await,
        "rotateElsewhereApiKey" => guided(client, Elsewhere::Rotate).await,
        "createWebhook" => {
            let all = NewWebhook::new("https://hooks.example.com/hyperdex");
            let events = vec![EventType::WalletCreated, EventType::CredentialDrift];
            let description = Some("the back office".to_owned());
            let some = NewWebhook { events: Some(events), description, ..all.clone() };
            vec![
                client.create_webhook(&all).await.map(plain),
                client.create_webhook(&some).await.map(plain),
            ]
        }
        "updateWebhook" => {
            let url = WebhookChange {
                url: Some("https://hooks.example.com/hyperdex".to_owned()),
                ..WebhookChange::default()
            };
            let rest = WebhookChange {
                events: Some(vec![EventType::OrderPlaced]),
                description: Some(String::new()),
                enabled: Some(true),
                ..WebhookChange::default()
            };
            vec![
                client.update_webhook(Uuid::from_u128(1), &url).await.map(plain),
                client.update_webhook(Uuid::from_u128(1), &rest).await.map(plain),
            ]
        }
        "testWebhook" => vec![client.test_webhook(Uuid::from_u128(1)).await.map(plain)],
        "listDeliveries" => {
            let event = format!("evt_{}", "0".repeat(36));
            vec![
                client.list_deliveries(Uuid::from_u128(1), None).await.map(plain),
                client.list_deliveries(Uuid::from_u128(1), Some(&event)).await.map(plain),
            ]
        }
        "listWebhooks" => vec![client.list_webhooks().await.map(plain)],
        "deleteWebhook" => vec![client.delete_webhook(Uuid::from_u128(1)).await.map(plain)],
        "replayWebhook" => {
            let (id, time) = (Uuid::from_u128(1), "2025-11-27T02:00:00Z");
            let one = Replay::event(format!("evt_{}", "0".repeat(36)));
            let some = Replay::between(time, Some(time.to_owned())).after("cursor");
            vec![
                client.replay_webhook(id, &Replay::default()).await.map(plain),
                client.replay_webhook(id, &one).await.map(plain),
                client.replay_webhook(id, &some).await.map(plain),
            ]
        }
        "listTenantKeys" => vec![client.list_tenant_keys().await.map(plain)],
        "createTenantKey" => {
            let usual = NewTenantKey::new("production");
            let some = NewTenantKey {
                scopes: Some(vec![Scope::Read, Scope::Sign]),
                expires_at: Some("2027-01-31T00:00:00Z".to_owned()),
                networks: Some(vec!["203.0.113.0/24".to_owned()]),
                ..usual.clone()
            };
            vec![
                client.create_tenant_key(&usual).await.map(plain),
                client.create_tenant_key(&some).await.map(plain),
            ]
        }
        "rotateTenantKey" => vec![
            client.rotate_tenant_key("a1b2c3d4e5", None).await.map(plain),
            client.rotate_tenant_key("a1b2c3d4e5", Some(0)).await.map(plain),
        ],
        "revokeTenantKey" => vec![
            client.revoke_tenant_key("a1b2c3d4e5", false).await.map(plain),
            client.revoke_tenant_key("a1b2c3d4e5", true).await.map(plain),
        ],
        other => {
            if let Some(ways) = orders::lighter::perform(client, other).await {
                return Some(ways);
            }
            if let Some(ways) = orders::payments::perform(client, other).await {
                return Some(ways);
            }
            return orders::accounts::perform(client, other).await;
        }
    })
}

/// Starts a server that returns the stored response.
async fn server(answer: &Arc<Mutex<(u16, Value)>>) -> (Server, Client) {
    let answer = answer.clone();
    let server = Server::start(move |_, _| {
        let (status, body) = answer.lock().unwrap().clone();
        Step::Answer(status, vec![("x-request-id", "r-1".to_owned())], body.to_string())
    })
    .await;
    let builder = Client::builder(&server.url, &Secret::new("hdx_key")).unwrap();
    let client = builder.retry(Retry::never()).build().unwrap();
    (server, client)
}

#[tokio::test]
async fn every_operation_has_a_method_matching_the_document() {
    let document = Document::read();
    let answer = Arc::new(Mutex::new((200, json!({}))));
    let (server, client) = server(&answer).await;
    let (mut missing, mut faults) = (Vec::new(), Vec::new());
    for operation in document.operations() {
        let ways = perform(&client, operation.id).await.map(|ways| ways.len());
        let Some(ways) = ways else {
            missing.push(format!("{} ({} {})", operation.id, operation.method, operation.path));
            continue;
        };
        let seen = server.take();
        assert_eq!(seen.len(), ways, "{}: each way sends one request", operation.id);
        faults.extend(seen.iter().flat_map(|seen| wrong(&document, &operation, seen)));
    }
    assert!(missing.is_empty(), "the client has no method for: {missing:#?}");
    assert!(faults.is_empty(), "{faults:#?}");
}

#[tokio::test]
async fn success_responses_parse_without_loss() {
    let document = Document::read();
    let answer = Arc::new(Mutex::new((200, json!({}))));
    let (_server, client) = server(&answer).await;
    let mut read = 0;
    for operation in document.operations() {
        for (status, schema) in operation.answers(|status| status < 400) {
            for sample in document.samples(schema) {
                *answer.lock().unwrap() = (status, sample.clone());
                for told in perform(&client, operation.id).await.unwrap_or_default() {
                    let told = told.map_err(|error| format!("{error}: {sample}"));
                    assert_eq!(told, Ok(sample.clone()), "{} {status}", operation.id);
                    read += 1;
                }
            }
        }
    }
    assert!(read > 60, "{read} responses were parsed");
}

#[tokio::test]
async fn error_responses_parse_to_known_codes() {
    let document = Document::read();
    let answer = Arc::new(Mutex::new((200, json!({}))));
    let (_server, client) = server(&answer).await;
    let mut read = 0;
    for operation in document.operations() {
        for (status, example) in document.errors(&operation) {
            *answer.lock().unwrap() = (status, example.clone());
            for told in perform(&client, operation.id).await.unwrap_or_default() {
                read += 1;
                let error = match told {
                    Ok(guidance) => {
                        assert_eq!(guidance["error"], example["error"]);
                        assert_eq!(guidance["message"], example["message"]);
                        continue;
                    }
                    Err(error) => error,
                };
                let ErrorKind::Refused(refusal) = error.kind() else { panic!("{error}") };
                let mut body = json!({
                    "success": false,
                    "error": refusal.error,
                    "code": refusal.code.as_str(),
                    "timestamp": refusal.timestamp,
                });
                if let Some(message) = &refusal.message {
                    body["message"] = json!(message);
                }
                let texts = [
                    ("advice", &refusal.advice),
                    ("clientOrderId", &refusal.client_order_id),
                    ("reason", &refusal.reason),
                    ("limit", &refusal.limit),
                    ("exchangeMessage", &refusal.exchange_message),
                ];
                for (name, text) in texts {
                    if let Some(text) = text {
                        body[name] = json!(text);
                    }
                }
                if let Some(data) = &refusal.data {
                    body["data"] = data.clone();
                }
                if let Some(wait) = error.retry_after() {
                    body["retryAfterSeconds"] = json!(wait.as_secs());
                }
                assert_eq!((refusal.status, body), (status, example.clone()), "{}", operation.id);
                assert_eq!(error.request_id(), Some("r-1"));
            }
        }
    }
    assert!(read > 500, "{read} errors were parsed");
}

#[test]
fn codes_of_the_document_have_variants() {
    let stated = Document::read().codes();
    assert!(stated.len() > 30, "{stated:?}");
    let named: BTreeSet<String> = Code::KNOWN.iter().map(Code::to_string).collect();
    let missing: Vec<_> = stated.difference(&named).collect();
    assert!(missing.is_empty(), "no variant for {missing:?}");
    for code in Code::KNOWN {
        assert_eq!(Code::from(code.as_str()), *code);
    }
    assert_eq!(Code::from("TEAPOT"), Code::Other("TEAPOT".to_owned()));
}
