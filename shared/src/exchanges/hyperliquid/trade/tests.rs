//! The published signing vectors, byte for byte: MessagePack, hash, digest, signature and body. See
//! `shared/tests/vectors/README.md`. `alloy` computes each digest a second time.

use std::collections::BTreeSet;

use bigdecimal::BigDecimal;
use domain::builder::Builder;
use domain::eth::Signature;
use serde_json::Value;

use super::action::{
    Action, Cancel, CancelByCloid, Cloid, Leverage, Modify, OrderId, OrderKindWire, OrderWire,
    Orders, Tif, Tpsl, Wire,
};
use super::sign::body;
use super::signed_body;
use crate::trading::decimal::Decimal;
use crate::trading::order::Side;

mod raw;
mod vector;

use raw::Raw;
use vector::{Number, Vector, vectors};

/// Returns the action that the service would build, if it can.
fn typed(vector: &Vector) -> Option<Action> {
    let action: Value = serde_json::from_str(vector.inputs.action.get()).unwrap();
    let list = |name: &str| action[name].as_array().unwrap().clone();
    let keys: BTreeSet<&str> = action.as_object().unwrap().keys().map(String::as_str).collect();
    let has = |names: &[&str]| keys == names.iter().copied().collect();
    let built = match action["type"].as_str().unwrap() {
        "order"
            if has(&["type", "orders", "grouping"])
                || has(&["type", "orders", "grouping", "builder"]) =>
        {
            let orders: Option<Vec<_>> = list("orders").iter().map(order).collect();
            let mut orders = orders?;
            let orders = match action["grouping"].as_str().unwrap() {
                "na" => Orders::independent(orders)?,
                "normalTpsl" => Orders::with_children(orders.remove(0), orders)?,
                _ => return None,
            };
            Action::Order(match action.get("builder") {
                // A fee of 0 cannot be expressed.
                Some(builder) => orders.with_builder(Some(builder_of(builder)?)),
                None => orders,
            })
        }
        "cancel" if has(&["type", "cancels"]) => {
            let cancels = list("cancels").into_iter().map(|entry| Cancel {
                asset: asset(&entry["a"]),
                order_id: entry["o"].as_u64().unwrap(),
            });
            Action::Cancel(cancels.collect())
        }
        "cancelByCloid" if has(&["type", "cancels"]) => {
            let cancels = list("cancels").into_iter().map(|entry| CancelByCloid {
                asset: asset(&entry["asset"]),
                cloid: cloid(&entry["cloid"]),
            });
            Action::CancelByCloid(cancels.collect())
        }
        "batchModify" if has(&["type", "modifies"]) => {
            let [entry] = list("modifies").try_into().ok()?;
            let target = match entry["oid"].as_u64() {
                Some(id) => OrderId::Exchange(id),
                None => OrderId::Client(cloid(&entry["oid"])),
            };
            Action::BatchModify(Modify::new(target, order(&entry["order"])?)?)
        }
        "updateLeverage" => Action::UpdateLeverage(Leverage {
            asset: asset(&action["asset"]),
            is_cross: action["isCross"].as_bool().unwrap(),
            leverage: asset(&action["leverage"]),
        }),
        "noop" => Action::Noop,
        _ => return None,
    };
    Some(built)
}

fn asset(value: &Value) -> u32 {
    value.as_u64().unwrap().try_into().unwrap()
}

fn cloid(value: &Value) -> Cloid {
    Cloid::parse(value.as_str().unwrap()).unwrap()
}

fn wire(value: &Value) -> Wire {
    Wire::new(Decimal::parse(value.as_str().unwrap()).unwrap()).unwrap()
}

