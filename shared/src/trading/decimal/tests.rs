//! Property tests of [`Decimal`] against `bigdecimal`.

use std::num::NonZeroU64;

use bigdecimal::rounding::RoundingMode;
use bigdecimal::{BigDecimal, Zero};
use proptest::prelude::*;

use super::*;

fn decimal(text: &str) -> Decimal {
    Decimal::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn big(value: Decimal) -> BigDecimal {
    value.text().parse().unwrap()
}

/// Any text that parses, most of them short.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9]{1,15}",
        "[0-9]{1,15}\\.[0-9]{1,12}",
        "[0-9]{1,5}\\.[0-9]{1,4}",
        "0\\.0{0,8}[0-9]{1,4}",
        "[1-9]0{0,14}",
        "[0-9]{1,6}\\.?5".prop_filter("a digit after the point", |text| !text.ends_with('.')),
    ]
}

#[test]
fn invalid_number_is_refused() {
    for text in [
        "",
        ".",
        "-1",
        "+1",
        "1.",
        ".5",
        "1e5",
        "1E5",
        "1_000",
        "1,5",
        " 1",
        "1 ",
        "1\n",
        "NaN",
        "inf",
        "0x10",
        "1.2.3",
        "\u{a0}1",
        "\u{661}",
        "1234567890123456",
        "0.1234567890123",
        "0000000000000001",
        "--1",
    ] {
        assert_eq!(Decimal::parse(text), Err(DecimalError), "{text:?}");
    }
    assert!(Decimal::parse(&"9".repeat(1_000_000)).is_err());
    assert!(serde_json::from_str::<Decimal>("1").is_err(), "a JSON number");
}

#[test]
fn text_is_the_shortest_form() {
    for (given, text) in [
        ("0", "0"),
        ("0.000", "0"),
        ("000", "0"),
        ("007", "7"),
        ("1.50", "1.5"),
        ("0.00100", "0.001"),
        ("68123.0", "68123"),
        ("1000000", "1000000"),
        ("0.00001234", "0.00001234"),
        ("999999999999999.999999999999", "999999999999999.999999999999"),
    ] {
        assert_eq!(decimal(given).text(), text);
        let json = serde_json::to_string(&decimal(given)).unwrap();
        assert_eq!(json, format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<Decimal>(&json).unwrap(), decimal(given));
    }
}

#[test]
fn places_and_figures_ignore_outer_zeros() {
    for (text, places, significant) in [
        ("0", 0, 0),
        ("0.0", 0, 0),
        ("10", 0, 1),
        ("100500", 0, 4),
        ("0.00120", 4, 2),
        ("1.001", 3, 4),
        ("12.5", 1, 3),
    ] {
        let value = decimal(text);
        assert_eq!((value.places(), value.significant()), (places, significant), "{text}");
        assert_eq!(value.is_integer(), places == 0, "{text}");
    }
    for (text, digits) in [("0", 0), ("1", 1), ("12.5", 2), ("0.5", 0), ("0.05", -1), ("100", 3)] {
        assert_eq!(decimal(text).whole_digits(), digits, "{text}");
    }
}

/// The examples of Hyperliquid's Python SDK, and the value that rounding twice moves.
#[test]
fn market_price_is_rounded_once() {
    for (unrounded, places, rounded) in [
        ("1753.605", 1, "1753.6"),
        ("78655.5", 5, "78656"),
        ("81800.45", 1, "81800"),
        ("81800.5", 1, "81800"),
        ("81801.5", 1, "81802"),
        ("99999.6", 1, "100000"),
        ("123456.7", 1, "123460"),
        ("0.00012345678", 6, "0.000123"),
        ("0.0000004", 6, "0"),
        ("0.00000050", 6, "0"),
        ("0.0000005001", 6, "0.000001"),
        ("0.0000015", 6, "0.000002"),
        ("0", 6, "0"),
    ] {
        assert_eq!(decimal(unrounded).rounded(5, places).text(), rounded, "{unrounded}");
    }
}

#[test]
fn zero_step_switches_the_rule_off() {
    let zero = Decimal::ZERO;
    assert!(decimal("0.123").is_step_from(zero, zero));
    assert!(decimal("60000.10").is_step_from(zero, decimal("0.10")));
    assert!(!decimal("60000.15").is_step_from(zero, decimal("0.10")));
    assert!(decimal("0.7").is_step_from(decimal("0.1"), decimal("0.3")));
    assert!(!decimal("0.6").is_step_from(decimal("0.1"), decimal("0.3")));
    assert!(decimal("0.1").is_step_from(decimal("0.7"), decimal("0.3")), "below the origin");
    let many = decimal("0.000000000001");
    let many = many.checked_mul(many).unwrap().checked_mul(many).unwrap();
    assert!(!decimal("999999999999999").is_step_from(zero, many), "too many digits");
}

