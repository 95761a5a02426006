use super::*;
use crate::trading::policy::Policy;

const NOW_MS: u64 = 1_790_000_000_000;
const DELAY_MS: u64 = 100;
const REV: Uuid = Uuid::nil();

fn rate(orders_per_minute: u32) -> PolicyFields {
    PolicyFields { orders_per_minute: Some(orders_per_minute), ..PolicyFields::default() }
}

fn order(notional: &str) -> PolicyFields {
    PolicyFields { max_order_notional: notional.parse().ok(), ..PolicyFields::default() }
}

/// Changes the policy of a tenant, or of a wallet of `tenant`.
fn change(
    record: &PolicyRecord,
    fields: PolicyFields,
    (may_loosen, at_ms): (bool, u64),
    tenant: Option<&PolicyFields>,
) -> Result<(PolicyRecord, Loosening), MayNotLoosen> {
    let (now_ms, delay_ms) = (NOW_MS + at_ms, DELAY_MS);
    record.changed(&FieldsChange { fields, tenant, may_loosen, now_ms, delay_ms }, REV)
}

/// Changes a tenant's policy as an admin.
fn admin(record: &PolicyRecord, fields: PolicyFields, at_ms: u64) -> (PolicyRecord, Loosening) {
    change(record, fields, (true, at_ms), None).unwrap()
}

/// Changes a tenant's policy as a caller that may only tighten it.
fn trade(
    record: &PolicyRecord,
    fields: PolicyFields,
    at_ms: u64,
) -> Result<PolicyRecord, MayNotLoosen> {
    let changed = change(record, fields, (false, at_ms), None);
    changed.map(|(record, loosening)| {
        assert_eq!(loosening, Loosening::No);
        record
    })
}

fn in_effect(record: &PolicyRecord, at_ms: u64) -> PolicyFields {
    record.setting_at(NOW_MS + at_ms).policy
}

#[test]
fn loosening_waits_and_tightening_is_immediate() {
    let (strict, how) = admin(&PolicyRecord::empty(REV), order("10"), 0);
    assert_eq!((how, in_effect(&strict, 0)), (Loosening::No, order("10")));

    let (waiting, how) = admin(&strict, order("20"), 0);
    assert_eq!(how, Loosening::Pending);
    assert_eq!(in_effect(&waiting, 99), order("10"));
    assert_eq!(in_effect(&waiting, 100), order("20"));

    // An admin's change drops the pending fields.
    let (tight, how) = admin(&waiting, order("5"), 50);
    assert_eq!((how, &tight.pending), (Loosening::No, &None));
    assert_eq!(in_effect(&tight, 1_000), order("5"));

    // After the delay, the looser fields are the present ones.
    let (next, how) = admin(&waiting, order("15"), 100);
    assert_eq!((how, in_effect(&next, 100)), (Loosening::No, order("15")));
    // Removing a limit loosens.
    let (_, how) = admin(&strict, PolicyFields::default(), 0);
    assert_eq!(how, Loosening::Pending);
    assert_eq!(trade(&strict, PolicyFields::default(), 0), Err(MayNotLoosen));
}

#[test]
fn caller_that_may_only_tighten_does_not_drop_what_waits() {
    let (strict, _) = admin(&PolicyRecord::empty(REV), order("10"), 0);
    let (waiting, _) = admin(&strict, order("20"), 0);
    // The present policy again changes nothing.
    let same = trade(&waiting, order("10"), 50).unwrap();
    assert_eq!(same, waiting);
    // A tighter field stays tight, and the others wait on.
    let wanted = PolicyFields { reduce_only: Some(true), ..order("20") };
    let (waiting, _) = admin(&strict, PolicyFields { orders_per_minute: Some(200), ..wanted }, 0);
    let tight = PolicyFields { orders_per_minute: Some(100), ..order("10") };
    let tightened = trade(&waiting, tight.clone(), 50).unwrap();
    assert_eq!(in_effect(&tightened, 50), tight);
    let later = in_effect(&tightened, 100);
    assert_eq!(
        (&later.max_order_notional, later.orders_per_minute),
        (&order("20").max_order_notional, Some(100))
    );
    assert_eq!(later.reduce_only, Some(true));
    // If nothing looser is left, nothing waits.
    let (waiting, _) = admin(&strict, order("20"), 0);
    assert_eq!(trade(&waiting, order("5"), 50).unwrap().pending, None);
}

