//! Tests an operator's freeze of a wallet: what it refuses, what it allows, and how to lift it.

#![expect(clippy::unwrap_used, reason = "a failing test panics")]

use aws_sdk_dynamodb::types::AttributeValue;
use domain::ids::{Exchange, Tenant};
use domain::intent::{HyperliquidChain, HyperliquidRevokeAgent, Intent, PersonalMessage};
use e2e::{DAY_MS, RENEW_LIMITS, Reply, TestApp, invariants};
use exchange_sim::faults::Fault;
use hyperdex_local::{COSIGNER_TABLE, WALLETS_TABLE};
use shared::credentials::Renewed;
use shared::store::{
    MAX_OPERATOR_ACTIONS, OperateError, Operated, OperatorAction, OperatorActionKind,
};
use shared::wallets::SignError;

const EXCHANGES: [(&str, Exchange); 2] =
    [("hyperliquid", Exchange::Hyperliquid), ("aster", Exchange::Aster)];

use OperatorActionKind::{Freeze, Unfreeze};

async fn operate_by(
    app: &TestApp,
    user: &str,
    action: OperatorActionKind,
    by: &str,
) -> Result<Operated, OperateError> {
    let action = OperatorAction {
        action,
        at_ms: app.clock.now_ms(),
        by: by.to_owned(),
        reason: "the account was taken over".to_owned(),
    };
    app.stack.custody.store.operate(&Tenant::local(), &user.parse().unwrap(), &action).await
}

async fn operate(app: &TestApp, user: &str, action: OperatorActionKind) {
    let done = operate_by(app, user, action, "arn:aws:iam::1:role/ops").await;
    assert!(matches!(done, Ok(Operated::Changed(_))), "{done:?}");
}

fn refused_by_operator(reply: &Reply) -> bool {
    reply.status == 422
        && reply.text("/code") == "WALLET_FROZEN"
        && reply.text("/message").contains("An operator has frozen this wallet")
        // The reason is for operators only.
        && !reply.body.to_string().contains("taken over")
}

/// Bars the wallet, as a failed protocol run does.
async fn bar(app: &TestApp, user: &str) {
    let wallet = invariants::view(app, user).await.wallet;
    let pk = format!("{}#W#{}", wallet.tenant, wallet.wallet_id);
    let update = app.stack.aws().dynamodb().update_item().table_name(WALLETS_TABLE);
    update
        .key("pk", AttributeValue::S(pk))
        .key("sk", AttributeValue::S("record".to_owned()))
        .update_expression("SET frozen = :true")
        .expression_attribute_values(":true", AttributeValue::Bool(true))
        .send()
        .await
        .unwrap();
}

