//! A payment for the tests of this folder.

use domain::money::{AccountType, AsterWithdraw, Payment};
use domain::policy::{Amount, Venue};
use uuid::Uuid;

use crate::store::{ExpectedCosts, PaymentRecord, PaymentState};

pub(super) fn record() -> PaymentRecord {
    PaymentRecord {
        schema: 1,
        id: "p-1".parse().unwrap(),
        venue: Venue::Aster,
        fingerprint: String::new(),
        payment: Payment::AsterWithdraw(AsterWithdraw {
            chain_id: 56,
            asset: "USDT".to_owned(),
            amount: Amount::parse("50").unwrap(),
            fee: Amount::parse("0.11").unwrap(),
            account_type: AccountType::Perp,
        }),
        expected: ExpectedCosts {
            fee: Amount::parse("0.11").unwrap(),
            fee_asset: "USDT".to_owned(),
            chain_id: Some(56),
        },
        state: PaymentState::Accepted,
        revision: Uuid::nil(),
        approve_until_s: 0,
        created_at_ms: 0,
        updated_at_ms: 0,
        lease_until_ms: 0,
        signed: None,
        exchange_id: None,
        transaction_hash: None,
        fee_taken: None,
        refusal: None,
        next_check_ms: None,
        checks: 0,
        unreported: false,
    }
}
