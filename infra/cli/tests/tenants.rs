//! `hyperdex tenants` and `hyperdex keys`: on a local stack, running and not, and against a
//! deployment, where every call of AWS is in the operator's policy.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on says so and ends")]

mod cloud;
mod deployment;
mod running;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};
use shared::tenancy::{KeyState, TenantState};

use cloud::Called;
use deployment::{World, policy};
use running::{Running, program};

/// The outcome of a command: its exit code, its result and its remarks.
struct Ended {
    code: Option<i32>,
    said: String,
    noted: String,
}

fn ended(output: Output) -> Ended {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), said: text(output.stdout), noted: text(output.stderr) }
}

fn local(data: &Path, arguments: &[&str]) -> Ended {
    ended(program().args(arguments).arg("--data-dir").arg(data).output().unwrap())
}

/// The id of the last key of a list.
fn last_id(listed: &str) -> String {
    let line = listed.lines().last().unwrap();
    line.split_whitespace().nth(1).unwrap().to_owned()
}

const WALLETS: &str = "/api/wallets";

#[test]
fn keys_of_a_local_tenant_are_added_listed_rotated_and_revoked() {
    let data = tempfile::tempdir().unwrap();
    // Before the first start, and then on a running stack.
    let added = local(data.path(), &["keys", "add", "acme"]);
    assert_eq!(added.code, Some(0), "{}", added.noted);
    let first = added.said.trim().to_owned();
    assert!(first.starts_with("hdxk") && first.len() == 68, "the result is the key alone");
    assert!(added.noted.contains("read,wallets,sign,keys,trade,webhooks"), "{}", added.noted);
    let running = Running::start(data.path());
    let reads = |key: &str| running.call_with(key, "GET", WALLETS, "").0;
    assert_eq!((reads(&first), reads("")), (200, 401));

    // The same command again makes no second key.
    let again = local(data.path(), &["keys", "add", "acme"]);
    assert_eq!(again.code, Some(2));
    assert!(again.noted.contains("has a key with this label"), "{}", again.noted);
    let listed = local(data.path(), &["keys", "list"]);
    assert!(listed.said.ends_with("  acme\n") && !listed.said.contains(&first[4..]));
    let id = last_id(&listed.said);

    let rotated = local(data.path(), &["keys", "rotate", &id, "--overlap", "1h"]);
    assert_eq!(rotated.code, Some(0), "{}", rotated.noted);
    let second = rotated.said.trim().to_owned();
    assert!(rotated.noted.contains("works until"), "{}", rotated.noted);
    assert_eq!((reads(&first), reads(&second)), (200, 200));
    let repeated = local(data.path(), &["keys", "rotate", &id, "--overlap", "0s"]);
    assert_eq!(repeated.code, Some(0), "{}", repeated.noted);
    assert!(repeated.said.is_empty() && repeated.noted.contains("replaces"), "{}", repeated.noted);
    assert_eq!((reads(&first), reads(&second)), (403, 200), "the overlap is over");

    let scoped = ["keys", "add", "acme", "--label", "desk", "--scopes", "read", "--expires", "90d"];
    let scoped = local(data.path(), &[&scoped[..], &["--network", "203.0.113.0/24"]].concat());
    assert_eq!(scoped.code, Some(0), "{}", scoped.noted);
    let away = running.call_with(scoped.said.trim(), "GET", WALLETS, "");
    assert_eq!((away.0, &away.1["code"]), (403, &json!("ADDRESS_NOT_ALLOWED")));

    let id = last_id(&local(data.path(), &["keys", "list", "acme"]).said);
    let revoke = ["keys", "revoke", &id, "--reason", "the laptop is lost"];
    let revoked = local(data.path(), &revoke);
    assert!(revoked.code == Some(0) && revoked.said.contains("is revoked"), "{}", revoked.noted);
    assert!(revoked.said.contains("the laptop is lost") && revoked.said.contains("local:"));
    assert_eq!(running.call_with(scoped.said.trim(), "GET", WALLETS, "").0, 403);
    // A second revocation reports the first one.
    let again = local(data.path(), &["keys", "revoke", &id, "--reason", "twice"]);
    assert!(again.code == Some(0) && again.said.contains("the laptop is lost"), "{}", again.said);
    let unknown = local(data.path(), &["keys", "revoke", "unknown", "--reason", "a typo"]);
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.noted.contains("has no key unknown"), "{}", unknown.noted);
}

