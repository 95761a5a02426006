use domain::ids::Exchange;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::trading::ids::OrderKey;

const NOW_MS: u64 = 1_790_000_000_000;
const NOW_US: u64 = NOW_MS * 1_000;

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn key(id: &str) -> OrderKey {
    let tenant = "t".parse().unwrap();
    OrderKey::new(&tenant, Uuid::nil(), Exchange::Aster, &id.parse().unwrap())
}

fn order(id: &str, side: Side, notional: &str) -> Priced {
    Priced {
        key: key(id),
        symbol: "BTCUSDT".to_owned(),
        side,
        notional: Some(decimal(notional)),
        is_reducing: false,
        slippage: Slippage::Fixed,
        until_ms: NOW_MS + 15_000,
    }
}

fn rule(policy: &PolicyFields, orders: &[Priced]) -> Option<(PolicyRule, String)> {
    let refused = precheck(&policy.effective(), &Ledger::default(), orders, NOW_MS).err();
    refused.map(|refusal| (refusal.rule, refusal.limit))
}

fn exposed(position: &str, buys: &str, sells: &str) -> Exposure {
    let market =
        MarketExposure { position: decimal(position), buys: decimal(buys), sells: decimal(sells) };
    Exposure([("BTCUSDT".to_owned(), market)].into())
}

#[test]
fn default_policy_allows_a_million_dollars() {
    let none = PolicyFields::default();
    assert_eq!(rule(&none, &[order("a", Side::Buy, "1000000")]), None);
    let limit = Some((PolicyRule::OrderNotional, "1000000".to_owned()));
    assert_eq!(rule(&none, &[order("a", Side::Buy, "1000000.01")]), limit);
    let too_long = Priced { notional: None, ..order("a", Side::Buy, "1") };
    assert_eq!(rule(&none, &[too_long]), limit);
}

#[test]
fn each_rule_refuses_with_its_limit() {
    let buy = || order("a", Side::Buy, "10");
    let symbols = PolicyFields { symbols: Some(vec!["ETHUSDT".into()]), ..Default::default() };
    assert_eq!(rule(&symbols, &[buy()]), Some((PolicyRule::Symbol, "ETHUSDT".to_owned())));

    let reduce = PolicyFields { reduce_only: Some(true), ..Default::default() };
    assert_eq!(rule(&reduce, &[buy()]).unwrap().0, PolicyRule::ReduceOnly);
    assert_eq!(rule(&reduce, &[Priced { is_reducing: true, ..buy() }]), None);

    let rate = PolicyFields { orders_per_minute: Some(1), ..Default::default() };
    assert_eq!(rule(&rate, &[buy()]), None);
    let two = [buy(), order("b", Side::Buy, "10")];
    assert_eq!(rule(&rate, &two), Some((PolicyRule::OrderRate, "1".to_owned())));
}

#[test]
fn market_order_respects_the_slippage_limit() {
    let of = |slippage| Priced { slippage, ..order("a", Side::Buy, "10") };
    let none = PolicyFields::default();
    let set = PolicyFields { max_slippage: Some(decimal("0.02")), ..Default::default() };
    assert_eq!(rule(&none, &[of(Slippage::Bound(decimal("0.1")))]), None);
    assert_eq!(
        rule(&none, &[of(Slippage::Bound(decimal("0.11")))]),
        Some((PolicyRule::Slippage, "0.1".to_owned()))
    );
    assert_eq!(rule(&none, &[of(Slippage::Unbounded)]), None);
    assert_eq!(rule(&set, &[of(Slippage::Bound(decimal("0.02")))]), None);
    assert_eq!(
        rule(&set, &[of(Slippage::Unbounded)]),
        Some((PolicyRule::Slippage, "0.02".to_owned()))
    );
}

