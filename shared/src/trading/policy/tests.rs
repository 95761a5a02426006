use domain::builder::Builder;
use domain::ids::Exchange;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::trading::ids::OrderKey;
use crate::trading::ledger::{Ledger, MAX_RESERVED};
use crate::trading::order::Side;

const NOW_MS: u64 = 1_790_000_000_000;
const NOW_US: u64 = NOW_MS * 1_000;

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn key(id: &str) -> OrderKey {
    let tenant = "t".parse().unwrap();
    OrderKey::new(&tenant, Uuid::nil(), Exchange::Aster, &id.parse().unwrap())
}

pub(super) fn order(id: &str, side: Side, notional: &str) -> Priced {
    Priced {
        key: key(id),
        symbol: "BTCUSDT".to_owned(),
        side,
        notional: Some(decimal(notional)),
        is_in_dollars: true,
        is_reducing: false,
        slippage: Slippage::Fixed,
        orders: 1,
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
fn attached_orders_count_for_the_rate() {
    let rate = PolicyFields { orders_per_minute: Some(3), ..Default::default() };
    let bracket = |id| Priced { orders: 3, ..order(id, Side::Buy, "10") };
    assert_eq!(rule(&rate, &[bracket("a")]), None);
    let four = [bracket("a"), order("b", Side::Buy, "10")];
    assert_eq!(rule(&rate, &four), Some((PolicyRule::OrderRate, "3".to_owned())));
    let policy = rate.effective();
    let ledger = Ledger::default();
    let next = check(&policy, &ledger, None, &[bracket("a")], Exchange::Hyperliquid, NOW_US);
    assert_eq!(next.unwrap().orders_counted(), 3);
}

#[test]
fn market_that_is_not_in_dollars_requires_a_policy_that_names_it() {
    let none = PolicyFields::default();
    let foreign = Priced { is_in_dollars: false, ..order("a", Side::Buy, "1") };
    let refused = rule(&none, std::slice::from_ref(&foreign)).unwrap();
    assert_eq!(refused.0, PolicyRule::Symbol);
    let named =
        PolicyFields { symbols: Some(vec!["BTCUSDT".to_owned()]), ..PolicyFields::default() };
    assert_eq!(rule(&named, std::slice::from_ref(&foreign)), None);
    // A position in such a market can be closed.
    assert_eq!(rule(&none, &[Priced { is_reducing: true, ..foreign }]), None);
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
        let PolicyRefusal { rule, limit } = result.unwrap_err();
        assert_eq!((rule, limit.as_str()), (PolicyRule::PositionNotional, "100"));
    };
    // Without knowledge of the position nothing passes.
    refused(take(&empty, None, &[order("a", Side::Buy, "1")]));

    let exposure = exposed("50", "20", "5");
    let full = take(&empty, Some(&exposure), &[order("a", Side::Buy, "30")]).unwrap();
    assert_eq!(full.reserved[&key("a").to_hex()].notional, decimal("30"));
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
    // An order that was not executed ends its reservation.
    let free = Ledger { reserved: std::collections::BTreeMap::new(), ..full };
    assert!(take(&free, Some(&exposure), &[order("b", Side::Buy, "30")]).is_ok());
}

/// The reads show nothing of the orders that were executed a moment ago.
#[test]
fn lagging_reads_do_not_exceed_the_position_limit() {
    let fields = PolicyFields { max_position_notional: Some(decimal("100")), ..Default::default() };
    let policy = fields.effective();
    let none = Exposure::default();
    let take = |ledger: &Ledger, exposure: &Exposure, id: &str| {
        let orders = [order(id, Side::Buy, "40")];
        let next = check(&policy, ledger, Some(exposure), &orders, Exchange::Aster, NOW_US);
        next.map(|next| next.reserved_until(NOW_MS + 1))
    };
    let one = take(&Ledger::default(), &none, "a").unwrap();
    // Reads that do not lag show the first order, which counts once.
    let two = take(&one, &exposed("40", "0", "0"), "b").unwrap();
    assert_eq!(take(&one, &none, "b").unwrap().reserved, two.reserved);
    for read in ["0", "40", "80"] {
        let third = take(&two, &exposed(read, "0", "0"), "c");
        assert_eq!(third.unwrap_err().rule, PolicyRule::PositionNotional, "{read}");
    }
}

#[test]
fn changed_order_counts_with_the_larger_of_its_values() {
    let fields = PolicyFields { max_position_notional: Some(decimal("100")), ..Default::default() };
    let policy = fields.effective();
    let take = |ledger: &Ledger, exposure: &Exposure, orders: &[Priced]| {
        let next = check(&policy, ledger, Some(exposure), orders, Exchange::Aster, NOW_US);
        next.map(|next| next.reserved_until(NOW_MS + 1))
    };
    let none = Exposure::default();
    let placed = take(&Ledger::default(), &none, &[order("a", Side::Buy, "60")]).unwrap();
    // The exposure of a change leaves the replaced order out. It has a reservation of its own.
    let larger = take(&placed, &none, &[order("a", Side::Buy, "100")]).unwrap();
    assert_eq!(larger.reserved[&key("a").to_hex()].notional, decimal("100"));
    let smaller = take(&placed, &none, &[order("a", Side::Buy, "10")]).unwrap();
    assert_eq!(smaller.reserved[&key("a").to_hex()].notional, decimal("60"));
    assert!(take(&smaller, &none, &[order("b", Side::Buy, "41")]).is_err());
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
        let reserved = &next.reserved[&key("a").to_hex()];
        assert_eq!(reserved.notional, decimal(stored), "{factors:?}");
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

fn some_decimal() -> impl Strategy<Value = Option<Decimal>> {
    prop::option::of((0_u128..40).prop_map(|units| Decimal::new(units, 1).unwrap()))
}

pub(super) fn some_fields() -> impl Strategy<Value = PolicyFields> {
    let symbols = prop::option::of(prop::sample::subsequence(vec!["A", "B", "C"], 0..=3));
    let numbers = (some_decimal(), some_decimal(), some_decimal());
    let builders = [1, 2].map(|nth| format!("0x{nth:040x}").parse::<Address>().unwrap());
    let builders = prop::option::of(prop::sample::subsequence(builders.to_vec(), 0..=2));
    let builder = (builders, prop::option::of(0_u16..4));
    let flags = prop::option::of(any::<bool>());
    (symbols, numbers, prop::option::of(0_u32..4), flags, builder).prop_map(
        |(symbols, (order, position, slippage), rate, reduce_only, builder)| PolicyFields {
            symbols: symbols.map(|names| names.into_iter().map(str::to_owned).collect()),
            max_order_notional: order,
            max_position_notional: position,
            max_leverage: None,
            orders_per_minute: rate,
            reduce_only,
            max_slippage: slippage,
            builders: builder.0,
            max_builder_fee: builder.1,
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
        (builder, fee) in (1_u64..4, 1_u16..5),
    ) {
        let (from, to) = (from.effective(), to.effective());
        let address = format!("0x{builder:040x}").parse().unwrap();
        let builder = Some(Builder { address, fee: fee.try_into().unwrap() });
        let of = |policy: &Policy| {
            let known = MarketExposure {
                position: Decimal::new(position, 1).unwrap(),
                buys: Decimal::ZERO,
                sells: Decimal::ONE,
            };
            let exposure =
                Exposure(["A", "B"].map(|name| (name.to_owned(), known)).into_iter().collect());
            let ledger = Ledger::default();
            let exchange = Exchange::Hyperliquid;
            check(policy, &ledger, Some(&exposure), &orders, exchange, NOW_US).is_ok()
                && allowed_builder(policy, builder, &orders).is_ok()
        };
        prop_assert!(loosens(&from, &to) || !of(&to) || of(&from));
        prop_assert!(!loosens(&from, &from));
        let both = tighter(&from, &to);
        prop_assert!(!loosens(&from, &both) && !loosens(&to, &both));
        prop_assert_eq!(of(&both), of(&from) && of(&to));
    }
}
