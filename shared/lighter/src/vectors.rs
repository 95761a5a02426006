//! Known answers of Lighter's own signer: `shared/tests/vectors/lighter_trading.json`.

use serde_json::Value;

use crate::field::Gl;
use crate::key::SecretKey;
use crate::order::{Grouping, Order, OrderGroup, OrderType, TimeInForce};
use crate::scalar::Scalar;
use crate::signature::{Hash, Signature};
use crate::token;
use crate::transaction::{Action, Attributes, CancelAll, MarginMode, Modify, Transaction, finish};

const VECTORS: &str = include_str!("../../tests/vectors/lighter_trading.json");

fn vectors() -> Vec<Value> {
    serde_json::from_str(VECTORS).unwrap()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} is a text"))
}

fn bytes<const N: usize>(hex_text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    hex::decode_to_slice(hex_text.trim_start_matches("0x"), &mut bytes).unwrap();
    bytes
}

fn number(fields: &Value, name: &str) -> u64 {
    fields[name].as_u64().unwrap_or_else(|| panic!("{name} is a number"))
}

fn small<T: TryFrom<u64, Error: std::fmt::Debug>>(fields: &Value, name: &str) -> T {
    T::try_from(number(fields, name)).unwrap()
}

/// Returns the key as Lighter's own signer reads it. One vector's key is not below the order.
fn key(vector: &Value) -> SecretKey {
    let text = text(vector, "private_key");
    if vector["name"] == "lt-key-not-canonical" {
        assert!(SecretKey::parse(text).is_err());
    }
    SecretKey::parse(text).unwrap_or_else(|_| SecretKey::new(Scalar::reduce(&bytes(text))))
}

fn order(fields: &Value) -> Order {
    use OrderType::{Limit, Market, StopLoss, StopLossLimit, TakeProfit, TakeProfitLimit, Twap};
    let types = [Limit, Market, StopLoss, StopLossLimit, TakeProfit, TakeProfitLimit, Twap];
    let times = [TimeInForce::ImmediateOrCancel, TimeInForce::GoodTillTime, TimeInForce::PostOnly];
    Order {
        market_index: small(fields, "MarketIndex"),
        client_order_index: number(fields, "ClientOrderIndex"),
        base_amount: number(fields, "BaseAmount"),
        price: small(fields, "Price"),
        is_ask: number(fields, "IsAsk") == 1,
        order_type: types[small::<usize>(fields, "Type")],
        time_in_force: times[small::<usize>(fields, "TimeInForce")],
        reduce_only: number(fields, "ReduceOnly") == 1,
        trigger_price: small(fields, "TriggerPrice"),
        expiry_ms: number(fields, "OrderExpiry"),
    }
}

/// Returns what a vector does. `None` for a type that this crate does not sign.
fn action(inputs: &Value) -> Option<Action> {
    let fields = &inputs["fields"];
    let market = || small(fields, "MarketIndex");
    Some(match inputs["tx_type"].as_u64()? {
        14 => Action::CreateOrder(order(fields)),
        15 => Action::CancelOrder { market_index: market(), index: number(fields, "Index") },
        16 => Action::CancelAllOrders(match number(fields, "TimeInForce") {
            0 => {
                let market = inputs["cancel_all_market_index"].as_u64();
                CancelAll::Now { market_index: market.map(|market| market.try_into().unwrap()) }
            }
            1 => CancelAll::At(number(fields, "Time")),
            _ => CancelAll::Abort,
        }),
        17 => Action::ModifyOrder(Modify {
            market_index: market(),
            index: number(fields, "Index"),
            base_amount: number(fields, "BaseAmount"),
            price: small(fields, "Price"),
            trigger_price: small(fields, "TriggerPrice"),
        }),
        20 => Action::UpdateLeverage {
            market_index: market(),
            initial_margin_fraction: small(fields, "InitialMarginFraction"),
            margin_mode: match number(fields, "MarginMode") {
                0 => MarginMode::Cross,
                _ => MarginMode::Isolated,
            },
        },
        28 => Action::CreateGroupedOrders(OrderGroup {
            grouping: match number(inputs, "grouping_type") {
                1 => Grouping::OneTriggersOther,
                2 => Grouping::OneCancelsOther,
                _ => Grouping::OneTriggersOneCancelsOther,
            },
            orders: inputs["orders"].as_array().unwrap().iter().map(order).collect(),
        }),
        _ => return None,
    })
}

fn attributes(inputs: &Value) -> Attributes {
    let pairs = inputs["attributes"].as_object().into_iter().flatten();
    // The market of a cancellation is part of its action.
    let others = pairs.filter(|(number, _)| number.as_str() != "5");
    Attributes::of(
        others.map(|(number, value)| (number.parse().unwrap(), value.as_u64().unwrap())).collect(),
    )
}

