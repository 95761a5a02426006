//! Compares the dashboard and the alarms with the code: every metric is emitted and shown, and each
//! alarm links to its section in the runbook.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_dynamodb::types::AttributeValue;
use domain::ids::Exchange;
use e2e::TestApp;
use e2e::kill::{Call, Harness};
use e2e::proxy::{Arrival, Fate, Proxy, Rendezvous};
use exchange_sim::faults::{Fault, Hostile};
use hyperdex_local::WALLETS_TABLE;
use platform::metrics::{Metric, NAMESPACE};
use serde_json::{Value, json};
use template::cloudformation::Resource;
use template::stacks::{COSIGNER, MONITORING, Sources, Stacks};
use template::{assert_found, assert_none, differences, read};
use tower::ServiceExt;

use crate::emitted::emitted;
use crate::operations::seen;

/// Causes the metrics that no operation of [`seen`] emits: a wrong signer, a rate limit, a block
/// with a wrong clock, a secret that cannot be stored, and two orders at once.
async fn rare_failures() {
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    let stranger = r#"{"status":"err","response":"Must deposit before performing actions. User: 0x00000000000000000000000000000000000000aa"}"#;
    app.stack.hyperliquid_sim.fail_next("approveAgent", Fault::Status(200, stranger.to_owned()));
    assert_eq!(app.register("hyperliquid", "user_1").await.status, 500);
    app.stack.hyperliquid_sim.fail_next("approveAgent", Fault::Status(429, String::new()));
    assert_eq!(app.register("hyperliquid", "user_1").await.status, 429);
    assert_eq!(app.register("hyperliquid", "user_1").await.status, 429);
    app.clock.advance_ms(60_000);
    // A block by the exchange's edge, with a clock of 2020.
    let blocked = Hostile::new(403, "blocked").header("date", "Wed, 01 Jan 2020 00:00:00 GMT");
    app.stack.hyperliquid_sim.fail_next("approveAgent", Fault::Hostile(blocked));
    assert_eq!(app.register("hyperliquid", "user_1").await.status, 502);
    tenant_at_its_limit().await;
    lost_secret().await;
    unfunded_builder().await;
    unreadable_change().await;
    overtaken_reservation().await;
}

/// The exchange refuses the deployment's builder, because it has no balance.
async fn unfunded_builder() {
    let app = TestApp::start_with(|options| {
        let address = "0x8c967E73E7B15087c42A10D344cFf4c96D877f1D".parse().unwrap();
        let fee = 50.try_into().unwrap();
        options.hyperliquid.builder = Some(domain::builder::Builder { address, fee });
    })
    .await;
    app.wallet("user_1").await;
    let poor = r#"{"status":"err","response":"Builder has insufficient balance to be approved."}"#;
    let fault = Fault::Status(200, poor.to_owned());
    app.stack.hyperliquid_sim.fail_next("approveBuilderFee", fault);
    assert_eq!(app.register("hyperliquid", "user_1").await.status, 200);
}

/// The table has a credential that this version cannot read.
async fn unreadable_change() {
    let app = TestApp::start().await;
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let client = app.stack.aws().dynamodb();
    let put = client
        .put_item()
        .table_name(WALLETS_TABLE)
        .item("pk", text("local#W#29dd4dc0-1ff9-4df6-a19f-936f997cbc5a"))
        .item("sk", text("credential#aster"))
        .item("schema", AttributeValue::N("99".to_owned()));
    put.send().await.unwrap();
    while app.stack.pump.publish_once().await.unwrap() > 0 {}
}