#[test]
fn local_tenant_is_suspended_and_resumed() {
    let data = tempfile::tempdir().unwrap();
    let running = Running::start(data.path());
    let key = local(data.path(), &["keys", "add", "acme"]).said.trim().to_owned();
    let user = r#"{"userId":"user_1"}"#;
    let create = || running.call_with(&key, "POST", WALLETS, user).0;
    let shown = local(data.path(), &["tenants", "suspend", "acme", "--reason", "a key has leaked"]);
    assert!(shown.code == Some(0) && shown.said.contains("acme is suspended"), "{}", shown.noted);
    assert_eq!((create(), running.call_with(&key, "GET", WALLETS, "").0), (403, 200));
    let shown = local(data.path(), &["tenants", "show", "acme"]);
    assert!(shown.said.contains("a key has leaked") && shown.said.contains("  acme\n"));
    let again = local(data.path(), &["tenants", "suspend", "acme", "--reason", "twice"]);
    assert!(again.code == Some(0) && again.said.contains("a key has leaked"), "{}", again.said);
    let resumed = local(data.path(), &["tenants", "resume", "acme", "--reason", "contained"]);
    assert!(resumed.code == Some(0) && resumed.said.contains("acme is active"));
    let listed = local(data.path(), &["tenants", "list"]);
    assert!(listed.said.contains("active") && listed.said.contains("acme"), "{}", listed.said);

    let label = ["tenants", "add", "other", "--label", "the second platform", "--max-wallets", "5"];
    for _ in 0..2 {
        let added = local(data.path(), &label);
        assert!(added.code == Some(0) && added.said.contains("at most 5"), "{}", added.noted);
    }
    let limited = local(data.path(), &["tenants", "limit", "other", "--max-wallets", "6"]);
    assert!(limited.code == Some(0) && limited.said.contains("at most 6"), "{}", limited.noted);
    let limited = local(data.path(), &["tenants", "limit", "other"]);
    assert!(limited.code == Some(0) && !limited.said.contains("at most"), "{}", limited.said);
    for (arguments, expected) in [
        (vec!["tenants", "limit", "unknown"], "the tenant unknown has no record"),
        (
            vec!["tenants", "suspend", "unknown", "--reason", "x"],
            "the tenant unknown has no record",
        ),
        (vec!["tenants", "show", "a#b"], "expected 1 to 64 characters"),
        (vec!["tenants", "suspend", "acme"], "--reason"),
        (vec!["tenants", "adopt", "unknown"], "has no key unknown"),
        (vec!["keys", "add", "acme", "--scopes", "all"], "invalid scope"),
        (vec!["keys", "add", "acme", "--expires", "soon"], "expected a duration"),
        (vec!["keys", "rotate", "unknown"], "the key unknown has no record"),
    ] {
        let refused = local(data.path(), &arguments);
        assert_eq!(refused.code, Some(2), "{arguments:?}: {}", refused.noted);
        assert!(refused.noted.contains(expected), "{arguments:?}: {}", refused.noted);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deployments_keys_are_managed_with_the_documented_policy_alone() {
    let world = World::start().await;
    world.cloud.let_administer(true);
    let at = ["--stack", "prod", "--profile", "operator", "--endpoint-url", &world.cloud.url];
    let run = |arguments: &[&str]| ended(world.command(arguments).args(at).output().unwrap());
    let by = "arn:aws:sts::1:assumed-role/ops/AKIAMAIN";

    let missing = run(&["keys", "add", "acme"]);
    assert_eq!(missing.code, Some(2), "a deployment's tenants are created by hand");
    assert!(missing.noted.contains("the tenant acme has no record"), "{}", missing.noted);
    let added = run(&["tenants", "add", "acme"]);
    assert!(added.code == Some(0) && added.said.contains(by), "{}", added.noted);
    let added = run(&["keys", "add", "acme"]);
    assert_eq!(added.code, Some(0), "{}", added.noted);
    let first = added.said.trim().to_owned();
    assert_eq!(world.reads(&first).await, 200);
    let id = last_id(&run(&["keys", "list", "acme"]).said);
    let rotated = run(&["keys", "rotate", &id, "--overlap", "1h"]);
    assert_eq!(rotated.code, Some(0), "{}", rotated.noted);
    let second = rotated.said.trim().to_owned();
    assert_eq!((world.reads(&first).await, world.reads(&second).await), (200, 200));
    let revoked = run(&["keys", "revoke", &id, "--reason", "leaked"]);
    assert!(revoked.code == Some(0) && revoked.said.contains(by), "{}", revoked.noted);
    assert_eq!((world.reads(&first).await, world.reads(&second).await), (403, 200));

    // A key of an earlier version becomes a tenant with a record.
    world.old_key("legacy");
    let adopted = run(&["tenants", "adopt", "legacy", "--label", "the first platform"]);
    assert!(
        adopted.code == Some(0) && adopted.said.contains("legacy is active"),
        "{}",
        adopted.noted
    );
    assert_eq!(run(&["tenants", "list"]).said.lines().count(), 2);
    let suspended = run(&["tenants", "suspend", "acme", "--reason", "leaked"]);
    assert!(suspended.code == Some(0) && suspended.said.contains(by), "{}", suspended.noted);
    let contained = run(&["tenants", "revoke-trading-keys", "acme"]);
    assert_eq!(contained.code, Some(0), "{}", contained.noted);
    let contained = run(&["tenants", "revoke-trading-keys", "local"]);
    assert_eq!(contained.code, Some(0), "{}", contained.noted);
    assert!(contained.said.contains("2 trading keys revoked"), "{}", contained.said);
    assert_eq!(run(&["tenants", "resume", "acme", "--reason", "done"]).code, Some(0));

    // Only the creation of a key contains its value.
    assert_eq!(world.cloud.wrong(), Vec::<String>::new());
    let (mut listed, statements) = policy("guides/tenant-keys.md", "## Rights of the operator");
    assert!(listed.remove("kms:Decrypt"), "DynamoDB calls it, to open a table under its own key");
    let called = world.cloud.called();
    let ours = called.iter().filter(|called| called.by == "AKIAMAIN");
    let mut actions: BTreeSet<String> = ours.clone().map(|called| called.action.clone()).collect();
    assert!(actions.remove("sts:GetCallerIdentity"), "which needs no permission");
    assert_eq!(actions, listed, "the policy has what is called, and no more");
    for Called { action, about, .. } in ours {
        if action.starts_with("dynamodb:") {
            let allowed = statements.iter().filter(|one| names(one, action)).any(|one| {
                let keys = &one["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
                let keys = keys.as_array().unwrap().iter().map(|key| key.as_str().unwrap());
                keys.into_iter().any(|key| about.starts_with(key.trim_end_matches('*')))
            });
            assert!(allowed, "{action} on {about}");
        }
        if action.starts_with("apigateway:") {
            let allowed = statements.iter().filter(|one| names(one, action)).any(|one| {
                let resources = one["Resource"].as_array().unwrap().iter();
                resources.into_iter().any(|resource| {
                    let resource = resource.as_str().unwrap().rsplit("::").next().unwrap();
                    let resource = resource.replace("PLAN", "local");
                    match resource.strip_suffix('*') {
                        Some(start) => about.starts_with(start),
                        None => *about == resource,
                    }
                })
            });
            assert!(allowed, "{action} on {about}");
        }
    }
}

fn names(statement: &Value, action: &str) -> bool {
    statement["Action"].as_array().unwrap().contains(&json!(action))
}

/// Each call of AWS that a command makes fails once before it takes effect, and once after that. A
/// retry of the command completes, and exactly one key works in the end.
#[tokio::test(flavor = "multi_thread")]
async fn command_that_dies_at_any_call_is_finished_by_the_same_command() {
    let world = World::start().await;
    world.cloud.let_administer(true);
    let at = ["--stack", "prod", "--profile", "operator", "--endpoint-url", &world.cloud.url];
    let run = |arguments: &[&str]| ended(world.command(arguments).args(at).output().unwrap());
    let calls = [
        "apigateway:POST /apikeys",
        "dynamodb:TransactWriteItems",
        "apigateway:POST /usageplans/local/keys",
    ];
    let cases = calls.into_iter().flat_map(|call| [(call, false), (call, true)]);
    for (number, (call, takes_effect)) in cases.enumerate() {
        let tenant = format!("tenant-{number}");
        assert_eq!(run(&["tenants", "add", &tenant]).code, Some(0));
        world.cloud.break_off(call, takes_effect);
        let died = run(&["keys", "add", &tenant]);
        let lost = died.said.trim().to_owned();
        if died.code == Some(0) {
            // The SDK or the client retried the call.
            assert_eq!(world.reads(&lost).await, 200, "{call}");
        } else {
            if !lost.is_empty() && !takes_effect {
                assert_eq!(
                    world.reads(&lost).await,
                    403,
                    "{call}: it was printed and never opened"
                );
            }
            let again = run(&["keys", "add", &tenant]);
            let name = tenant.parse().unwrap();
            match again.code {
                Some(0) => assert_eq!(world.reads(again.said.trim()).await, 200, "{call}"),
                // An attached key was printed before.
                _ => assert_eq!(world.reads(&lost).await, 200, "{call}: {}", again.noted),
            }
            let keys = world.store().keys(&name).await.unwrap();
            let live = keys.iter().filter(|key| key.state == KeyState::Active).count();
            assert_eq!(live, 1, "{call}: {keys:?}");
        }
        let suspended = run(&["tenants", "suspend", &tenant, "--reason", "test"]);
        assert_eq!(suspended.code, Some(0), "{}", suspended.noted);
        let record = world.store().tenant(&tenant.parse().unwrap()).await.unwrap().unwrap();
        assert_eq!(record.state, TenantState::Suspended);
    }
}