/// Returns the intents that the cosigner allowed for all wallets, in any order.
async fn allowed(app: &TestApp) -> Vec<String> {
    let scan = app.stack.aws().dynamodb().scan().table_name(COSIGNER_TABLE).send().await.unwrap();
    let bodies = scan.items().iter().filter_map(|item| item.get("body")?.as_s().ok());
    let entries = bodies.map(|body| serde_json::from_str::<serde_json::Value>(body).unwrap());
    let allowed = entries.filter(|entry| entry["decision"] == "allowed");
    allowed.map(|entry| entry["intent"].to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn operator_freeze_refuses_signing_allows_revocation() {
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    app.wallet("user_2").await;
    for (exchange, _) in EXCHANGES {
        assert_eq!(app.register(exchange, "user_1").await.status, 200);
    }
    operate(&app, "user_1", Freeze).await;
    operate(&app, "user_2", Freeze).await;
    let before = allowed(&app).await.len();
    let signed = app.sign("user_1").await;
    assert!(refused_by_operator(&signed), "{signed:?}");
    for (exchange, kind) in EXCHANGES {
        let rotated = app.rotate(exchange, "user_1").await;
        assert!(refused_by_operator(&rotated), "{rotated:?}");
        invariants::assert_one_active(&app, "user_1", kind).await;
        let registered = app.register(exchange, "user_2").await;
        assert!(refused_by_operator(&registered), "{registered:?}");
        invariants::assert_none_left(&app, "user_2", kind).await;
        assert_eq!(app.api_key(exchange, "user_1").await.status, 200);
    }
    assert_eq!(allowed(&app).await.len(), before, "the cosigner must not be called");

    for (exchange, kind) in EXCHANGES {
        let deleted = app.delete(exchange, "user_1").await;
        assert_eq!(deleted.status, 200, "{deleted:?}");
        invariants::assert_none_left(&app, "user_1", kind).await;
        let registered = app.register(exchange, "user_1").await;
        assert!(refused_by_operator(&registered), "{registered:?}");
    }
    let after = allowed(&app).await;
    assert_eq!(after.len(), before + 2);
    let removals = |name: &str| after.iter().filter(|intent| intent.contains(name)).count();
    assert_eq!((removals("RevokeAgent"), removals("DeleteAgent")), (1, 1), "{after:?}");

    operate(&app, "user_1", Unfreeze).await;
    assert_eq!(app.sign("user_1").await.status, 200);
    app.clock.advance_ms(60_000);
    for (exchange, kind) in EXCHANGES {
        assert_eq!(app.register(exchange, "user_1").await.status, 200);
        invariants::assert_one_active(&app, "user_1", kind).await;
    }
    assert!(refused_by_operator(&app.sign("user_2").await), "the other wallet must stay frozen");
}

#[tokio::test(flavor = "multi_thread")]
async fn operator_freeze_allows_deleting_an_unfinished_key() {
    for (exchange, kind) in EXCHANGES {
        let app = TestApp::start().await;
        app.wallet("user_1").await;
        // The exchange applied the approval, but its outcome is unknown.
        if kind == Exchange::Hyperliquid {
            app.stack.hyperliquid_sim.fail_next("approveAgent", Fault::AppliedButLost);
            app.stack.hyperliquid_sim.fail_next("userRole", Fault::Status(500, String::new()));
        } else {
            app.stack.aster_sim.fail_next("registerAndApproveAgent", Fault::AppliedButLost);
            app.stack.aster_sim.fail_next("listAgents", Fault::Status(500, String::new()));
        }
        assert!(app.register(exchange, "user_1").await.status >= 500);
        operate(&app, "user_1", Freeze).await;
        let resumed = app.register(exchange, "user_1").await;
        assert!(refused_by_operator(&resumed), "{resumed:?}");
        let deleted = app.delete(exchange, "user_1").await;
        assert_eq!(deleted.status, 200, "{deleted:?}");
        invariants::assert_none_left(&app, "user_1", kind).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn barred_wallet_cannot_revoke_or_be_unfrozen() {
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    for (exchange, _) in EXCHANGES {
        assert_eq!(app.register(exchange, "user_1").await.status, 200);
    }
    let before = allowed(&app).await;
    bar(&app, "user_1").await;
    // Once with the bar alone, and once with an operator's freeze in addition.
    for frozen in [false, true] {
        if frozen {
            operate(&app, "user_1", Freeze).await;
        }
        for (exchange, _) in EXCHANGES {
            for reply in [
                app.delete(exchange, "user_1").await,
                app.rotate(exchange, "user_1").await,
                app.sign("user_1").await,
            ] {
                assert_eq!((reply.status, reply.text("/code")), (422, "WALLET_FROZEN"));
                assert!(!refused_by_operator(&reply), "{reply:?}");
            }
        }
        let lifted = operate_by(&app, "user_1", Unfreeze, "ops").await;
        assert!(matches!(lifted, Err(OperateError::Barred)), "{lifted:?}");
        let id = invariants::view(&app, "user_1").await.wallet.wallet_id;
        assert!(app.stack.custody.refresh(&Tenant::local(), id, None).await.is_err());
    }
    assert_eq!(allowed(&app).await, before);
    let view = invariants::view(&app, "user_1").await;
    assert!(view.wallet.frozen && view.wallet.operator_freeze.is_some());
    for (_, kind) in EXCHANGES {
        assert_eq!(invariants::agents(&app, &view, kind).len(), 1);
    }
}

/// A call that read the wallet before the freeze signs nothing after it.
#[tokio::test(flavor = "multi_thread")]
async fn freeze_after_read_refuses_the_signature() {
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    let custody = &app.stack.custody;
    let wallet = invariants::view(&app, "user_1").await.wallet;
    let share = custody.share(&wallet).await.unwrap();
    let message = Intent::PersonalMessage(PersonalMessage::parse("hello").unwrap());
    let removal = Intent::HyperliquidRevokeAgent(HyperliquidRevokeAgent {
        chain: HyperliquidChain::Mainnet,
        name: "hdxold".to_owned(),
        nonce_ms: app.clock.now_ms(),
    });
    custody.sign(&wallet, &share, &message).await.unwrap();
    operate(&app, "user_1", Freeze).await;
    let signed = custody.sign(&wallet, &share, &message).await;
    assert!(matches!(signed, Err(SignError::FrozenByOperator)), "{signed:?}");
    custody.sign(&wallet, &share, &removal).await.unwrap();
    bar(&app, "user_1").await;
    let signed = custody.sign(&wallet, &share, &removal).await;
    assert!(matches!(signed, Err(SignError::Frozen)), "{signed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn operator_actions_record_author_and_reason() {
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    let missing = operate_by(&app, "nobody", Freeze, "ops").await;
    assert!(matches!(missing, Err(OperateError::NotFound)), "{missing:?}");
    let idle = operate_by(&app, "user_1", Unfreeze, "ops").await;
    assert!(matches!(idle, Ok(Operated::Unchanged(_))), "{idle:?}");

    // Of many concurrent operators, one freezes the wallet and one entry is written.
    let names: Vec<String> = (0..8).map(|number| format!("ops_{number}")).collect();
    let all = names.iter().map(|by| operate_by(&app, "user_1", Freeze, by));
    let done = futures_util::future::join_all(all).await;
    let changed = names.iter().zip(&done).filter(|(_, it)| matches!(it, Ok(Operated::Changed(_))));
    let changed: Vec<&String> = changed.map(|(by, _)| by).collect();
    let [by] = changed.as_slice() else { panic!("{done:?}") };
    for other in &done {
        let fine = matches!(other, Ok(_) | Err(OperateError::Overtaken));
        assert!(fine, "{other:?}");
    }
    let wallet = invariants::view(&app, "user_1").await.wallet;
    assert_eq!((wallet.operator_actions.len(), &wallet.operator_actions[0].by), (1, *by));
    assert_eq!(wallet.operator_freeze.as_ref(), wallet.operator_actions.last());
    assert_eq!(wallet.operator_actions[0].at_ms, app.clock.now_ms());

    for turn in 0..MAX_OPERATOR_ACTIONS {
        app.clock.advance_ms(1);
        operate(&app, "user_1", if turn % 2 == 0 { Unfreeze } else { Freeze }).await;
    }
    let wallet = invariants::view(&app, "user_1").await.wallet;
    assert_eq!(wallet.operator_actions.len(), MAX_OPERATOR_ACTIONS);
    assert!(wallet.operator_actions.is_sorted_by_key(|action| action.at_ms));
    assert_eq!(wallet.operator_actions.last().map(|last| last.at_ms), Some(app.clock.now_ms()));
}

#[tokio::test(flavor = "multi_thread")]
async fn renewal_of_frozen_wallet_only_finishes_revocation() {
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    assert_eq!(app.register("hyperliquid", "user_1").await.status, 200);
    assert_eq!(app.register("aster", "user_1").await.status, 200);
    operate(&app, "user_1", Freeze).await;
    // A deletion that was interrupted.
    app.stack.aster_sim.fail_next("deleteAgent", Fault::Status(500, String::new()));
    app.stack.aster_sim.fail_next("listAgents", Fault::Status(500, String::new()));
    assert!(app.delete("aster", "user_1").await.status >= 500);
    app.clock.advance_ms(175 * DAY_MS);
    let agents = |view| invariants::agents(&app, &view, Exchange::Hyperliquid);
    let before = agents(invariants::view(&app, "user_1").await);
    let [(_, aster), (_, hyperliquid)] = app.stack.jobs.renew(&RENEW_LIMITS).await.unwrap();
    assert_eq!(aster, Renewed { finished: 1, ..Renewed::default() });
    assert_eq!((hyperliquid.renewed, hyperliquid.failed), (0, 1));
    invariants::assert_none_left(&app, "user_1", Exchange::Aster).await;
    assert_eq!(agents(invariants::view(&app, "user_1").await), before);
}

/// Sends the nth request of the section "Freeze a wallet from a program" for a wallet and returns
/// the status.
async fn send_documented(app: &TestApp, user: &str, nth: usize) -> u16 {
    let document = include_str!("../../../../../docs/guides/operations.md");
    let (_, section) = document.split_once("### Freeze a wallet from a program").unwrap();
    let request = section.split("```json").nth(nth).unwrap().split_once("```").unwrap().0;
    let wallet = invariants::view(app, user).await.wallet;
    let key = format!("{}#W#{}", wallet.tenant, wallet.wallet_id);
    let request = request.replace("WALLETS_TABLE", WALLETS_TABLE);
    let request = app
        .request_to(&app.stack.dynamodb)
        .header("x-amz-target", "DynamoDB_20120810.UpdateItem")
        .header("content-type", "application/x-amz-json-1.0")
        .header("authorization", "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0")
        .body(request.replace("TENANT#W#WALLET_ID", &key));
    app.send_unchecked(request).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn documented_update_freezes_and_unfreezes() {
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    assert_eq!(send_documented(&app, "user_1", 2).await, 400, "the wallet is not frozen");
    assert_eq!(send_documented(&app, "user_1", 1).await, 200);
    assert!(refused_by_operator(&app.sign("user_1").await));
    assert_eq!(send_documented(&app, "user_1", 1).await, 400, "the wallet is already frozen");
    assert_eq!(send_documented(&app, "user_1", 2).await, 200);
    assert_eq!(app.sign("user_1").await.status, 200);
    let wallet = invariants::view(&app, "user_1").await.wallet;
    let done: Vec<_> = wallet.operator_actions.iter().map(|done| done.action).collect();
    assert!(done == [Freeze, Unfreeze] && wallet.operator_freeze.is_none(), "{done:?}");
    // The command continues the list of actions.
    operate(&app, "user_1", Freeze).await;
    assert_eq!(invariants::view(&app, "user_1").await.wallet.operator_actions.len(), 3);
}