#[test]
fn admin_undoes_a_tightening_at_once() {
    let (start, _) = admin(&PolicyRecord::empty(REV), rate(100), 0);
    let stopped = trade(&start, rate(0), 10).unwrap();
    let (undone, how) = admin(&stopped, rate(100), 50);
    assert_eq!((how, in_effect(&undone, 50)), (Loosening::No, rate(100)));
    assert_eq!(undone.undo, None);
    // Every other loosening waits. Meanwhile the tightening can still be undone.
    for limit in [60, 101] {
        let (other, how) = admin(&stopped, rate(limit), 50);
        assert_eq!((how, in_effect(&other, 50)), (Loosening::Pending, rate(0)));
        let (undone, how) = admin(&other, rate(100), 60);
        assert_eq!((how, in_effect(&undone, 60)), (Loosening::No, rate(100)));
    }
    // After the delay it is the present policy, and so is an admin's own tightening from the start.
    assert_eq!(admin(&stopped, rate(100), 110).1, Loosening::Pending);
    let (own, _) = admin(&start, rate(0), 10);
    assert_eq!(admin(&own, rate(100), 20).1, Loosening::Pending);
    let (confirmed, _) = admin(&stopped, PolicyFields { max_leverage: Some(1), ..rate(0) }, 20);
    assert_eq!(admin(&confirmed, rate(100), 30).1, Loosening::Pending);
    assert_eq!(trade(&stopped, rate(100), 20), Err(MayNotLoosen));
}

/// Small tightenings in a row must not use up the time in which an admin can undo the first.
#[test]
fn undo_covers_a_chain_of_tightenings() {
    let (start, _) = admin(&PolicyRecord::empty(REV), rate(100), 0);
    let mut record = start;
    for (nth, limit) in [90, 80, 70, 0].into_iter().enumerate() {
        record = trade(&record, rate(limit), 60 * nth as u64).unwrap();
    }
    let (undone, how) = admin(&record, rate(100), 200);
    assert_eq!((how, in_effect(&undone, 200)), (Loosening::No, rate(100)));
}

#[test]
fn tightening_does_not_restart_the_delay_of_a_loosening() {
    let (start, _) = admin(&PolicyRecord::empty(REV), rate(10), 0);
    let (waiting, _) = admin(&start, rate(20), 0);
    let stopped = trade(&waiting, rate(0), 90).unwrap();
    assert_eq!(stopped.pending, None);
    // The undone policy waits no longer than before.
    let (undone, how) = admin(&stopped, rate(10), 95);
    assert_eq!((how, in_effect(&undone, 99)), (Loosening::No, rate(10)));
    assert_eq!(in_effect(&undone, 100), rate(20));
    let (again, how) = admin(&stopped, rate(20), 95);
    assert_eq!((how, in_effect(&again, 100)), (Loosening::Pending, rate(20)));
    // After that time it is restored at once.
    let (restored, how) = admin(&stopped, rate(20), 120);
    assert_eq!((how, in_effect(&restored, 120)), (Loosening::No, rate(20)));
    // A repeated request keeps the start, and another one has its own.
    let from_ms =
        |fields, at_ms| admin(&waiting, fields, at_ms).0.pending.unwrap().from_ms - NOW_MS;
    assert_eq!(
        [from_ms(rate(20), 50), from_ms(rate(15), 50), from_ms(rate(21), 50)],
        [100, 150, 150]
    );
}

fn wallet(
    record: &PolicyRecord,
    fields: PolicyFields,
    call: (bool, u64),
    tenant: &PolicyFields,
) -> Result<(PolicyRecord, Loosening), MayNotLoosen> {
    change(record, fields, call, Some(tenant))
}

fn limit(record: &PolicyRecord, at_ms: u64, tenant: &PolicyFields) -> Policy {
    record.setting_at(NOW_MS + at_ms).effective(Some(tenant))
}

