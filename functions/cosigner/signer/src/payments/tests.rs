//! Payments of tests, and tests that every stored form parses.

use domain::money::{AccountType, AsterWithdraw, Dex, HyperliquidMoveOwn, Nonces, Payment};
use platform::items::Item;
use protocol::ReportedOutcome;

use super::record::{Report, Withdrawal, read_open};
use super::spent::{Spent, Sum};

fn item(text: &str) -> Item {
    let item: serde_dynamo::Item = serde_json::from_str(text).unwrap();
    item.into()
}

#[test]
fn items_of_schema_1_are_read() {
    let withdrawal = item(include_str!("../../tests/samples/withdrawal.v1.json"));
    let withdrawal = Withdrawal::read(Some(withdrawal)).unwrap().unwrap();
    assert!(withdrawal.is_of(&aster("20", "0.5")).unwrap());
    assert!(!withdrawal.is_of(&aster("20", "0.6")).unwrap());
    assert_eq!(withdrawal.nonces, Nonces::Aster(4_000_003_600_000_001, 4_000_003_600_000_000));
    assert_eq!((withdrawal.signatures.len(), withdrawal.version), (1, 2));
    let spent = item(include_str!("../../tests/samples/spent.v1.json"));
    let spent = Spent::read(Some(spent)).unwrap();
    let sum = spent.sum(&"aster/USDT".parse().unwrap(), 1_111_113 * 3_600_000);
    assert_eq!(sum, Sum { amount: "61.5".parse().unwrap(), payments: 3 });
    let open = read_open(item(include_str!("../../tests/samples/open-payment.v1.json"))).unwrap();
    let report = Report {
        outcome: ReportedOutcome::Completed,
        reference: Some("1014".to_owned()),
        at_ms: 4_000_003_700_000,
        by: "resolve-orders-aster".to_owned(),
    };
    assert_eq!((open.id.as_str(), open.report), ("payment-1", Some(report)));
}

pub(super) fn move_own(amount: &str) -> Payment {
    Payment::HyperliquidMoveOwn(HyperliquidMoveOwn {
        token: "USDC:0x6d1e7cde53ba9467b783cb7c530ce054".to_owned().try_into().unwrap(),
        amount: amount.parse().unwrap(),
        from: Dex::perps(),
        to: Dex::spot(),
        standard: true,
    })
}

pub(super) fn aster(amount: &str, fee: &str) -> Payment {
    Payment::AsterWithdraw(AsterWithdraw {
        chain_id: 56,
        asset: "USDT".to_owned(),
        amount: amount.parse().unwrap(),
        fee: fee.parse().unwrap(),
        account_type: AccountType::Perp,
    })
}