/// Another process places an order of the wallet after this one has read the ledger, so this one
/// reads it again.
async fn overtaken_reservation() {
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    assert_eq!(app.register("hyperliquid", "user_1").await.status, 200);
    let proxy = Proxy::start(&app).await;
    let rendezvous = Rendezvous::of(2);
    let held = rendezvous.clone();
    let plan = move |arrival: Arrival<'_>| match arrival.name {
        "DynamoDB.TransactWriteItems" if arrival.nth_of_name == 1 => Fate::Hold(held.clone()),
        _ => Fate::Pass,
    };
    let process = proxy.process_with(Box::new(plan));
    let path = "/api/trading/hyperliquid/orders";
    let order = |id: &str| {
        json!({
            "walletIdOrAddress": "user_1", "clientOrderId": id, "symbol": "BTC", "side": "BUY",
            "type": "LIMIT", "quantity": "0.001", "price": "50000",
        })
    };
    let router = hyperdex_local::routes(&app.options, &process.endpoints()).unwrap();
    let request = http::Request::post(path).header("content-type", "application/json");
    let request = request.body(axum::body::Body::from(order("overtaken").to_string())).unwrap();
    let overtaking = async {
        rendezvous.held(1).await;
        let placed = app.post(path, order("overtaking")).await;
        rendezvous.leave();
        placed.status
    };
    let (late, other) = tokio::join!(router.oneshot(request), overtaking);
    assert_eq!((late.unwrap().status().as_u16(), other), (200, 200));
}

/// A tenant asks until its part of an exchange's budget is used up.
async fn tenant_at_its_limit() {
    let app =
        TestApp::start_with(|options| options.budget.per_minute[Exchange::Hyperliquid] = 200).await;
    app.wallet("user_1").await;
    let path = "/api/trading/hyperliquid/agents?walletIdOrAddress=user_1";
    for _ in 0..6 {
        assert_eq!(app.get(path).await.status, 200);
    }
    assert_eq!(app.get(path).await.status, 429);
}

/// Aster creates a key, and then the table accepts no writes.
async fn lost_secret() {
    let app = TestApp::start_with(|options| options.aster.v1 = true).await;
    app.wallet("user_1").await;
    let proxy = Proxy::start(&app).await;
    let harness = Harness { app, proxy, one_in: 3 };
    let made = AtomicBool::new(false);
    let refused = r#"{"__type":"com.amazon.coral.validate#ValidationException","message":"no"}"#;
    let plan = move |arrival: Arrival<'_>| {
        if arrival.name == "Aster.POST createApiKey" {
            made.store(true, Ordering::Relaxed);
        }
        let writes = arrival.name.starts_with("DynamoDB.") && !arrival.name.contains("Get");
        if made.load(Ordering::Relaxed) && writes {
            return Fate::Fail(Fault::Status(400, refused.to_owned()));
        }
        Fate::Pass
    };
    let process = harness.proxy.process_with(Box::new(plan));
    let lost = harness.call(&process, &Call::register(Exchange::Aster, "user_1")).await.unwrap();
    assert_eq!(lost.status, 500, "{:?}: {:?}", lost.body["code"], process.calls());
    let calls = process.calls();
    let tries = calls.iter().rev().take_while(|call| call.starts_with("DynamoDB.")).count();
    assert!(tries >= 6, "{calls:?}");
    // The next call resumes and stores a key.
    harness.app.clock.advance_ms(60_000);
    assert_eq!(harness.app.register("aster", "user_1").await.status, 200);
}

/// Collects the names of the service's own metrics in a widget, from rows and search expressions.
fn own_metrics(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(row) if row.first().is_some_and(|first| first == NAMESPACE) => {
            found.extend(row[1].as_str().map(ToOwned::to_owned));
            let service = row.iter().position(|cell| cell == "service").map(|at| &row[at + 1]);
            assert!(
                service.is_some_and(|name| name.as_str().unwrap().starts_with("hyperdex")),
                "{row:?}"
            );
        }
        Value::Array(items) => items.iter().for_each(|item| own_metrics(item, found)),
        Value::Object(entries) => {
            if let Some(Value::String(expression)) = entries.get("expression") {
                assert!(expression.contains(&format!("{{{NAMESPACE},service,")), "{expression}");
                let name = expression.split("MetricName=\"").nth(1).unwrap();
                found.extend(name.split('"').next().map(ToOwned::to_owned));
            }
            entries.values().for_each(|entry| own_metrics(entry, found));
        }
        _ => {}
    }
}