fn order(value: &Value) -> Option<OrderWire> {
    let kind = match (value["t"].get("limit"), value["t"].get("trigger")) {
        (Some(limit), None) => OrderKindWire::Limit(match limit["tif"].as_str().unwrap() {
            "Gtc" => Tif::Gtc,
            "Ioc" => Tif::Ioc,
            "Alo" => Tif::Alo,
            _ => return None,
        }),
        (None, Some(trigger)) => OrderKindWire::Trigger {
            is_market: trigger["isMarket"].as_bool().unwrap(),
            trigger_price: wire(&trigger["triggerPx"]),
            tpsl: match trigger["tpsl"].as_str().unwrap() {
                "tp" => Tpsl::TakeProfit,
                _ => Tpsl::StopLoss,
            },
        },
        _ => return None,
    };
    Some(OrderWire {
        asset: asset(&value["a"]),
        side: if value["b"].as_bool().unwrap() { Side::Buy } else { Side::Sell },
        price: wire(&value["p"]),
        size: wire(&value["s"]),
        reduce_only: value["r"].as_bool().unwrap(),
        kind,
        cloid: value.get("c").map(cloid),
    })
}

/// All vectors, those with actions and fields that the service cannot build included.
#[test]
fn every_agent_vector_is_reproduced() {
    for vector in vectors() {
        let raw: Raw = serde_json::from_str(vector.inputs.action.get()).unwrap();
        vector.check(&raw.node());
    }
}

#[test]
fn typed_action_equals_its_vector() {
    let (mut trees, mut bodies) = (0, 0);
    for vector in vectors() {
        let Some(action) = typed(&vector) else { continue };
        vector.check(&action.tree());
        trees += 1;
        if vector.vault().is_some() {
            continue;
        }
        let inputs = &vector.inputs;
        let signed =
            signed_body(&action, inputs.nonce, inputs.expires_after, vector.chain(), &vector.key());
        assert_eq!(signed.unwrap(), vector.request.body_text, "{}", vector.name);
        bodies += 1;
    }
    assert_eq!((trees, bodies), (37 + 6, 30 + 6));
}

fn builder_of(builder: &Value) -> Option<Builder> {
    let tenths = u16::try_from(builder["f"].as_u64().unwrap()).ok()?;
    let address = builder["b"].as_str().unwrap().parse().unwrap();
    Some(Builder { address, fee: tenths.try_into().ok()? })
}