#[test]
fn scale_is_bounded() {
    assert!(Decimal::new(1, 37).is_none());
    let smallest = Decimal::new(1, 36).unwrap();
    assert!(smallest.checked_mul(decimal("0.1")).is_none());
    assert!(smallest > Decimal::ZERO && smallest < decimal("0.000000000001"));
    assert_eq!(Decimal::new(u128::MAX, 0).unwrap().checked_add(Decimal::ONE), None);
    assert!(Decimal::new(u128::MAX, 0).unwrap() > smallest);
}

proptest! {
    #[test]
    fn parsed_value_equals_bigdecimal(text in any_text()) {
        let value = decimal(&text);
        prop_assert_eq!(big(value), text.parse::<BigDecimal>().unwrap());
        prop_assert_eq!(decimal(&value.text()), value);
        let shown = value.text();
        prop_assert!(!shown.contains('.') || !shown.ends_with('0'), "{}", shown);
        prop_assert!(shown == "0" || !shown.starts_with('0') || shown.starts_with("0."), "{}", shown);
    }

    #[test]
    fn order_equals_bigdecimal(one in any_text(), other in any_text()) {
        let (a, b) = (decimal(&one), decimal(&other));
        prop_assert_eq!(a.cmp(&b), big(a).cmp(&big(b)));
        prop_assert_eq!(a == b, big(a) == big(b));
    }

    #[test]
    fn sum_and_difference_equal_bigdecimal(one in any_text(), other in any_text()) {
        let (a, b) = (decimal(&one), decimal(&other));
        prop_assert_eq!(big(a.checked_add(b).unwrap()), big(a) + big(b));
        match a.checked_sub(b) {
            Some(difference) => prop_assert_eq!(big(difference), big(a) - big(b)),
            None => prop_assert!(a < b),
        }
    }

    /// A product without a value is above every limit.
    #[test]
    fn product_equals_bigdecimal_or_is_huge(one in any_text(), other in any_text()) {
        let (a, b) = (decimal(&one), decimal(&other));
        let expected = big(a) * big(b);
        match a.checked_mul(b) {
            Some(product) => prop_assert_eq!(big(product), expected),
            None => prop_assert!(expected > 100_000_000_000_000_u64),
        }
    }

    #[test]
    fn rounding_equals_bigdecimal(text in any_text(), significant in 1_u64..9, places in 0_u8..9) {
        let value = decimal(&text);
        let exact = big(value);
        let figures = exact.with_precision_round(
            NonZeroU64::new(significant).unwrap(),
            RoundingMode::HalfEven,
        );
        let fixed = exact.with_scale_round(i64::from(places), RoundingMode::HalfEven);
        // The coarser limit alone decides, because rounding twice moves some values.
        let last_figure = i64::try_from(significant).unwrap() - whole_digits(&exact);
        let expected = if last_figure < i64::from(places) { figures } else { fixed };
        let rounded = value.rounded(u32::try_from(significant).unwrap(), places);
        prop_assert_eq!(big(rounded), expected);
    }

    #[test]
    fn quotient_equals_bigdecimal(value in any_text(), divisor in any_text(), places in 0_u8..9) {
        let (value, divisor) = (decimal(&value), decimal(&divisor));
        let quotient = value.checked_div(divisor, places);
        if divisor.is_zero() {
            prop_assert_eq!(quotient, None);
        } else if let Some(quotient) = quotient {
            let exact = big(value) / big(divisor);
            let expected = exact.with_scale_round(i64::from(places), RoundingMode::HalfEven);
            prop_assert_eq!(big(quotient), expected);
        }
    }

    #[test]
    fn step_rule_equals_bigdecimal(value in any_text(), origin in any_text(), step in any_text()) {
        let (value, origin, step) = (decimal(&value), decimal(&origin), decimal(&step));
        let expected = step.is_zero() || ((big(value) - big(origin)) % big(step)).is_zero();
        prop_assert_eq!(value.is_step_from(origin, step), expected);
    }

    #[test]
    fn arbitrary_text_never_panics(text in ".{0,40}") {
        if let Ok(value) = Decimal::parse(&text) {
            let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            prop_assert!(is_plain);
            prop_assert_eq!(big(value), text.parse::<BigDecimal>().unwrap());
        }
    }
}

/// Returns the number of digits before the point; for a value below one, minus the zeros after it.
fn whole_digits(value: &BigDecimal) -> i64 {
    let (digits, scale) = value.as_bigint_and_exponent();
    let count = if digits.is_zero() { 0 } else { digits.to_string().len() };
    i64::try_from(count).unwrap() - scale
}