fn alarms(stacks: &Stacks) -> Vec<Resource> {
    stacks.monitoring.resources("AWS::CloudWatch::Alarm")
}

/// The alarms of the cosigner's own account.
fn cosigner_alarms(stacks: &Stacks) -> Vec<Resource> {
    stacks.cosigner.resources("AWS::CloudWatch::Alarm")
}

fn dashboard(stacks: &Stacks) -> BTreeSet<String> {
    let all = stacks.monitoring.resources("AWS::CloudWatch::Dashboard");
    let [board] = &all[..] else { panic!("one dashboard") };
    let body = board.properties["DashboardBody"].as_str().unwrap();
    let mut found = BTreeSet::new();
    own_metrics(&serde_json::from_str(body).unwrap(), &mut found);
    found
}

/// Returns the own metrics with an alarm. Each metric belongs to one service.
fn watched(stacks: &Stacks) -> Vec<String> {
    let all = alarms(stacks).into_iter().chain(cosigner_alarms(stacks));
    let own = all.filter(|alarm| alarm.properties["Namespace"] == NAMESPACE);
    let names = own.map(|alarm| {
        let of = &alarm.properties;
        assert_eq!(of["Dimensions"][0]["Name"], "service", "{}", alarm.name);
        of["MetricName"].as_str().unwrap().to_owned()
    });
    names.collect()
}