/// Returns a vector's transaction. `None` for a type that this crate does not sign.
fn transaction(inputs: &Value) -> Option<Transaction> {
    Some(Transaction {
        account_index: number(inputs, "account_index"),
        api_key_index: small(inputs, "api_key_index"),
        nonce: inputs["nonce"].as_u64()?,
        // Refused vectors have none.
        expired_at_ms: inputs["expired_at"].as_u64().unwrap_or(1_795_903_000_000),
        action: action(inputs)?,
        attributes: attributes(inputs),
    })
}

fn raw_hash(vector: &Value) -> Hash {
    let elements = vector["hashes"]["elements"].as_array().unwrap().iter();
    let elements: Vec<_> = elements.map(|it| Gl(it.as_str().unwrap().parse().unwrap())).collect();
    finish(&elements, &attributes(&vector["inputs"]))
}

/// Checks the public key, the official signature, and the signature with a fixed nonce.
fn check_signatures(vector: &Value, hash: &Hash) {
    let key = key(vector);
    let public = text(vector, "public_key").trim_start_matches("0x");
    assert_eq!(key.public_key().to_string(), public);
    let official = Signature::parse(&bytes(text(&vector["signature"], "hex"))).unwrap();
    assert!(key.public_key().verifies(hash, &official));
    let fixed = &vector["fixed_nonce_signature"];
    let nonce = Scalar::parse(&bytes(text(fixed, "k"))).unwrap();
    let signature = key.sign_with(hash, &nonce);
    assert_eq!(hex::encode(signature.to_bytes()), text(fixed, "hex"));
    assert!(key.public_key().verifies(hash, &signature));
    assert_ne!(official.to_bytes(), signature.to_bytes());
}

#[test]
fn signed_vectors_have_hash_key_and_signatures() {
    let (mut built, mut raw, mut tokens) = (0, 0, 0);
    for vector in vectors() {
        let inputs = &vector["inputs"];
        let name = text(&vector, "name");
        match text(&vector, "category") {
            "lighter_refused" => continue,
            "lighter_auth_token" => {
                let message = token::message(
                    number(inputs, "deadline_unix_seconds"),
                    number(inputs, "account_index"),
                    small(inputs, "api_key_index"),
                );
                assert_eq!(message, text(&vector, "message"));
                let hash = token::message_hash(&message);
                assert_eq!(hash.to_string(), text(&vector["hashes"], "message_hash"), "{name}");
                check_signatures(&vector, &hash);
                tokens += 1;
            }
            _ => {
                let expected = text(&vector["hashes"], "tx_hash");
                let hash = match transaction(inputs) {
                    Some(transaction) => {
                        let signature = bytes(text(&vector["signature"], "hex"));
                        let signature = Signature::parse(&signature).unwrap();
                        assert_eq!(transaction.tx_info(&signature), text(&vector, "tx_info"));
                        transaction.check(number(inputs, "expired_at") - 1).unwrap();
                        built += 1;
                        transaction.hash(small(inputs, "chain_id"))
                    }
                    None => {
                        raw += 1;
                        raw_hash(&vector)
                    }
                };
                assert_eq!(hash.to_string(), expected, "{name}");
                check_signatures(&vector, &hash);
            }
        }
    }
    // Changes of keys, margin and withdrawals have no transaction in this crate.
    assert_eq!((built, raw, tokens), (38, 4, 2));
}

#[test]
fn vectors_that_the_official_signer_refuses_are_refused() {
    let mut fields = Vec::new();
    for vector in vectors() {
        if vector["category"] == "lighter_refused" {
            let refusal = transaction(&vector["inputs"]).unwrap().check(1_795_902_000_000);
            fields.push(refusal.unwrap_err().field);
        }
    }
    let expected =
        ["OrderExpiry", "OrderExpiry", "TriggerPrice", "BaseAmount", "ClientOrderIndex", "Type"];
    assert_eq!(fields, expected);
}

#[test]
fn signature_of_another_hash_key_or_scalar_does_not_verify() {
    let all = vectors();
    let (first, second) = (&all[0], &all[1]);
    let hash = raw_hash(first);
    let signature: [u8; 80] = bytes(text(&first["signature"], "hex"));
    let public = key(first);
    let public = public.public_key();
    let parsed = Signature::parse(&signature).unwrap();
    assert!(public.verifies(&hash, &parsed));
    assert!(!public.verifies(&raw_hash(second), &parsed));
    let other = SecretKey::new(Scalar::reduce(&[7; 40]));
    assert!(!other.public_key().verifies(&hash, &parsed));
    for place in [0, 38, 40, 78] {
        let mut changed = signature;
        changed[place] ^= 1;
        assert!(!public.verifies(&hash, &Signature::parse(&changed).unwrap()), "{place}");
    }
}