/// The actions and fields that the service must not sign have no typed form.
#[test]
fn forbidden_action_cannot_be_built() {
    let mut kinds = BTreeSet::new();
    let mut forbidden = BTreeSet::new();
    for vector in vectors() {
        match typed(&vector) {
            Some(action) => {
                let json = action.tree().to_json();
                // The flags `a` and `f`. An asset and a fee have these names, too, with a number as
                // their value.
                for word in
                    [r#""a":true"#, r#""f":true"#, r#""f":false"#, "vaultAddress", "positionTpsl"]
                {
                    assert!(!json.contains(word), "{}: {json}", vector.name);
                }
                kinds.insert(vector.kind());
            }
            None => {
                forbidden.insert(vector.kind());
            }
        }
    }
    let built = ["batchModify", "cancel", "cancelByCloid", "noop", "order", "updateLeverage"];
    assert_eq!(kinds, names(&built));
    // Of the kinds that exist, vectors with `a`, `f`, `positionTpsl`, `FrontendMarket`
    // or several modifications are not built.
    let other_fields = ["batchModify", "cancel", "order"];
    let other_kinds = [
        "agentSendAsset",
        "modify",
        "scheduleCancel",
        "twapCancel",
        "twapOrder",
        "updateIsolatedMargin",
    ];
    assert_eq!(forbidden, names(&[&other_kinds[..], &other_fields[..]].concat()));
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn number_becomes_its_wire_text() {
    let mut met = 0;
    for Number { given, wire } in vectors().into_iter().flat_map(|vector| vector.inputs.numbers) {
        let value = Decimal::parse(&wire).unwrap();
        assert_eq!(Wire::new(value), Some(self::wire(&Value::from(wire.as_str()))));
        assert_eq!(value.text(), wire);
        match Decimal::parse(&given) {
            Ok(parsed) => assert_eq!(parsed, value, "{given}"),
            Err(_) => {
                assert!(given.contains('e'), "{given}");
                assert_eq!(
                    given.parse::<BigDecimal>().unwrap(),
                    wire.parse::<BigDecimal>().unwrap()
                );
            }
        }
        met += 1;
    }
    assert_eq!(met, 8);
    assert!(Wire::new(Decimal::parse("0.000000001").unwrap()).is_none(), "nine places");
}

#[test]
fn market_price_of_vector_is_rounded_once() {
    let mut met = 0;
    for price in vectors().into_iter().filter_map(|vector| vector.inputs.market_price) {
        let rounded = Decimal::parse(&price.unrounded).unwrap().rounded(5, 2);
        assert_eq!(rounded.text(), price.rounded);
        met += 1;
    }
    assert_eq!(met, 2);
}

#[test]
fn children_must_fit_their_entry() {
    let grouped = vectors().into_iter().find(|vector| vector.name.contains("grouped-entry"));
    let Action::Order(orders) = typed(&grouped.unwrap()).unwrap() else { panic!("no orders") };
    let cloids: Vec<_> = orders.cloids().collect();
    assert_eq!(cloids, [None; 3]);
    let entry = OrderWire {
        asset: 1,
        side: Side::Buy,
        price: wire(&"1700".into()),
        size: wire(&"0.5".into()),
        reduce_only: false,
        kind: OrderKindWire::Limit(Tif::Gtc),
        cloid: None,
    };
    let trigger_price = wire(&"1850".into());
    let tpsl = Tpsl::TakeProfit;
    let child = OrderWire {
        side: Side::Sell,
        reduce_only: true,
        kind: OrderKindWire::Trigger { is_market: true, trigger_price, tpsl },
        ..entry.clone()
    };
    let group = |children: Vec<OrderWire>| Orders::with_children(entry.clone(), children);
    assert!(group(vec![child.clone()]).is_some());
    assert!(group(vec![]).is_none());
    assert!(group(vec![child.clone(), child.clone(), child.clone()]).is_none());
    for wrong in [
        OrderWire { asset: 2, ..child.clone() },
        OrderWire { side: Side::Buy, ..child.clone() },
        OrderWire { size: wire(&"0.4".into()), ..child.clone() },
        OrderWire { reduce_only: false, ..child.clone() },
        OrderWire { kind: OrderKindWire::Limit(Tif::Gtc), ..child.clone() },
    ] {
        assert!(group(vec![child.clone(), wrong]).is_none());
    }
    assert!(Orders::independent(vec![]).is_none());
    assert!(Orders::independent(vec![entry.clone(); 20]).is_some());
    assert!(Orders::independent(vec![entry.clone(); 21]).is_none());
    assert!(Modify::new(OrderId::Exchange(1), child).is_none(), "a trigger");
    let ioc = OrderWire { kind: OrderKindWire::Limit(Tif::Ioc), ..entry };
    assert!(Modify::new(OrderId::Exchange(1), ioc).is_none());
}

#[test]
fn cancellations_do_not_expire() {
    let mut expiring = BTreeSet::new();
    for vector in vectors() {
        let Some(action) = typed(&vector) else { continue };
        if let Some(at_ms) = action.expires_after_ms(1_790_000_000_000) {
            assert_eq!(at_ms, 1_790_000_010_000);
            expiring.insert(vector.kind());
        }
        assert_eq!(action.weight(), 1);
    }
    assert_eq!(expiring, names(&["batchModify", "order", "updateLeverage"]));
    let cancels = vec![Cancel { asset: 0, order_id: 1 }; 80];
    assert_eq!(Action::Cancel(cancels).weight(), 3);
}

#[test]
fn cloid_requires_its_prefix() {
    let text = "0x1234567890abcdef1234567890abcdef";
    assert_eq!(Cloid::parse(text).unwrap().to_string(), text);
    assert_eq!(Cloid::parse(&text.to_uppercase().replace("0X", "0x")).unwrap().to_string(), text);
    for wrong in ["", "0x", &text[2..], &text[..33], "0x1234567890abcdef1234567890abcdeg"] {
        assert!(Cloid::parse(wrong).is_none(), "{wrong}");
    }
}

/// A signature with leading zeros keeps them.
#[test]
fn body_pads_the_signature() {
    let signature = Signature { r: [0; 32], s: [0; 32], v: 27 };
    let zeros = "0".repeat(64);
    let noop = r#"{"action":{"type":"noop"},"nonce":7,"signature":{"#;
    let expected = format!(r#"{noop}"r":"0x{zeros}","s":"0x{zeros}","v":27}}}}"#);
    assert_eq!(body(&Action::Noop.tree(), 7, None, None, &signature), expected);
}
