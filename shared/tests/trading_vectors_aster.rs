//! Known-answer tests of Aster's trading calls. The vectors were made with eth-account and agree with
//! ethers, viem, ccxt and Aster's own demo code (see `vectors/README.md`). `alloy` computes each
//! digest a second time from the typed data.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test panics on failure")]

use std::collections::BTreeMap;

use alloy_dyn_abi::TypedData;
use domain::eth::{Address, AgentKey};
use domain::ids::Exchange;
use domain::intent::aster_message_digest;
use serde_json::{Map, Value};
use shared::exchanges::account::MarginMode;
use shared::exchanges::aster::trade::history::Window;
use shared::exchanges::aster::trade::params::{Order, OrderId, Params, message};
use shared::exchanges::aster::trade::sign::sign;
use shared::exchanges::aster::trade::{Call, Method, Reader};
use shared::trading::order::{ChangeFields, OrderFields, OrderRequest};

const SIGNED_CALL: &str = "aster_v3_signed_call";

fn vectors() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/aster_trading.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn signed_calls() -> Vec<Value> {
    vectors().into_iter().filter(|vector| text(vector, "/category") == SIGNED_CALL).collect()
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer}: {value}"))
}

fn number(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("{pointer}: {value}"))
}

fn address(value: &Value, pointer: &str) -> Address {
    text(value, pointer).parse().unwrap()
}

fn key(vector: &Value) -> AgentKey {
    let bytes = hex::decode(text(vector, "/private_key").strip_prefix("0x").unwrap()).unwrap();
    AgentKey::from_bytes(&bytes).unwrap()
}

/// Returns the parameters of a vector in their order.
fn given(vector: &Value) -> Vec<(&'static str, String)> {
    let pairs = vector["inputs"]["params"].as_array().unwrap().iter();
    // The product names its parameters in the source.
    let name = |pair: &Value| -> &'static str { text(pair, "/0").to_owned().leak() };
    pairs.map(|pair| (name(pair), text(pair, "/1").to_owned())).collect()
}

/// Returns what the vector sends: the query of a `GET`, otherwise the body.
fn sent(vector: &Value) -> &str {
    match text(vector, "/request/method") {
        "GET" => text(vector, "/request/query"),
        _ => text(vector, "/request/body_text"),
    }
}

/// Checks a message and its signature against the vector, and the digest against alloy.
fn check_message(vector: &Value, message: &str) {
    let name = text(vector, "/name");
    assert_eq!(message, text(vector, "/typed_data/message/msg"), "{name}");
    let digest = aster_message_digest(number(vector, "/typed_data/domain/chainId"), message);
    assert_eq!(format!("0x{}", hex::encode(digest)), text(vector, "/hashes/digest"), "{name}");
    let typed: TypedData = serde_json::from_value(vector["typed_data"].clone()).unwrap();
    assert_eq!(typed.eip712_signing_hash().unwrap().0, digest, "{name}: alloy");
    let signature = key(vector).sign(&digest).unwrap();
    assert_eq!(signature.to_hex(), text(vector, "/signature/hex"), "{name}");
    assert_eq!(signature.recover(&digest).unwrap(), address(vector, "/address"), "{name}");
}

/// Counts the vectors of each category, so that a vector that no test reads fails here.
#[test]
fn every_category_is_read() {
    let mut counts = BTreeMap::<String, usize>::new();
    for vector in vectors() {
        *counts.entry(text(&vector, "/category").to_owned()).or_default() += 1;
    }
    // The agent signs the calls. The wallet signs the other three categories; the service has no
    // such calls, and the simulator checks them.
    let expected = [
        (SIGNED_CALL, 39),
        ("aster_deposit_tx", 4),
        ("aster_v3_manage_builder", 8),
        ("aster_withdraw", 4),
    ];
    let expected = expected.map(|(category, count)| (category.to_owned(), count));
    assert_eq!(counts, BTreeMap::from(expected));
}

