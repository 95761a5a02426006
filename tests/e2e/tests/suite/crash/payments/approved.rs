//! Kills payments that need approvals of their own at each of their remote calls.

use e2e::kill::Call;

use super::{Kind, Scene, USER, ended, report};

async fn approved(kind: Kind) {
    // Each payment takes the sum above the limit.
    let scene = Scene::limited(kind, Some("1")).await;
    let h = &scene.h;
    let new = async || {
        let call = scene.new_payment().await;
        let asked = h.call(&h.proxy.process(), &call).await.unwrap();
        assert_eq!((asked.status, asked.text("/code")), (409, "APPROVAL_REQUIRED"), "{asked:?}");
        let text = asked.text("/data/text");
        let approvals: Vec<_> = [0, 2].map(|place| scene.approvers.sign(place, text)).into();
        let mut case = scene.case();
        let mut body = kind.body(&case.amount);
        body["approvals"] = serde_json::json!(approvals);
        case.call = Call::pay(kind.place(), USER, &body).keyed(call.key.unwrap());
        let call = case.call.clone();
        *scene.case.lock().unwrap() = Some(case);
        call
    };
    let check = async |_: &Call| scene.executed_once().await;
    let rows = [h.drive("pay with approvals", new, ended, check).await];
    report(&format!("kill-points-pay-approved-{kind:?}.md"), &rows);
}

at_each! {
    approved:
        Withdrawal approved_hyperliquid_withdrawal_killed_pays_once,
        Aster approved_aster_withdrawal_killed_pays_once,
        Token approved_chain_transfer_killed_pays_once;
}
