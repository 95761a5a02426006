use domain::eth::Address;
use proptest::prelude::*;

use super::*;
use crate::trading::decimal::Decimal;
use crate::trading::policy::{loosens, tests::some_fields};

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn address(number: u64) -> Address {
    format!("0x{number:040x}").parse().unwrap()
}

fn order(notional: &str) -> PolicyFields {
    PolicyFields { max_order_notional: Some(decimal(notional)), ..PolicyFields::default() }
}

fn most(setting: &Setting, tenant: &PolicyFields) -> String {
    setting.effective(Some(tenant)).max_order_notional.text()
}

#[test]
fn override_tightens_single_fields() {
    let tenant = PolicyFields { orders_per_minute: Some(50), ..order("10") };
    let wallet = PolicyFields { orders_per_minute: Some(5), ..PolicyFields::default() };
    let policy = Setting { policy: wallet, grant: None }.effective(Some(&tenant));
    assert_eq!((policy.max_order_notional, policy.orders_per_minute), (decimal("10"), 5));
}

/// A key that may only tighten can store the limits in effect, or values close to them.
#[test]
fn override_does_not_pin_the_limits_of_its_tenant() {
    let pinned = PolicyFields {
        symbols: Some(vec!["BTC".to_owned()]),
        max_order_notional: Some(decimal("999999")),
        max_position_notional: Some(decimal("1000000")),
        max_leverage: Some(40),
        orders_per_minute: Some(300),
        reduce_only: Some(false),
        max_slippage: Some(decimal("0.1")),
        builders: Some(vec![address(1)]),
        max_builder_fee: Some(100),
    };
    let brake = PolicyFields {
        symbols: Some(vec![]),
        max_order_notional: Some(decimal("100")),
        max_position_notional: Some(decimal("100")),
        max_leverage: Some(1),
        orders_per_minute: Some(1),
        reduce_only: Some(true),
        max_slippage: Some(decimal("0.01")),
        builders: Some(vec![]),
        max_builder_fee: Some(0),
    };
    let setting = Setting { policy: pinned, grant: None };
    assert_eq!(setting.effective(Some(&brake)), brake.effective());
}

#[test]
fn granted_override_holds_until_the_tenant_is_tighter_than_it_was() {
    let grant = Grant { policy: order("2000"), tenant: order("1000") };
    let granted = Setting { policy: order("2000"), grant: Some(grant.clone()) };
    for (tenant, limit) in [("1000", "2000"), ("1500", "2000"), ("3000", "2000"), ("999", "999")] {
        assert_eq!(most(&granted, &order(tenant)), limit, "{tenant}");
    }
    // The grant covers what the admin stated, and not what others state later.
    let more = Setting { policy: order("5000"), grant: Some(grant) };
    assert_eq!(most(&more, &order("1000")), "2000");
    assert_eq!(most(&more, &order("3000")), "3000");
    // Other fields follow the tenant.
    let brake = PolicyFields { reduce_only: Some(true), ..order("1000") };
    let policy = granted.effective(Some(&brake));
    assert!(policy.reduce_only && policy.max_order_notional == decimal("2000"));
}

#[test]
fn granted_market_ends_with_a_market_that_the_tenant_drops() {
    let names = |names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned());
        PolicyFields { symbols: Some(names.collect()), ..PolicyFields::default() }
    };
    let grant = Grant { policy: names(&["BTC", "ETH"]), tenant: names(&["BTC", "SOL"]) };
    let setting = Setting { policy: grant.policy.clone(), grant: Some(grant) };
    let symbols = |tenant: &PolicyFields| setting.effective(Some(tenant)).symbols.unwrap();
    assert_eq!(symbols(&names(&["SOL", "BTC"])), ["BTC", "ETH"]);
    assert_eq!(symbols(&names(&["BTC"])), ["BTC"]);
    assert_eq!(symbols(&PolicyFields::default()), ["BTC", "ETH"]);
}

/// The limits of the builder follow the same rules: a wallet has the tighter ones, and a grant ends
/// when its tenant tightens them.
#[test]
fn override_tightens_the_builder_and_a_grant_ends_with_it() {
    let builder = |builders: &[u64], max_builder_fee| PolicyFields {
        builders: Some(builders.iter().map(|number| address(*number)).collect()),
        max_builder_fee: Some(max_builder_fee),
        ..PolicyFields::default()
    };
    let limits = |setting: &Setting, tenant: &PolicyFields| {
        let policy = setting.effective(Some(tenant));
        (policy.builders.unwrap(), policy.max_builder_fee.unwrap())
    };
    let none = Setting { policy: builder(&[], 0), grant: None };
    assert_eq!(limits(&none, &builder(&[1], 50)), (vec![], 0));
    let plain = Setting { policy: builder(&[1, 2], 100), grant: None };
    assert_eq!(limits(&plain, &builder(&[1], 50)), (vec![address(1)], 50));
    let grant = Grant { policy: builder(&[1, 2], 100), tenant: builder(&[1], 50) };
    let granted = Setting { grant: Some(grant), ..plain };
    assert_eq!(limits(&granted, &builder(&[1], 50)), (vec![address(1), address(2)], 100));
    assert_eq!(limits(&granted, &builder(&[], 49)), (vec![], 49));
}

proptest! {
    /// Whatever a wallet's record states: without a grant it allows nothing that its tenant refuses,
    /// and a tenant that tightens its policy tightens every wallet's.
    #[test]
    fn tenant_always_limits_its_wallets(
        wallet in some_fields(),
        granted in some_fields(),
        then in some_fields(),
        tenant in some_fields(),
    ) {
        let plain = Setting { policy: wallet.clone(), grant: None };
        let own = plain.effective(Some(&tenant));
        prop_assert!(!loosens(&tenant.effective(), &own));
        prop_assert!(!loosens(&wallet.over(&tenant).effective(), &own));

        let grant = Some(Grant { policy: granted, tenant: then.clone() });
        let setting = Setting { policy: wallet, grant };
        let before = setting.effective(Some(&then));
        let after = setting.effective(Some(&tenant));
        // A grant holds for the policy that the admin saw. A tighter one limits the wallet.
        if !loosens(&then.effective(), &tenant.effective()) {
            prop_assert!(!loosens(&before, &after));
        }
        let braked = PolicyFields {
            symbols: Some(vec![]),
            max_order_notional: Some(Decimal::ZERO),
            max_position_notional: Some(Decimal::ZERO),
            max_leverage: Some(0),
            orders_per_minute: Some(0),
            reduce_only: Some(true),
            max_slippage: Some(Decimal::ZERO),
            builders: Some(vec![]),
            max_builder_fee: Some(0),
        };
        let stopped = setting.effective(Some(&braked));
        let never = then.max_order_notional == Some(Decimal::ZERO);
        prop_assert!(never || stopped.max_order_notional == Decimal::ZERO);
        prop_assert!(then.reduce_only == Some(true) || stopped.reduce_only);
    }
}