#[test]
fn override_above_its_tenant_requires_an_admin_and_waits() {
    let (tenant, empty) = (order("1000"), PolicyRecord::empty(REV));
    assert_eq!(wallet(&empty, order("2000"), (false, 0), &tenant), Err(MayNotLoosen));
    let (waiting, how) = wallet(&empty, order("2000"), (true, 0), &tenant).unwrap();
    assert_eq!(how, Loosening::Pending);
    let notional = |at_ms, tenant| limit(&waiting, at_ms, tenant).max_order_notional.text();
    assert_eq!([notional(99, &tenant), notional(100, &tenant)], ["1000", "2000"]);
    // The tenant tightens its policy while the override waits.
    assert_eq!(notional(100, &order("500")), "500");

    // A caller that may only tighten keeps the admin's grant and cannot widen it.
    let (less, _) = wallet(&waiting, order("1500"), (false, 200), &tenant).unwrap();
    assert_eq!(limit(&less, 200, &tenant).max_order_notional.text(), "1500");
    assert_eq!(wallet(&less, order("1600"), (false, 200), &tenant), Err(MayNotLoosen));
    let loose = order("9000");
    let (pinned, _) = wallet(&less, order("1500"), (false, 300), &loose).unwrap();
    assert_eq!(limit(&pinned, 300, &order("800")).max_order_notional.text(), "800");
}

/// While the tenant's brake is on, a caller that may only tighten cannot prepare a looser policy for
/// the time after it.
#[test]
fn brake_of_the_tenant_cannot_be_used_to_widen_an_override() {
    let (tenant, brake) = (order("1000"), order("100"));
    let empty = PolicyRecord::empty(REV);
    let (waiting, _) = wallet(&empty, order("2000"), (true, 0), &tenant).unwrap();
    for fields in [order("50000"), order("2001"), order("101")] {
        assert_eq!(wallet(&waiting, fields, (false, 200), &brake), Err(MayNotLoosen));
    }
    // Nor can it drop the exception that an admin has announced.
    let (tight, _) = wallet(&waiting, rate(7), (false, 50), &brake).unwrap();
    let exception = limit(&tight, 100, &tenant);
    assert_eq!(
        (exception.max_order_notional.text().as_str(), exception.orders_per_minute),
        ("2000", 7)
    );
    // The present override again changes nothing, and an admin's request starts a new delay.
    let (same, how) = wallet(&waiting, order("2000"), (false, 200), &brake).unwrap();
    assert_eq!((how, limit(&same, 200, &tenant)), (Loosening::No, limit(&waiting, 200, &tenant)));
    let (again, how) = wallet(&waiting, order("2000"), (true, 200), &brake).unwrap();
    assert_eq!(how, Loosening::Pending);
    assert_eq!(limit(&again, 299, &brake).max_order_notional.text(), "100");
    assert_eq!(limit(&again, 300, &brake).max_order_notional.text(), "2000");
}

#[test]
fn stored_form_is_stable() {
    let stored = serde_json::json!({
        "schema": 1,
        "rev": "00000000-0000-0000-0000-000000000000",
        "policy": {"symbols": ["BTC"], "maxOrderNotional": "10"},
        "pending": {"policy": {"reduceOnly": false, "maxSlippage": "0.05"}, "fromMs": 5},
    });
    let record: PolicyRecord = serde_json::from_value(stored.clone()).unwrap();
    assert_eq!(serde_json::to_value(record).unwrap(), stored);

    let grant = Grant { policy: order("20"), tenant: order("10") };
    let pending = PendingPolicy { policy: order("20"), grant: Some(grant.clone()), from_ms: 5 };
    let undo = Undo {
        policy: order("15"),
        grant: Some(grant.clone()),
        pending: Some(pending.clone()),
        until_ms: 7,
    };
    let record = PolicyRecord {
        grant: Some(grant),
        pending: Some(pending),
        undo: Some(undo),
        ..PolicyRecord::empty(REV)
    };
    let stored = serde_json::to_value(&record).unwrap();
    let grant = serde_json::json!({
        "policy": {"maxOrderNotional": "20"}, "tenant": {"maxOrderNotional": "10"},
    });
    assert_eq!(stored["grant"], grant);
    assert_eq!(stored["undo"]["untilMs"], 7);
    assert_eq!(stored["undo"]["pending"], stored["pending"]);
    assert_eq!(serde_json::from_value::<PolicyRecord>(stored).unwrap(), record);
}