#[test]
fn position_limit_counts_open_and_reserved_orders() {
    let fields = PolicyFields { max_position_notional: Some(decimal("100")), ..Default::default() };
    let policy = fields.effective();
    let take = |ledger: &Ledger, exposure: Option<&Exposure>, orders: &[Priced]| {
        check(&policy, ledger, exposure, orders, Exchange::Aster, NOW_US)
    };
    let empty = Ledger::default();
    let refused = |result: Result<Ledger, PolicyRefusal>| {
        assert_eq!(result.unwrap_err(), refusal(PolicyRule::PositionNotional, "100".to_owned()));
    };
    // Without knowledge of the position nothing passes.
    refused(take(&empty, None, &[order("a", Side::Buy, "1")]));

    let exposure = exposed("50", "20", "5");
    let full = take(&empty, Some(&exposure), &[order("a", Side::Buy, "30")]).unwrap();
    assert_eq!(full.reserved_of("BTCUSDT", Side::Buy), Some(decimal("30")));
    refused(take(&full, Some(&exposure), &[order("b", Side::Buy, "0.01")]));
    // Sells have their own sum.
    assert!(take(&full, Some(&exposure), &[order("b", Side::Sell, "45")]).is_ok());
    refused(take(&full, Some(&exposure), &[order("b", Side::Sell, "45.01")]));
    // Orders of one batch count against each other.
    let pair = [order("a", Side::Buy, "16"), order("b", Side::Buy, "16")];
    refused(take(&empty, Some(&exposure), &pair));
    // A reducing order needs no reservation.
    let reducing = Priced { is_reducing: true, ..order("c", Side::Sell, "999") };
    let same = take(&full, Some(&exposure), &[reducing]).unwrap();
    assert_eq!(same.reserved, full.reserved);
    // The outcome ends the reservation.
    let free = full.without(&key("a"));
    assert!(take(&free, Some(&exposure), &[order("b", Side::Buy, "30")]).is_ok());
}

/// A product of two parsed numbers may have 24 places, and a stored number at most 12.
#[test]
fn reservation_is_rounded_up_to_what_can_be_stored() {
    let fields = PolicyFields { max_position_notional: Some(decimal("100")), ..Default::default() };
    let policy = fields.effective();
    for (factors, stored) in [
        (["0.0000001", "0.0000003"], "0.000000000001"),
        (["1.0000000001", "1.0001"], "1.000100000101"),
        (["0.5", "3"], "1.5"),
    ] {
        let [price, quantity] = factors.map(decimal);
        let order = Priced { notional: price.checked_mul(quantity), ..order("a", Side::Buy, "1") };
        let exposure = Exposure::default();
        let ledger = Ledger::default();
        let next =
            check(&policy, &ledger, Some(&exposure), &[order], Exchange::Aster, NOW_US).unwrap();
        assert_eq!(next.reserved_of("BTCUSDT", Side::Buy), Some(decimal(stored)), "{factors:?}");
        let text = serde_json::to_string(&next).unwrap();
        assert_eq!(serde_json::from_str::<Ledger>(&text).unwrap(), next);
    }
}

#[test]
fn reservations_are_bounded() {
    let fields =
        PolicyFields { max_position_notional: Some(decimal("1000000")), ..Default::default() };
    let policy = PolicyFields { orders_per_minute: Some(1_000), ..fields }.effective();
    let orders: Vec<_> =
        (0..=MAX_RESERVED).map(|n| order(&format!("o{n}"), Side::Buy, "1")).collect();
    let exposure = Exposure::default();
    let take = |count: usize| {
        let orders = &orders[..count];
        check(&policy, &Ledger::default(), Some(&exposure), orders, Exchange::Aster, NOW_US)
    };
    assert_eq!(take(MAX_RESERVED).unwrap().reserved.len(), MAX_RESERVED);
    assert!(take(MAX_RESERVED + 1).is_err());
}

#[test]
fn check_without_position_limit_reserves_nothing() {
    let policy = PolicyFields::default().effective();
    let ledger = Ledger { nonce: 5, rev: 7, ..Ledger::default() };
    let next =
        check(&policy, &ledger, None, &[order("a", Side::Buy, "1")], Exchange::Aster, NOW_US);
    let next = next.unwrap();
    assert_eq!((next.rev, next.nonce, next.orders_counted()), (8, NOW_US, 1));
    assert!(next.reserved.is_empty());
}

#[test]
fn override_replaces_single_fields() {
    let tenant = PolicyFields {
        max_order_notional: Some(decimal("10")),
        orders_per_minute: Some(5),
        ..Default::default()
    };
    let wallet = PolicyFields { orders_per_minute: Some(50), ..Default::default() };
    let policy = wallet.over(&tenant).effective();
    assert_eq!((policy.max_order_notional, policy.orders_per_minute), (decimal("10"), 50));
}

