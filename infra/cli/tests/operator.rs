//! The console over a deployment, as a separate process with an operator's profile: the data it
//! shows, its access control, and that it never writes.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod cloud;
mod deployment;
mod running;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use cloud::Called;
use deployment::{World, policy};

/// Collects the names of all fields of a response.
fn fields(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            found.extend(object.keys().cloned());
            object.values().for_each(|value| fields(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| fields(value, found)),
        _ => {}
    }
}

/// All fields that a response may have. None of them is sealed or secret.
const FIELDS: &str = "now tenant readOnly stack region api hasMetrics renewWithinMs refreshEveryMs \
    success wallets nextCursor userId address walletId publicKey createdAt keyVersion refreshAt \
    frozen operatorFreeze operatorActions action by lookedAt run credentials exchange state agentAddress agentName builderAddress maxFee expiresAt requestedAt autoRenew \
    isApiKey retiring next job does at checkAt jobFailures busyUntil due more decisions before seq \
    decision refused reason intent validUntil messageBytes caller requestId policy hash exchanges \
    weightUsed weightPerMinute failures pausedUntil pauseAskedFor pauseBlocked from periodS series metric unit \
    stat points alarms name description since refusals counted withoutKey frozenByOperator barred \
    pending active rotating revoking expired expiring troubled unknownOrders total first webhooks \
    failing disabled records faults seals verified count last effective data symbols \
    maxOrderNotional maxPositionNotional maxLeverage ordersPerMinute reduceOnly maxSlippage \
    webhookId url events status wallet payments \
    paymentId kind amount asset venue destination countedState reference refusal reportedAt reportedBy";

/// Every read, with text that the response must contain.
const READS: [(&str, &str); 18] = [
    ("about", "prod"),
    ("list?limit=1", "nextCursor"),
    ("list", "alice"),
    ("wallets?ids=alice,bob,nobody", "hdx"),
    ("search?prefix=bo", "bob"),
    ("search?state=active", "alice"),
    ("schedule", "renew"),
    ("decisions", "HyperliquidApproveAgent"),
    ("decisions?wallet=alice", "AsterRegisterAgent"),
    ("exchanges", "weightUsed"),
    ("metrics", "CredentialDrift"),
    ("metrics", "prod-Monitoring-1-Drift-2"),
    ("metrics", "OrdersPlaced"),
    ("overview", "withoutKey"),
    ("audit", "records"),
    ("policy?wallet=alice", "maxOrderNotional"),
    ("webhooks", "webhooks"),
    ("payments", "payments"),
];