/// Reproduces the whole text of each call that has its parameters in the product's order.
#[test]
fn signed_calls_are_reproduced() {
    let mut met = BTreeMap::<String, usize>::new();
    for vector in signed_calls() {
        let order = text(&vector, "/inputs/parameter_order");
        *met.entry(order.to_owned()).or_default() += 1;
        let signed = text(&vector, "/typed_data/message/msg");
        check_message(&vector, signed);
        if order != "auth_first" {
            // The same rules in another order: the text is the vector's own.
            let whole = format!("{signed}&signature={}", text(&vector, "/signature/hex"));
            assert_eq!(sent(&vector), whole);
            continue;
        }
        let (key, user) = (key(&vector), address(&vector, "/inputs/user"));
        let nonce_us = number(&vector, "/inputs/nonce");
        let params = Params::new(given(&vector));
        let message = message(&params, nonce_us, user, address(&vector, "/inputs/signer"));
        check_message(&vector, &message);
        let chain_id = number(&vector, "/typed_data/domain/chainId");
        let agent = Reader { user, key: &key };
        assert_eq!(sign(chain_id, &params, nonce_us, agent).unwrap(), sent(&vector));
    }
    let expected = [("aster_code_py", 1), ("auth_first", 35), ("auth_last", 2), ("no_user", 1)];
    let expected = expected.map(|(order, count)| (order.to_owned(), count));
    assert_eq!(met, BTreeMap::from(expected));
}

/// Calls that the product cannot express: without an id of the order, without the result of a market
/// order, or with a path or a field that it does not have.
const NOT_EXPRESSIBLE: [&str; 14] = [
    "aster-order-market-reduce-only",
    "aster-order-limit-ioc-testnet",
    "aster-order-stop-market-close-position",
    "aster-order-stop-limit",
    "aster-order-take-profit-limit-hedge",
    "aster-order-trailing-stop",
    "aster-order-with-builder",
    "aster-order-pegged-stp",
    "aster-order-non-ascii-symbol",
    "aster-guarded-cancel",
    "aster-countdown-cancel-all",
    "aster-position-mode",
    "aster-transfer-futures-to-spot",
    "aster-spot-order-market-quote",
];

/// Returns the caller's request for an order with these parameters.
fn request(fields: &BTreeMap<String, String>) -> OrderRequest {
    let field = |name: &str| fields.get(name).map(String::as_str);
    let time_in_force = field("timeInForce").map(|word| match word {
        "GTX" => "POST_ONLY",
        word => word,
    });
    let fields = OrderFields {
        symbol: field("symbol"),
        side: field("side"),
        order_type: field("type"),
        quantity: field("quantity"),
        price: field("price"),
        time_in_force,
        reduce_only: field("reduceOnly") == Some("true"),
        ..OrderFields::default()
    };
    fields.check(Exchange::Aster).unwrap()
}

fn orders_of_batch(json: &str) -> Vec<BTreeMap<String, String>> {
    let orders: Vec<Map<String, Value>> = serde_json::from_str(json).unwrap();
    let text = |(name, value): (String, Value)| (name, value.as_str().unwrap().to_owned());
    orders.into_iter().map(|order| order.into_iter().map(text).collect()).collect()
}

fn order_id(fields: &BTreeMap<String, String>) -> OrderId<'_> {
    match fields.get("orderId") {
        Some(id) => OrderId::Exchange(id.parse().unwrap()),
        None => OrderId::Client(&fields["origClientOrderId"]),
    }
}

