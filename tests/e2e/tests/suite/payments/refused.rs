//! Payments that the policy or the exchange refuses. Nothing leaves the wallet.

use e2e::payments::{DELAY_S, Place, TREASURY, limit};
use serde_json::json;

use super::{Scene, USER};

const STRANGER: &str = "0x00000000000000000000000000000000000000aa";

#[tokio::test(flavor = "multi_thread")]
async fn payment_to_unlisted_address_is_refused() {
    let scene = Scene::open().await;
    let (app, till) = (&scene.app, &scene.till);
    for place in [Place::Hyperliquid, Place::HyperliquidSend, Place::Chain] {
        let mut body = place.body(USER, "20");
        body["destination"] = json!(STRANGER);
        let refused = till.pay_with(app, place, "stranger", &body).await;
        let reason = (refused.status, refused.text("/code"), refused.text("/reason"));
        let expected = (422, "POLICY_REFUSED", "DESTINATION_NOT_ALLOWED");
        assert_eq!(reason, expected, "{place:?}: {refused:?}");
        assert_eq!(till.total(app, place), 0);
    }
    // Aster pays to the wallet itself only.
    let mut body = Place::Aster.body(USER, "20");
    body["receiver"] = json!(TREASURY);
    let refused = till.pay_with(app, Place::Aster, "other", &body).await;
    assert_eq!(refused.status / 100, 4, "{refused:?}");
    assert_eq!(till.total(app, Place::Aster), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn new_destination_is_refused_until_its_delay_has_passed() {
    let scene = Scene::open().await;
    let (app, till) = (&scene.app, &scene.till);
    let destination = json!({
        "venue": "evm:56", "address": STRANGER, "assets": ["evm:56/USDT"], "label": "New",
    });
    let add = json!({ "type": "addDestination", "destination": destination });
    scene.approvers.change(app, &add, &[0, 2]).await.unwrap();
    let mut body = Place::Chain.body(USER, "20");
    body["destination"] = json!(STRANGER);
    let refused = till.pay_with(app, Place::Chain, "early", &body).await;
    assert_eq!(refused.text("/reason"), "DESTINATION_NOT_ACTIVE", "{refused:?}");
    assert!(refused.body["data"]["activeFrom"].as_u64().unwrap() > app.clock.now_ms());
    app.clock.advance_ms(DELAY_S * 1_000);
    let made = till.pay_with(app, Place::Chain, "later", &body).await;
    assert!(matches!(made.status, 200 | 202), "{made:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn payment_above_the_limit_is_refused_with_what_is_left() {
    let scene = Scene::limited("100", None).await;
    let (app, till) = (&scene.app, &scene.till);
    for place in [Place::Hyperliquid, Place::Aster, Place::Chain] {
        let made = till.pay(app, place, "first", "60").await;
        assert!(matches!(made.status, 200 | 202), "{place:?}: {made:?}");
        let refused = till.pay(app, place, "second", "60").await;
        let reason = (refused.status, refused.text("/reason"));
        assert_eq!(reason, (422, "LIMIT_EXCEEDED"), "{place:?}: {refused:?}");
        assert!(!refused.text("/data/left").is_empty(), "{refused:?}");
        assert_eq!(till.total(app, place), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn frozen_tenant_pays_nothing() {
    let scene = Scene::open().await;
    let (app, till) = (&scene.app, &scene.till);
    scene.approvers.change(app, &json!({ "type": "freeze" }), &[2]).await.unwrap();
    for place in [Place::Hyperliquid, Place::HyperliquidSend, Place::Aster, Place::Chain] {
        let refused = till.pay(app, place, "frozen", "20").await;
        assert_eq!((refused.status, refused.text("/reason")), (422, "FROZEN"), "{refused:?}");
        assert_eq!(till.total(app, place), 0);
    }
    scene.approvers.change(app, &json!({ "type": "unfreeze" }), &[0, 1]).await.unwrap();
    app.clock.advance_ms(DELAY_S * 1_000);
    let made = till.pay(app, Place::Aster, "thawed", "20").await;
    assert!(matches!(made.status, 200 | 202), "{made:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn payment_above_approve_above_waits_for_approvers() {
    let scene = Scene::open().await;
    let (app, till) = (&scene.app, &scene.till);
    for place in [Place::Hyperliquid, Place::Aster, Place::Chain] {
        let key = format!("{place:?}");
        let asked = till.pay(app, place, &key, "1500").await;
        assert_eq!((asked.status, asked.text("/code")), (409, "APPROVAL_REQUIRED"), "{asked:?}");
        let text = asked.text("/data/text").to_owned();
        let sign = |place: usize| json!(scene.approvers.sign(place, &text));
        let mut body = place.body(USER, "1500");
        body["approvals"] = json!([sign(0)]);
        let refused = till.pay_with(app, place, &key, &body).await;
        assert_eq!(refused.text("/code"), "APPROVAL_REQUIRED", "{refused:?}");
        let forged = json!(scene.approvers.sign(1, "another text"));
        let mut stranger = sign(1);
        stranger["approver"] = json!("eve");
        for (second, reason) in
            [(sign(0), "DUPLICATE"), (forged, "BAD_APPROVAL"), (stranger, "UNKNOWN_APPROVER")]
        {
            let approver = second["approver"].clone();
            body["approvals"] = json!([sign(0), second]);
            let refused = till.pay_with(app, place, &key, &body).await;
            assert_eq!((refused.status, refused.text("/code")), (422, "APPROVAL_INVALID"));
            let want = json!([{ "index": 1, "approver": approver, "reason": reason }]);
            assert_eq!(refused.body["data"]["rejected"], want, "{refused:?}");
            // The text does not change.
            assert_eq!(refused.text("/data/text"), text, "{refused:?}");
        }
        // The approvals are for this payment under this key alone.
        body["approvals"] = json!([sign(0), sign(1)]);
        let other = till.pay_with(app, place, &format!("{key}-2"), &body).await;
        assert_eq!(other.text("/code"), "APPROVAL_INVALID", "{other:?}");
        assert_eq!(till.total(app, place), 0, "{place:?}");
        let made = till.pay_with(app, place, &key, &body).await;
        assert!(matches!(made.status, 200 | 202), "{place:?}: {made:?}");
        assert_eq!(till.executed(app, place, "1500"), 1);
    }
}

/// Approvers have a day. After it, the same request has a new text, which can be approved.
#[tokio::test(flavor = "multi_thread")]
async fn late_approvals_sign_a_new_text() {
    let scene = Scene::open().await;
    let (app, till, place) = (&scene.app, &scene.till, Place::HyperliquidSend);
    let mut body = place.body(USER, "1500");
    let first = till.pay_with(app, place, "late", &body).await;
    assert_eq!(first.text("/code"), "APPROVAL_REQUIRED", "{first:?}");
    let late = json!([scene.approvers.sign(0, first.text("/data/text"))]);
    app.clock.advance_ms(25 * 3_600_000);
    body["approvals"] = late.clone();
    let asked = till.pay_with(app, place, "late", &body).await;
    assert_eq!((asked.status, asked.text("/code")), (422, "APPROVAL_INVALID"), "{asked:?}");
    let rejected = json!([{ "index": 0, "approver": late[0]["approver"], "reason": "EXPIRED" }]);
    assert_eq!(asked.body["data"]["rejected"], rejected, "{asked:?}");
    let text = asked.text("/data/text");
    assert_ne!(text, first.text("/data/text"));
    body["approvals"] = json!([scene.approvers.sign(0, text), scene.approvers.sign(1, text)]);
    app.clock.advance_ms(3_600_000);
    let made = till.pay_with(app, place, "late", &body).await;
    assert!(matches!(made.status, 200 | 202), "{made:?}");
    assert_eq!(till.executed(app, place, "1500"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_amounts_are_refused() {
    let scene = Scene::open().await;
    let (app, till) = (&scene.app, &scene.till);
    for place in Place::ALL {
        for amount in ["0", "-1", "1e2", "1.", "01", " 1", "1 subaccount:0x12", "1.50", "0x10", ""]
        {
            let refused = till.pay(app, place, "invalid", amount).await;
            assert_eq!(refused.status / 100, 4, "{place:?} {amount:?}: {refused:?}");
        }
        assert_eq!(till.total(app, place), 0, "{place:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn payment_without_key_or_with_used_key_is_refused() {
    let scene = Scene::open().await;
    let (app, till) = (&scene.app, &scene.till);
    for place in Place::ALL {
        let body = place.body(USER, "20");
        let bare = app.request(http::Method::POST, &place.path(USER)).json(&body);
        let refused = app.send(bare).await;
        let expected = (400, "IDEMPOTENCY_KEY_REQUIRED");
        assert_eq!((refused.status, refused.text("/code")), expected, "{place:?}: {refused:?}");
        // Two kinds of payments at one exchange share its keys.
        let key = format!("key-{place:?}");
        let made = till.pay(app, place, &key, "20").await;
        assert!(matches!(made.status, 200 | 202), "{place:?}: {made:?}");
        let other = till.pay(app, place, &key, "21").await;
        assert_eq!(other.status, 422, "{place:?}: {other:?}");
        assert_eq!(other.text("/code"), "IDEMPOTENCY_KEY_REUSED", "{other:?}");
        assert_eq!(till.executed(app, place, "21"), 0);
    }
}

/// The exchange has less than the policy allows.
#[tokio::test(flavor = "multi_thread")]
async fn payment_without_funds_is_refused_and_stays_refused() {
    let scene = Scene::limited("9000000", None).await;
    let (app, till) = (&scene.app, &scene.till);
    for place in [Place::Hyperliquid, Place::HyperliquidSend, Place::Aster] {
        let refused = till.pay(app, place, "much", "2000000").await;
        assert_eq!(refused.status, 422, "{place:?}: {refused:?}");
        let again = till.pay(app, place, "much", "2000000").await;
        assert_eq!((again.status, again.text("/code")), (422, refused.text("/code")), "{again:?}");
        assert_eq!(till.executed(app, place, "2000000"), 0);
    }
}

/// A lower limit is in effect at once, with one signature.
#[tokio::test(flavor = "multi_thread")]
async fn lower_limit_applies_to_the_next_payment() {
    let scene = Scene::open().await;
    let (app, till) = (&scene.app, &scene.till);
    scene.approvers.change(app, &limit("aster/USDT", "10", Some("1000")), &[1]).await.unwrap();
    let refused = till.pay(app, Place::Aster, "above", "20").await;
    assert_eq!(refused.text("/reason"), "LIMIT_EXCEEDED", "{refused:?}");
    assert_eq!(till.total(app, Place::Aster), 0);
}
