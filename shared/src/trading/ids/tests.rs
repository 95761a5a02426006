use proptest::prelude::*;

use super::*;

fn key(tenant: &str, wallet: u128, exchange: Exchange, id: &str) -> OrderKey {
    let wallet = Uuid::from_u128(wallet);
    OrderKey::new(&tenant.parse().unwrap(), wallet, exchange, &id.parse().unwrap())
}

#[test]
fn client_order_id_accepts_its_form_only() {
    let longest = "a".repeat(36);
    for text in ["a", "bot-17", "A.b_c-9", "-", "0x1", longest.as_str()] {
        assert_eq!(text.parse::<ClientOrderId>().unwrap().as_str(), text);
    }
    let long = "a".repeat(37);
    for text in ["", "1", "12345", "a b", "a:b", "a/b", "é", "a\n", long.as_str()] {
        assert!(text.parse::<ClientOrderId>().is_err(), "{text}");
    }
}

#[test]
fn order_name_of_digits_is_the_exchanges_id() {
    assert_eq!("12345".parse(), Ok(OrderName::Exchange(12_345)));
    assert_eq!("18446744073709551615".parse(), Ok(OrderName::Exchange(u64::MAX)));
    assert_eq!("bot-1".parse(), Ok(OrderName::Client("bot-1".parse().unwrap())));
    for text in ["", "18446744073709551616", "１", "a b"] {
        assert!(text.parse::<OrderName>().is_err(), "{text}");
    }
}

#[test]
fn derived_ids_are_valid_and_distinct() {
    let key = ClientOrderId::of_idempotency_key("a key", None);
    assert_eq!(key, ClientOrderId::of_idempotency_key("a key", None));
    let places = (0..20).map(|place| ClientOrderId::of_idempotency_key("a key", Some(place)));
    let drawn = (0..20).map(|_| ClientOrderId::draw(&Random::system()).unwrap());
    let other = ClientOrderId::of_idempotency_key("another key", None);
    let all: Vec<_> = places.chain(drawn).chain([key, other]).collect();
    for id in &all {
        assert_eq!(&id.as_str().parse::<ClientOrderId>().unwrap(), id);
    }
    let distinct: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(distinct.len(), 42);
}

/// SHA-256("") starts with e3b0c44298fc1c149afbf4c8996fb92427.
#[test]
fn base32_has_the_first_130_bits() {
    let id = ClientOrderId::of_idempotency_key("", None);
    assert_eq!(id.as_str(), "ik-4oymiquy7qobjgx36tejs35zeq");
}

#[test]
fn exchange_id_has_the_documented_layout() {
    let mut bytes = [0; 12];
    hex::decode_to_slice("7c1f0a92d4e8b35566aa01f2", &mut bytes).unwrap();
    let id = ExchangeOrderId::new(OrderKey(bytes), 1, Leg::Entry, 1_790_000_000_123);
    assert_eq!(id.text(Exchange::Hyperliquid), "0x480110ed7c1f0a92d4e8b35566aa01f2");
    assert_eq!(id.text(Exchange::Aster), "hd480110ed7c1f0a92d4e8b35566aa01f2");
    let stop = ExchangeOrderId::new(OrderKey(bytes), 0, Leg::StopLoss, 1_790_000_000_123);
    assert_eq!(stop.text(Exchange::Hyperliquid), "0x480090ed7c1f0a92d4e8b35566aa01f2");
}

#[test]
fn foreign_exchange_id_is_not_parsed() {
    let own = "480110ed7c1f0a92d4e8b35566aa01f2";
    assert!(ExchangeOrderId::parse(Exchange::Aster, &format!("hd{own}")).is_some());
    for text in [
        own.to_owned(),
        format!("0x{own}"),
        format!("hd{}", own.to_uppercase()),
        format!("hd{}", own.replacen("48", "49", 1)),
        // The fourth leg does not exist.
        format!("hd{}", own.replacen("10ed", "d0ed", 1)),
        format!("hd{own}0"),
        format!("hd{}", &own[1..]),
        "web_8f2k".to_owned(),
        String::new(),
    ] {
        assert_eq!(ExchangeOrderId::parse(Exchange::Aster, &text), None, "{text}");
    }
}

#[test]
fn id_with_the_form_of_another_id_is_reserved() {
    let id = |text: &str| text.parse::<ClientOrderId>().unwrap();
    let key = key("t", 1, Exchange::Aster, "a");
    for exchange in Exchange::ALL {
        for leg in Leg::ALL {
            let text = ExchangeOrderId::new(key, 3, leg, 7).text(exchange);
            assert!(id(&text).is_reserved() && id(&text.to_uppercase()).is_reserved(), "{text}");
        }
    }
    let of_others = ClientOrderId::of_exchange_order("BTCUSDT", 7);
    assert!(of_others.is_reserved() && ClientOrderId::is_of_others(of_others.as_str()));
    assert!(!ClientOrderId::is_of_others("hdo-1") && !ClientOrderId::is_of_others("7"));
    assert_eq!(of_others, of_others.as_str().parse().unwrap());
    assert_ne!(of_others, ClientOrderId::of_exchange_order("ETHUSDT", 7));
    assert_ne!(of_others, ClientOrderId::of_exchange_order("BTCUSDT", 8));
    let drawn = ClientOrderId::draw(&Random::system()).unwrap();
    let derived = ClientOrderId::of_idempotency_key("a key", Some(19));
    for free in ["bot-17", "hdo-1", "hd", "0x48", "x-1", "web_8f2k"].map(id) {
        assert!(!free.is_reserved(), "{free}");
    }
    assert!(!drawn.is_reserved() && !derived.is_reserved());
}

#[test]
fn order_key_depends_on_every_part() {
    let base = key("t", 1, Exchange::Aster, "a");
    let others = [
        key("u", 1, Exchange::Aster, "a"),
        key("t", 2, Exchange::Aster, "a"),
        key("t", 1, Exchange::Hyperliquid, "a"),
        key("t", 1, Exchange::Aster, "b"),
        key("ta", 1, Exchange::Aster, "a"),
    ];
    assert!(others.iter().all(|other| *other != base));
}

proptest! {
    #[test]
    fn exchange_id_round_trips(
        bytes in any::<[u8; 12]>(),
        generation in any::<u8>(),
        leg in prop::sample::select(Leg::ALL.to_vec()),
        created_at_ms in any::<u64>(),
    ) {
        for exchange in Exchange::ALL {
            let id = ExchangeOrderId::new(OrderKey(bytes), generation, leg, created_at_ms);
            let text = id.text(exchange);
            prop_assert_eq!(text.len(), 34);
            prop_assert_eq!(ExchangeOrderId::parse(exchange, &text), Some(id));
            // An id of the service is also a valid name in a path.
            prop_assert!(text.parse::<ClientOrderId>().is_ok());
        }
    }
}