#[test]
fn loosening_waits_and_tightening_is_immediate() {
    let base = PolicyFields::default();
    let rev = Uuid::nil();
    let of = |notional: &str| PolicyFields {
        max_order_notional: Some(decimal(notional)),
        ..Default::default()
    };
    let (strict, how) = PolicyRecord::empty(rev).changed(of("10"), &base, rev, NOW_MS, 100);
    assert_eq!((how, strict.fields_at(NOW_MS)), (Loosening::No, &of("10")));

    let (waiting, how) = strict.changed(of("20"), &base, rev, NOW_MS, 100);
    assert_eq!(how, Loosening::Pending);
    assert_eq!(waiting.fields_at(NOW_MS + 99), &of("10"));
    assert_eq!(waiting.fields_at(NOW_MS + 100), &of("20"));

    // Tightening drops the pending fields.
    let (tight, how) = waiting.changed(of("5"), &base, rev, NOW_MS + 50, 100);
    assert_eq!((how, &tight.pending), (Loosening::No, &None));
    assert_eq!(tight.fields_at(NOW_MS + 1_000), &of("5"));

    // After the delay, the looser fields are the present ones.
    let (next, how) = waiting.changed(of("15"), &base, rev, NOW_MS + 100, 100);
    assert_eq!((how, next.fields_at(NOW_MS + 100)), (Loosening::No, &of("15")));
    // Removing a limit loosens.
    let (_, how) = strict.changed(PolicyFields::default(), &base, rev, NOW_MS, 100);
    assert_eq!(how, Loosening::Pending);
}

#[test]
fn pending_form_is_stable() {
    let stored = serde_json::json!({
        "schema": 1,
        "rev": "00000000-0000-0000-0000-000000000000",
        "policy": {"symbols": ["BTC"], "maxOrderNotional": "10"},
        "pending": {"policy": {"reduceOnly": false, "maxSlippage": "0.05"}, "fromMs": 5},
    });
    let record: PolicyRecord = serde_json::from_value(stored.clone()).unwrap();
    assert_eq!(serde_json::to_value(record).unwrap(), stored);
}

fn some_decimal() -> impl Strategy<Value = Option<Decimal>> {
    prop::option::of((0_u128..40).prop_map(|units| Decimal::new(units, 1).unwrap()))
}

fn some_fields() -> impl Strategy<Value = PolicyFields> {
    let symbols = prop::option::of(prop::sample::subsequence(vec!["A", "B", "C"], 0..=3));
    let numbers = (some_decimal(), some_decimal(), some_decimal());
    (symbols, numbers, prop::option::of(0_u32..4), prop::option::of(any::<bool>())).prop_map(
        |(symbols, (order, position, slippage), rate, reduce_only)| PolicyFields {
            symbols: symbols.map(|names| names.into_iter().map(str::to_owned).collect()),
            max_order_notional: order,
            max_position_notional: position,
            max_leverage: None,
            orders_per_minute: rate,
            reduce_only,
            max_slippage: slippage,
        },
    )
}

fn some_order() -> impl Strategy<Value = Priced> {
    let bound = some_decimal().prop_map(|bound| bound.map_or(Slippage::Unbounded, Slippage::Bound));
    let slippage = prop_oneof![Just(Slippage::Fixed), bound];
    (0..3_usize, any::<bool>(), some_decimal(), any::<bool>(), slippage).prop_map(
        |(symbol, buys, notional, is_reducing, slippage)| Priced {
            symbol: ["A", "B", "C"][symbol].to_owned(),
            side: if buys { Side::Buy } else { Side::Sell },
            notional,
            is_reducing,
            slippage,
            ..order("x", Side::Buy, "1")
        },
    )
}

proptest! {
    /// A change that is not called a loosening allows nothing that was refused before.
    #[test]
    fn change_that_does_not_loosen_allows_no_more(
        from in some_fields(),
        to in some_fields(),
        orders in prop::collection::vec(some_order(), 1..4),
        position in 0_u128..40,
    ) {
        let (from, to) = (from.effective(), to.effective());
        let of = |policy: &Policy| {
            let known = MarketExposure {
                position: Decimal::new(position, 1).unwrap(),
                buys: Decimal::ZERO,
                sells: Decimal::ONE,
            };
            let exposure =
                Exposure(["A", "B"].map(|name| (name.to_owned(), known)).into_iter().collect());
            let ledger = Ledger::default();
            check(policy, &ledger, Some(&exposure), &orders, Exchange::Hyperliquid, NOW_US).is_ok()
        };
        prop_assert!(loosens(&from, &to) || !of(&to) || of(&from));
        prop_assert!(!loosens(&from, &from));
        let both = tighter(&from, &to);
        prop_assert!(!loosens(&from, &both) && !loosens(&to, &both));
        prop_assert_eq!(of(&both), of(&from) && of(&to));
    }
}