/// Returns the alarms that lack a link or a section in the runbook.
fn missing_sections(stacks: &Stacks, manual: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let own = cosigner_alarms(stacks).into_iter().map(|alarm| (COSIGNER, alarm));
    for (file, alarm) in alarms(stacks).into_iter().map(|alarm| (MONITORING, alarm)).chain(own) {
        let anchor = format!("docs/guides/operations.md#{}", alarm.name.to_lowercase());
        let text = alarm.properties["AlarmDescription"].as_str().unwrap();
        if !text.ends_with(&anchor) {
            wrong.push(format!("{file}: {} does not link to {anchor}", alarm.name));
        }
        let section = manual.split("\n### ").find_map(|section| {
            section.strip_prefix(alarm.name.as_str()).filter(|rest| rest.starts_with('\n'))
        });
        let section = section.unwrap_or_default();
        if !["**Means:**", "**Look:**", "**Do:**"].iter().all(|part| section.contains(part)) {
            wrong.push(format!("docs/guides/operations.md: {} has no instructions", alarm.name));
        }
    }
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_emitted_and_on_the_dashboard() {
    seen().await;
    rare_failures().await;
    let named: BTreeSet<String> = Metric::ALL.iter().map(|it| it.name().to_owned()).collect();
    let (emitted, shown) = (emitted(), dashboard(&Stacks::deployed()));
    let code = ("platform::metrics", &named);
    let mut wrong = differences("the metric", code, ("the emitted metrics", &emitted));
    wrong.extend(differences("the metric", code, ("the dashboard", &shown)));
    assert_none(&wrong);
    let watched = watched(&Stacks::deployed());
    assert!(watched.len() >= 9, "{watched:?}");
    assert!(watched.iter().all(|name| named.contains(name)), "{watched:?}");
}

#[test]
fn alarms_link_to_the_runbook() {
    assert_none(&missing_sections(&Stacks::deployed(), &read("docs/guides/operations.md")));
}

#[test]
fn unused_metric_and_alarm_without_runbook_are_found() {
    let broken =
        |old: &str, new: &str| Sources::read().with(MONITORING, "Resources:", old, new).deploy(&[]);
    let shown = dashboard(&broken("\"CredentialDrift\"", "\"CredentialsDrifted\""));
    assert!(shown.contains("CredentialsDrifted"), "{shown:?}");
    let manual = read("docs/guides/operations.md");
    let found = missing_sections(&broken("#secretlost", "#secretslost"), &manual);
    let line =
        "infra/monitoring.yaml: SecretLost does not link to docs/guides/operations.md#secretlost";
    assert_found(&found, line);
    let manual = manual.replace("### NoRuns\n", "### Runs\n");
    let line = "docs/guides/operations.md: NoRuns has no instructions";
    assert_found(&missing_sections(&Stacks::deployed(), &manual), line);
}

fn alarm(stacks: &Stacks, name: &str) -> Value {
    stacks.monitoring.resource("AWS::CloudWatch::Alarm", name).properties
}

#[test]
fn cheating_alarm_fires_at_the_first_event() {
    let stacks = Stacks::deployed();
    for (name, metric, service) in [
        ("KeyBarred", Metric::KeyBarred, "hyperdex-cosigner"),
        ("WalletFrozen", Metric::WalletFrozen, "hyperdex"),
        ("CallNotAllowed", Metric::CosignerRefusals, "hyperdex-cosigner"),
    ] {
        let of = alarm(&stacks, name);
        assert_eq!(
            (&of["Namespace"], &of["MetricName"]),
            (&NAMESPACE.into(), &metric.name().into())
        );
        assert_eq!(of["Dimensions"][0]["Value"], service, "{name}");
        let rule = ["Statistic", "EvaluationPeriods", "ComparisonOperator", "Threshold", "Period"];
        let rule = rule.map(|field| of[field].to_string());
        assert_eq!(rule, ["\"Sum\"", "1", "\"GreaterThanThreshold\"", "0", "60"], "{name}");
    }
    let reason = &alarm(&stacks, "CallNotAllowed")["Dimensions"][1];
    assert_eq!(reason["Name"], "reason");
    assert_eq!(reason["Value"], protocol::Refusal::NotAllowed.reason());
}

#[test]
fn alarm_fires_if_a_job_does_not_run() {
    let stacks = Stacks::deployed();
    for (name, function) in [
        ("NoRuns", "renew-apikeys"),
        ("NoRefreshRuns", "refresh-shares"),
        ("NoSealRuns", "seal-audit"),
    ] {
        let of = alarm(&stacks, name);
        assert_eq!(
            (&of["Namespace"], &of["MetricName"]),
            (&"AWS/Lambda".into(), &"Invocations".into())
        );
        assert_eq!(of["Dimensions"][0]["Value"], stacks.function(function).full_name());
        assert_eq!((&of["TreatMissingData"], &of["Threshold"]), (&"breaching".into(), &1.into()));
        // With the default schedule, several runs happen in this time.
        let span = of["Period"].as_u64().unwrap() * of["EvaluationPeriods"].as_u64().unwrap();
        assert!((3 * 60 * 60..=6 * 60 * 60).contains(&span), "{name}: {span}");
    }
}

/// The cosigner's account reports these itself, also without the monitoring stack.
#[test]
fn payment_policy_alarms_fire_in_the_cosigners_account() {
    let stacks = Stacks::deployed();
    let alarms = cosigner_alarms(&stacks);
    let names: BTreeSet<&str> = alarms.iter().map(|alarm| alarm.name.as_str()).collect();
    let all = [
        "HalfExported",
        "PaymentsOff",
        "PolicyChangeApproved",
        "PolicyChangePending",
        "PolicyChanged",
        "RecoveryKeyMissing",
        "RecoveryNotVerified",
        "ShareRecovered",
    ];
    assert_eq!(names, BTreeSet::from(all));
    for alarm in &alarms {
        let of = &alarm.properties;
        let is_age = alarm.name == "RecoveryNotVerified";
        let metric = if is_age { "RecoveryVerifiedDays" } else { &alarm.name };
        assert_eq!((&of["Namespace"], &of["MetricName"]), (&json!(NAMESPACE), &json!(metric)));
        assert_eq!(of["Dimensions"], json!([{ "Name": "service", "Value": "hyperdex-cosigner" }]));
        assert_eq!(of["AlarmActions"], json!(["PolicyTopic"]));
        let rule = ["Statistic", "EvaluationPeriods", "ComparisonOperator", "Threshold", "Period"];
        let rule = rule.map(|field| of[field].clone());
        // A start without a key raises the alarm, and a start with a key clears it.
        let (statistic, missing) = match alarm.name.as_str() {
            "RecoveryKeyMissing" => ("Maximum", "ignore"),
            "RecoveryNotVerified" => ("Minimum", "ignore"),
            _ => ("Sum", "notBreaching"),
        };
        let (threshold, period) = if is_age { (40, 86_400) } else { (0, 60) };
        let expected = json!([statistic, 1, "GreaterThanThreshold", threshold, period]);
        assert_eq!(json!(rule), expected, "{}", alarm.name);
        assert_eq!(of["TreatMissingData"], missing, "{}", alarm.name);
    }
    let theirs = "arn:aws:sns:us-east-1:123456789012:theirs";
    let given = Sources::read().deploy(&[("AlarmTopicArn", theirs)]);
    for alarm in cosigner_alarms(&given) {
        assert_eq!(alarm.properties["AlarmActions"], json!([theirs]), "{}", alarm.name);
    }
}

/// Two runs of the resolve job must have failed before the alarm fires.
#[test]
fn unknown_order_alarm_fires_after_two_minutes() {
    let stacks = Stacks::deployed();
    let rule = ["Statistic", "Period", "EvaluationPeriods", "ComparisonOperator", "Threshold"];
    for (name, metric, expected) in [
        (
            "OldestUnknownOrder",
            Metric::OldestUnknownOrderMs,
            json!(["Maximum", 60, 2, "GreaterThanThreshold", 120_000]),
        ),
        (
            "OrdersUnresolvable",
            Metric::OrdersUnresolvable,
            json!(["Maximum", 60, 1, "GreaterThanThreshold", 0]),
        ),
    ] {
        let of = alarm(&stacks, name);
        assert_eq!(
            (&of["Namespace"], &of["MetricName"]),
            (&json!(NAMESPACE), &json!(metric.name()))
        );
        assert_eq!(json!(rule.map(|field| of[field].clone())), expected, "{name}");
    }
}

#[test]
fn resolve_job_that_does_not_run_is_reported_within_minutes() {
    let stacks = Stacks::deployed();
    for (name, function) in [
        ("NoHyperliquidResolveRuns", "resolve-orders-hyperliquid"),
        ("NoAsterResolveRuns", "resolve-orders-aster"),
        ("NoLighterResolveRuns", "resolve-orders-lighter"),
    ] {
        let of = alarm(&stacks, name);
        assert_eq!(
            (&of["Namespace"], &of["MetricName"]),
            (&json!("AWS/Lambda"), &json!("Invocations"))
        );
        assert_eq!(of["Dimensions"][0]["Value"], stacks.function(function).full_name());
        assert_eq!((&of["TreatMissingData"], &of["Threshold"]), (&json!("breaching"), &json!(1)));
        let span = of["Period"].as_u64().unwrap() * of["EvaluationPeriods"].as_u64().unwrap();
        assert_eq!(span, 300, "{name}");
    }
}

#[test]
fn oldest_shares_alarm_fires_a_week_after_interval() {
    let stacks = Sources::read().deploy(&[("RefreshEveryDays", "30")]);
    let of = alarm(&stacks, "OldestShares");
    assert_eq!(of["Metrics"][0]["Expression"], "oldest - 30");
    let metric = &of["Metrics"][1]["MetricStat"];
    assert_eq!(metric["Metric"]["MetricName"], Metric::OldestSharesDays.name());
    assert_eq!((&metric["Stat"], &of["Threshold"]), (&"Minimum".into(), &7.into()));
}