#[tokio::test(flavor = "multi_thread")]
async fn console_reads_write_nothing_and_show_no_secret() {
    let world = World::start().await;
    let before = world.tables().await;
    let console = world.console();
    let (sealed, allowed) = (world.sealed().await, FIELDS.split_whitespace());
    let allowed: BTreeSet<String> = allowed.map(str::to_owned).collect();
    for (read, wanted) in READS {
        let (status, body) = console.read(read).await;
        let text = body.to_string();
        assert!(status == 200 && text.contains(wanted), "{read}: {status} {text}");
        let mut found = BTreeSet::new();
        fields(&body, &mut found);
        let beyond: Vec<_> = found.difference(&allowed).collect();
        assert!(beyond.is_empty(), "{read}: {beyond:?}");
        for secret in &sealed {
            assert!(!text.contains(secret.as_str()), "{read} shows a sealed value");
        }
    }
    // Try every method on every path of the page and of the API: none writes.
    let token = [("x-api-key", console.token.as_str()), ("content-type", "application/json")];
    let paths = READS.map(|(read, _)| format!("/console/data/{read}"));
    let api = [
        "/",
        "/api/wallets",
        "/api/wallets/alice/sign",
        "/api/trading/aster/apikey",
        "/api/trading/aster/orders",
        "/api/trading/policy",
        "/api/webhooks",
    ];
    for path in paths.iter().map(String::as_str).chain(api) {
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            let (status, body) = console.send(method.parse().unwrap(), path, &token).await;
            assert!(matches!(status, 404 | 405), "{method} {path}: {status} {body}");
        }
    }
    for path in ["/api/wallets", "/api/health", "/console/data/agents?wallet=alice"] {
        assert_eq!(console.send(http::Method::GET, path, &token).await.0, 404, "{path}");
    }
    assert_eq!(world.cloud.wrong(), Vec::<String>::new());
    assert!(world.tables().await == before, "the tables have changed");

    let called = world.cloud.called();
    let actions: BTreeSet<String> = called.iter().map(|called| called.action.clone()).collect();
    let (mut listed, statements) = policy("guides/console.md", "# Use the console");
    // DynamoDB calls this to decrypt a table; the console does not.
    assert!(listed.remove("kms:Decrypt"));
    assert_eq!(actions, listed, "the policy of docs/guides/console.md lists exactly the calls");
    for statement in statements {
        if statement["Action"].as_array().unwrap().contains(&json!("kms:Decrypt")) {
            let condition = &statement["Condition"]["StringEquals"];
            assert!(condition["kms:ViaService"].as_str().unwrap().starts_with("dynamodb."));
            assert!(condition["kms:EncryptionContext:aws:dynamodb:tableName"].is_string());
            assert_eq!(statement["Action"].as_array().unwrap().len(), 1);
        }
    }
    // Each account is read with its own profile.
    for Called { action, by, about } in called {
        let theirs = ["hyperdex-cosigner", "cosigner", "prod-cosigner", "cosigner-"];
        let owner = if theirs.contains(&about.as_str()) { "AKIATHEIRS" } else { "AKIAMAIN" };
        assert_eq!(by, owner, "{action} {about}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn console_shows_settings_of_deployment() {
    let world = World::start().await;
    let console = world.console();
    let (_, about) = console.read("about").await;
    assert_eq!((&about["readOnly"], &about["tenant"]), (&json!(true), &json!("local")));
    assert_eq!(
        (&about["region"], &about["api"]),
        (&json!("eu-central-1"), &json!("https://abc.example/v1"))
    );
    assert_eq!(
        about["renewWithinMs"],
        20 * 24 * 60 * 60 * 1_000_u64,
        "from the stack's parameters"
    );
    let (_, first) = console.read("list?limit=1").await;
    let cursor = first["nextCursor"].as_str().unwrap();
    let (_, rest) = console.read(&format!("list?limit=100&cursor={cursor}")).await;
    let mut users: Vec<&str> = [&first, &rest]
        .iter()
        .flat_map(|page| page["wallets"].as_array().unwrap())
        .map(|wallet| wallet["userId"].as_str().unwrap())
        .collect();
    users.sort_unstable();
    assert_eq!(users, ["alice", "bob"]);
    let (_, found) = console.read("wallets?ids=alice").await;
    let wallet = &found["wallets"][0];
    for name in [&wallet["walletId"], &wallet["address"]] {
        let (_, again) = console.read(&format!("wallets?ids={}", name.as_str().unwrap())).await;
        assert_eq!(&again["wallets"][0], wallet);
    }
    assert_eq!(wallet["credentials"].as_array().unwrap().len(), 2);
    let (_, exchanges) = console.read("exchanges").await;
    let of = |name: &str| {
        let mut all = exchanges["exchanges"].as_array().unwrap().iter();
        all.find(|one| one["exchange"] == name).unwrap().clone()
    };
    assert_eq!(of("hyperliquid")["weightPerMinute"], 500);
    assert!(of("aster")["weightUsed"].as_u64().unwrap() > 0, "{exchanges}");

    let (_, metrics) = console.read("metrics").await;
    let series = metrics["series"].as_array().unwrap();
    assert_eq!(series.len(), 30, "the cosigner's metrics come from its own account");
    assert!(series.iter().all(|one| one["points"].as_array().unwrap().len() == 2), "both pages");
    let drift = series.iter().find(|one| one["metric"] == "CredentialDrift").unwrap();
    let from = metrics["from"].as_u64().unwrap() / 1_000 * 1_000;
    assert_eq!(drift["points"], json!([[from + 300_000, 3.0], [from + 600_000, 1.5]]));
    assert_eq!(metrics["alarms"][0]["since"], 1_790_000_000_500_u64);
    // CloudWatch charges for each read, so the console caches results for a minute.
    world.cloud.deny_metrics(true);
    assert_eq!(console.read("metrics").await.1, metrics);
    let fresh = world.console();
    let (status, denied) = fresh.read("metrics").await;
    assert_eq!((status, &denied["code"]), (502, &json!("CLOUDWATCH")));
    assert!(denied["message"].as_str().unwrap().contains("not authorized"), "{denied}");
    assert_eq!(fresh.read("list").await.0, 200, "the tables can still be read");
}

#[tokio::test(flavor = "multi_thread")]
async fn console_without_token_or_own_origin_is_refused() {
    let world = World::start().await;
    let console = world.console();
    assert_eq!(console.token.len(), 64);
    assert_ne!(console.token, world.console().token);
    let get = http::Method::GET;
    for (path, _) in READS {
        let path = format!("/console/data/{path}");
        let (status, body) = console.send(get.clone(), &path, &[]).await;
        assert!(status == 401 && body.contains("MISSING_TOKEN"), "{path}: {body}");
        let other = "0".repeat(64);
        for wrong in ["", "local", &console.token[1..], other.as_str()] {
            let (status, body) = console.send(get.clone(), &path, &[("x-api-key", wrong)]).await;
            assert!(status == 403 && body.contains("INVALID_TOKEN"), "{path}: {body}");
        }
        let token = ("x-api-key", console.token.as_str());
        for elsewhere in [
            ("host", "evil.example"),
            ("origin", "http://evil.example"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            let (status, _) = console.send(get.clone(), &path, &[token, elsewhere]).await;
            assert_eq!(status, 403, "{path} {elsewhere:?}");
        }
    }
    // The console has no other port.
    let port: u16 = console.url.rsplit(':').next().unwrap().parse().unwrap();
    assert_eq!(running::ports(console.child.id()), BTreeSet::from([port]));
    // The page itself contains no data and no token.
    let (status, page) = console.send(get, "/", &[]).await;
    assert!(status == 200 && !page.contains(&console.token));
}

#[tokio::test(flavor = "multi_thread")]
async fn console_with_missing_part_names_it() {
    let world = World::start().await;
    for (arguments, said) in [
        (vec!["--profile", "operator", "--stack", "none"], "Stack with id none does not exist"),
        (vec!["--profile", "operator", "--stack", "cosigner"], "no output WalletsTableName"),
        (vec!["--profile", "nowhere", "--stack", "prod"], "no region"),
        (vec!["--profile", "operator"], "--stack"),
    ] {
        let output = world.program(&arguments).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains(said), "{arguments:?}: {text}");
    }
}

/// Runs `hyperdex wallets`, and returns the exit code and both output streams.
fn operate(world: &World, arguments: &[&str]) -> (Option<i32>, String) {
    let output = world.command(&["wallets"]).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), said + &String::from_utf8_lossy(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn deployment_freeze_writes_two_attributes_as_caller() {
    let world = World::start().await;
    let cloud = ["--endpoint-url", &world.cloud.url, "--profile", "operator"];
    let target = [&cloud[..], &["--tenant", "local", "--stack", "prod"]].concat();
    let freeze = [&["freeze", "alice", "--reason", "account taken over"], &target[..]].concat();
    let unfreeze = [&["unfreeze", "alice", "--reason", "it was a mistake"], &target[..]].concat();
    let sign = || world.sign("alice");

    // Without write permission, the command changes nothing and reports the cause.
    let (code, said) = operate(&world, &freeze);
    assert!(code == Some(1) && said.contains("cannot read or write the wallets' table"), "{said}");
    // The error is one line, without the SDK's debug output.
    assert!(
        said.lines().count() == 1 && !said.contains("Error(") && !said.contains("{ "),
        "{said}"
    );
    assert_eq!(sign().await, 200);
    world.cloud.let_update(true);
    // Concurrent transactions on the wallet do not make the command fail.
    world.cloud.reject_updates(3);
    let (code, said) = operate(&world, &freeze);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(world.cloud.conflicts_left(), 0);
    for part in ["is frozen", "arn:aws:sts::1:assumed-role/ops/AKIAMAIN", "account taken over"] {
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(sign().await, 422);
    let (code, said) = operate(&world, &freeze);
    assert!(code == Some(0) && said.contains("is already frozen"), "{said}");
    let console = world.console();
    let (_, shown) = console.read("wallets?ids=alice").await;
    let freeze_shown = &shown["wallets"][0]["operatorFreeze"];
    assert_eq!(freeze_shown["reason"], "account taken over", "{shown}");
    assert_eq!(freeze_shown["by"], "arn:aws:sts::1:assumed-role/ops/AKIAMAIN");
    assert_eq!(console.read("search?state=frozen").await.1["wallets"][0]["userId"], "alice");
    drop(console);
    let (code, said) = operate(&world, &unfreeze);
    assert!(code == Some(0) && said.contains("can sign again"), "{said}");
    assert_eq!(sign().await, 200);

    // The documented policy lists exactly the calls, and limits the update to the two attributes.
    assert_eq!(world.cloud.wrong(), Vec::<String>::new());
    let (mut listed, statements) = policy("guides/operations.md", "## Freeze a wallet");
    assert!(listed.remove("kms:Decrypt"));
    let freeze_calls =
        |called: &&Called| called.by == "AKIAMAIN" && !called.action.starts_with("cloudwatch");
    let called = world.cloud.called();
    let mut actions: BTreeSet<String> =
        called.iter().filter(freeze_calls).map(|called| called.action.clone()).collect();
    assert!(actions.remove("sts:GetCallerIdentity"), "this call needs no permission");
    assert_eq!(actions, listed);
    let update = statements
        .iter()
        .find(|one| one["Action"].as_array().unwrap().contains(&json!("dynamodb:UpdateItem")))
        .unwrap();
    let allowed = &update["Condition"]["ForAllValues:StringEquals"]["dynamodb:Attributes"];
    let allowed: BTreeSet<String> = serde_json::from_value(allowed.clone()).unwrap();
    assert_eq!(world.cloud.updated(), allowed);
}

#[tokio::test(flavor = "multi_thread")]
async fn freeze_with_invalid_arguments_names_expected_value() {
    let world = World::start().await;
    world.cloud.let_update(true);
    let before = world.tables().await;
    let url = world.cloud.url.as_str();
    let cloud = ["--endpoint-url", url, "--profile", "operator"];
    let reason = ["--reason", "a reason"];
    for (arguments, expected) in [
        (vec!["freeze", "alice"], "--reason"),
        (vec!["freeze", "alice", "--reason", " "], "1 to 200 characters"),
        (vec!["freeze", "alice", "--reason", "two\nlines"], "control characters"),
        (vec!["freeze", "a b"], "must be a userId"),
        ([&["freeze", "alice", "--stack", "prod"], &reason[..], &cloud[..]].concat(), "--tenant"),
        ([&["freeze", "alice"], &reason[..], &cloud[..]].concat(), "--stack"),
        (
            [&["freeze", "carol", "--stack", "prod", "--tenant", "local"], &reason[..], &cloud[..]]
                .concat(),
            "no such wallet",
        ),
        (
            [&["freeze", "alice", "--stack", "prod", "--tenant", "other"], &reason[..], &cloud[..]]
                .concat(),
            "no such wallet",
        ),
        (
            [&["freeze", "alice", "--stack", "none", "--tenant", "local"], &reason[..], &cloud[..]]
                .concat(),
            "does not exist",
        ),
    ] {
        let (code, said) = operate(&world, &arguments);
        assert!(code != Some(0) && said.contains(expected), "{arguments:?}: {said}");
    }
    assert!(world.tables().await == before, "the tables have changed");
}