/// Builds the parameters of a call from its typed values.
fn built(call: Call, fields: &BTreeMap<String, String>) -> Params {
    let symbol = fields.get("symbol").map(String::as_str).unwrap_or_default();
    match call {
        Call::Order => {
            let (client_id, request) = (&fields["newClientOrderId"], request(fields));
            Params::placing(Order { symbol, client_id, request: &request, builder: None })
        }
        Call::BatchOrders => {
            let orders = orders_of_batch(&fields["batchOrders"]);
            let requests: Vec<_> = orders.iter().map(request).collect();
            let orders = orders.iter().zip(&requests).map(|(fields, request)| Order {
                symbol: &fields["symbol"],
                client_id: &fields["newClientOrderId"],
                request,
                builder: None,
            });
            Params::placing_batch(&orders.collect::<Vec<_>>())
        }
        Call::Modify => {
            let (price, quantity) = (&fields["price"], &fields["quantity"]);
            let change = ChangeFields { price: Some(price), quantity: Some(quantity) };
            Params::modifying(symbol, order_id(fields), &change.check().unwrap())
        }
        Call::CancelBatch => match fields.get("orderIdList") {
            Some(ids) => {
                let ids: Vec<u64> = serde_json::from_str(ids).unwrap();
                Params::cancelling_ids(symbol, &ids)
            }
            None => {
                let ids: Vec<&str> =
                    serde_json::from_str(&fields["origClientOrderIdList"]).unwrap();
                Params::cancelling_client_ids(symbol, &ids)
            }
        },
        Call::Cancel | Call::GetOrder => Params::of_order(symbol, order_id(fields)),
        Call::Positions if symbol.is_empty() => Params::none(),
        Call::CancelAll | Call::OpenOrders | Call::Positions => Params::of_symbol(symbol),
        Call::Noop | Call::AllOpenOrders | Call::Balance | Call::Account => Params::none(),
        Call::Trades => {
            let (from_ms, to_ms) = (&fields["startTime"], &fields["endTime"]);
            let window =
                Window { from_ms: from_ms.parse().unwrap(), to_ms: to_ms.parse().unwrap() };
            window.params(symbol)
        }
        Call::Leverage => Params::leverage(symbol, fields["leverage"].parse().unwrap()),
        Call::MarginType => Params::margin_type(
            symbol,
            match fields["marginType"].as_str() {
                "ISOLATED" => MarginMode::Isolated,
                _ => MarginMode::Cross,
            },
        ),
        other => panic!("{other:?}"),
    }
}

/// Builds every call that the product can express from typed values, and compares what is signed.
#[test]
fn typed_calls_have_the_vectors_parameters() {
    let mut met = Vec::new();
    for vector in signed_calls() {
        let name = text(&vector, "/name");
        let is_first = text(&vector, "/inputs/parameter_order") == "auth_first";
        if !is_first || NOT_EXPRESSIBLE.contains(&name) {
            continue;
        }
        let method = match text(&vector, "/inputs/method") {
            "GET" => Method::Get,
            "POST" => Method::Post,
            "PUT" => Method::Put,
            _ => Method::Delete,
        };
        let call = Call::of(method, text(&vector, "/inputs/path"));
        let call = call.unwrap_or_else(|| panic!("{name}: not a call of the product"));
        let given = given(&vector);
        let fields = given.iter().map(|(name, text)| ((*name).to_owned(), text.clone())).collect();
        assert_eq!(built(call, &fields), Params::new(given), "{name}");
        met.push(call);
    }
    assert_eq!(met.len(), 21);
    for call in [
        Call::Order,
        Call::BatchOrders,
        Call::Modify,
        Call::Cancel,
        Call::CancelBatch,
        Call::CancelAll,
        Call::Noop,
        Call::GetOrder,
        Call::Positions,
        Call::Balance,
        Call::Trades,
        Call::Leverage,
        Call::MarginType,
    ] {
        assert!(met.contains(&call), "no vector for {call:?}");
    }
}

#[test]
fn list_of_calls_that_are_not_expressible_is_exact() {
    let names: Vec<_> =
        signed_calls().iter().map(|vector| text(vector, "/name").to_owned()).collect();
    for name in NOT_EXPRESSIBLE {
        assert!(names.iter().any(|known| known == name), "{name} is not a vector");
    }
}

/// Values that need encoding: a name in Chinese, JSON, and ids with `:` and `/`.
#[test]
fn values_that_need_encoding_occur() {
    let encoded = signed_calls().into_iter().filter(|vector| {
        let is_first = text(vector, "/inputs/parameter_order") == "auth_first";
        is_first && sent(vector).contains('%')
    });
    let names: Vec<_> = encoded.map(|vector| text(&vector, "/name").to_owned()).collect();
    for name in [
        "aster-order-client-id-needs-encoding",
        "aster-order-non-ascii-symbol",
        "aster-batch-orders",
        "aster-cancel-batch-client-ids",
    ] {
        assert!(names.iter().any(|known| known == name), "{name}");
    }
}
