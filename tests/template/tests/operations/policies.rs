//! Changes of the payment policy.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::policy::{Approver, Authority};
use http::Method;
use hyperdex_local::SEALS_TABLE;
use hyperdex_local::approver::ApproverKey;
use serde_json::{Value, json};
use template::read;

use crate::cloud::Cloud;

/// Returns the built-in policy of the cosigner with this approver for every tenant.
pub(super) fn document(key: &ApproverKey) -> String {
    let approver = Approver { id: "alice".into(), public_key: key.public_key(), webauthn: None };
    let authority = Authority { threshold: 1, approvers: vec![approver] };
    let mut document: Value = serde_json::from_str(&read("infra/cosigner-policy.json")).unwrap();
    document["policyChain"]["firstAuthority"] = json!(authority);
    document.to_string()
}

/// Signs the text of a response, and returns the fields that submit it.
fn signed(key: &ApproverKey, data: &Value) -> Value {
    let signature = hex::encode(key.sign(data["text"].as_str().unwrap()).unwrap());
    json!({
        "sequence": data["sequence"],
        "previousHash": data["previousHash"],
        "notAfter": data["notAfter"],
        "approvals": [{ "approver": "alice", "signature": { "der": signature } }],
    })
}

/// Makes a change that one approver may make.
pub(super) async fn made(cloud: &Cloud, key: &ApproverKey, change: Value) {
    let at = || (Method::POST, "/api/policy/changes");
    let asked = json!({ "change": change });
    let (status, text) = cloud.send("propose-policy-change", at(), Some(asked)).await;
    assert_eq!(status, 200, "{text}");
    let mut body = signed(key, &text["data"]);
    body["change"] = change;
    let (status, made) = cloud.send("propose-policy-change", at(), Some(body)).await;
    assert_eq!(status, 201, "{made}");
}

/// Reads a policy from a table that lacks the newest seal, as a restored one does: payments are off.
pub(super) async fn restored(cloud: &Cloud) {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let client = cloud.app.stack.aws().dynamodb();
    let seal = client
        .put_item()
        .table_name(SEALS_TABLE)
        .item("pk", text("seals"))
        .item("sk", text("newest"))
        .item("number", AttributeValue::N("7".to_owned()))
        .item("hash", text("00ff"));
    seal.send().await.unwrap();
    let (status, policy) = cloud.send("get-policy", (Method::GET, "/api/policy"), None).await;
    assert_eq!((status, &policy["data"]["paymentsOn"]), (200, &json!(false)), "{policy}");
}

/// Proposes, repeats, approves and cancels changes.
pub(super) async fn changed(cloud: &Cloud, key: &ApproverKey) {
    const CHANGES: &str = "/api/policy/changes";
    let post = || (Method::POST, CHANGES);
    let change = json!({ "type": "setDelay", "seconds": 7_200 });
    let asked = json!({ "change": change });
    let (status, text) = cloud.send("propose-policy-change", post(), Some(asked)).await;
    assert_eq!((status, &text["data"]["threshold"]), (200, &json!(1)), "{text}");
    let (_, before) = cloud.send("get-policy", (Method::GET, "/api/policy"), None).await;
    assert_eq!(before["data"]["sequence"], json!(0), "a text writes nothing");

    let mut body = signed(key, &text["data"]);
    body["change"] = change;
    let (status, made) = cloud.send("propose-policy-change", post(), Some(body.clone())).await;
    assert_eq!((status, &made["data"]["state"]), (201, &json!("waiting")), "{made}");
    let (_, again) = cloud.send("propose-policy-change", post(), Some(body.clone())).await;
    assert_eq!(again["data"], made["data"]);

    let path = format!("{CHANGES}/1/approvals");
    let approval = body["approvals"][0].clone();
    let (status, _) =
        cloud.send("approve-policy-change", (Method::POST, &path), Some(approval)).await;
    assert_eq!(status, 200, "a repeat of an approval");

    let path = format!("{CHANGES}/1");
    let at = || (Method::DELETE, path.as_str());
    let (status, asked) = cloud.send("cancel-policy-change", at(), None).await;
    assert_eq!((status, &asked["code"]), (409, &json!("APPROVAL_REQUIRED")), "{asked}");
    let body = signed(key, &asked["data"]);
    let (status, _) = cloud.send("cancel-policy-change", at(), Some(body)).await;
    assert_eq!(status, 200);
    let (status, after) = cloud.send("get-policy", (Method::GET, "/api/policy"), None).await;
    assert_eq!((status, &after["data"]["pending"]), (200, &json!([])), "{after}");
}
