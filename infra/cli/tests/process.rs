//! The program itself: it starts, prints its addresses, survives restarts, and reports a failure in
//! one line.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot continue fails")]

mod at_rest;
mod documents;
mod engines;
mod first_hour;
mod orders;
mod rotation;
mod running;

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

use running::{Running, children, exists, program};

#[test]
fn demo_succeeds_without_showing_private_key() {
    // As a user runs it, without log settings.
    let output = program().env_remove("RUST_LOG").arg("demo").output();
    let Output { status, stdout, stderr } = output.unwrap();
    let said = String::from_utf8_lossy(&stdout);
    assert!(status.success(), "{said}\n{}", String::from_utf8_lossy(&stderr));
    for part in [
        "POST /api/wallets",
        "aster/apikey",
        "hyperliquid/apikey",
        "noop",
        "DEPOSIT_REQUIRED",
        "POLICY_REFUSED",
        "POST /api/policy/changes",
        "allowed by record",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(
        stderr.is_empty(),
        "a log line is in the transcript: {}",
        String::from_utf8_lossy(&stderr)
    );
    let keys = said.matches("\"apiPrivateKey\": \"0x… (not shown)\"").count();
    assert_eq!((keys, said.matches("apiPrivateKey").count()), (1, 1), "{said}");
    let shown = said.split("Shown, with simulated exchanges:").nth(1).unwrap();
    assert!(shown.contains("a position was opened and closed on both exchanges"), "{shown}");
    assert!(shown.contains("a withdrawal that the signed policy allows reached"), "{shown}");
    assert!(!shown.contains("Not shown"), "{shown}");
}

#[test]
fn demo_with_unreachable_exchange_fails() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let output = program().args(["demo", "--aster-url", &url]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("hyperdex: the demo failed"));
}

/// Runs a short load run, and returns its exit code and output.
fn load(kill_every: &str, fail_every_ms: &str, more: &[&str]) -> (Option<i32>, String) {
    let output = program()
        .args(["load", "--clients", "4", "--wallets", "1", "--operations", "240"])
        .args(["--seconds", "40", "--kill-every", kill_every, "--fail-every-ms", fail_every_ms])
        .args(more)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), said + &String::from_utf8_lossy(&output.stderr))
}

#[test]
fn load_with_kills_and_exchange_faults_loses_no_data() {
    let (code, said) = load("3", "300", &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("4 wallets sign") && said.contains("; 0 lost"), "{said}");
    for line in ["wallets: 4 of 4", "operations: 24 of 240", "checked wallets: 4 of 4"] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(!said.contains("\n0 kills"), "{said}");
}

#[test]
fn load_with_planted_loss_fails() {
    let (code, said) = load("0", "5000", &["--plant-loss"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("LOST"), "{said}");
}

#[test]
fn wallets_survive_stop_and_kill() {
    let data = tempfile::tempdir().unwrap();
    let user = r#"{"userId":"user_1"}"#;
    let mut first = Running::start(data.path());
    for part in ["DynamoDB", "KMS", "Lambda", "Hyperliquid", "Aster", "curl", "loopback"] {
        assert!(first.lines.iter().any(|line| line.contains(part)), "{part}: {:?}", first.lines);
    }
    assert_eq!(first.call("GET", "/api/health", "").0, 200);
    let (status, wallet) = first.call("POST", "/api/wallets", user);
    assert_eq!(status, 201);
    first.signal("-INT");
    assert_eq!(first.child.wait().unwrap().code(), Some(0), "Ctrl-C is a clean end");

    let mut second = Running::start(data.path());
    assert_eq!(second.call("POST", "/api/wallets", user), (200, wallet.clone()));
    let signed = second.call("POST", "/api/wallets/user_1/sign", r#"{"message":"hi"}"#);
    assert_eq!(signed.0, 200, "{}", signed.1);
    // The cosigner is a separate process, and ends with the stack.
    let cosigners = children(second.child.id());
    assert_eq!(cosigners.len(), 1);
    second.child.kill().unwrap();
    second.child.wait().unwrap();

    let third = Running::start(data.path());
    let found = third.call("GET", "/api/wallets/user_1", "");
    assert_eq!(found, (200, wallet));
    let signed = third.call("POST", "/api/wallets/user_1/sign", r#"{"message":"hi"}"#);
    assert_eq!(signed.0, 200, "{}", signed.1);
    assert!(!exists(cosigners[0]), "the killed stack's cosigner is gone");
}

/// Runs `hyperdex wallets` on a data directory, and returns its exit code and output.
fn operate(data: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = program();
    command.env("USER", "olga").arg("--data-dir").arg(data).arg("wallets").args(arguments);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), said + &String::from_utf8_lossy(&output.stderr))
}

#[test]
fn freeze_and_unfreeze_work_on_local_stack() {
    let data = tempfile::tempdir().unwrap();
    let freeze = ["freeze", "user_1", "--reason", "a drill"];
    let empty = data.path().join("none");
    let (code, said) = operate(&empty, &freeze);
    assert!(code == Some(1) && said.contains("has no data of a local stack"), "{said}");
    assert!(!empty.exists(), "nothing was created");

    let stack = Running::start(data.path());
    let sign =
        |stack: &Running| stack.call("POST", "/api/wallets/user_1/sign", r#"{"message":"hi"}"#).0;
    assert_eq!(stack.call("POST", "/api/wallets", r#"{"userId":"user_1"}"#).0, 201);
    let (code, said) = operate(data.path(), &freeze);
    assert!(code == Some(1) && said.contains("--endpoint-url"), "{said}");
    assert_eq!(sign(&stack), 200);
    let url = stack.url("DynamoDB");
    let running = [&freeze[..], &["--endpoint-url", &url]].concat();
    let (code, said) = operate(data.path(), &running);
    assert!(code == Some(0) && said.contains("local:olga") && said.contains("a drill"), "{said}");
    assert_eq!(sign(&stack), 422);
    drop(stack);

    let (code, said) = operate(data.path(), &["unfreeze", "user_1", "--reason", "it is over"]);
    assert!(code == Some(0) && said.contains("can sign again"), "{said}");
    assert_eq!(sign(&Running::start(data.path())), 200);
}

/// Runs a command that must fail with exit code 2, and returns its error output.
fn fails(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    said
}

#[test]
fn failed_start_prints_one_line() {
    let data = tempfile::tempdir().unwrap();
    let with_data = || {
        let mut command = program();
        command.arg("--data-dir").arg(data.path());
        command
    };
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let said = fails(with_data().args(["--port", &port]));
    assert!(said.contains(&port) && said.lines().count() == 1, "{said}");

    let said = fails(program().args(["--port", "0", "--data-dir", "/dev/null/data"]));
    assert!(said.contains("/dev/null/data") && said.lines().count() == 1, "{said}");

    for url in ["http://api.example.com", "nonsense", "https://x.example/?a=b"] {
        let said = fails(with_data().args(["--hyperliquid-url", url]));
        assert!(said.contains("--hyperliquid-url"), "{said}");
        let said = fails(with_data().env("ASTER_URL", url));
        assert!(said.contains("--aster-url"), "{said}");
    }
    fails(with_data().env("HYPERLIQUID_CHAIN", "mainnet"));
    for (settings, named) in [
        (
            ["--hyperliquid-url", "https://api.hyperliquid.xyz", "--hyperliquid-chain", "Testnet"],
            "HYPERLIQUID_URL",
        ),
        (["--aster-url", "https://fapi.asterdex.com", "--aster-chain", "Testnet"], "ASTER_URL"),
        (["--aster-chain", "Testnet", "--aster-agent-chain-id", "1666"], "ASTER_AGENT_CHAIN_ID"),
        (["--aster-agent-chain-id", "56", "--port", "0"], "ASTER_AGENT_CHAIN_ID"),
        (["--lighter-weight-per-minute", "999", "--port", "0"], "LIGHTER_WEIGHT_PER_MINUTE"),
        (["--tenant-budget-percent", "1", "--port", "0"], "TENANT_BUDGET_PERCENT"),
    ] {
        let said = fails(with_data().args(settings));
        assert!(said.contains(named) && said.lines().count() == 1, "{said}");
    }
    let nothing = std::fs::read_dir(data.path()).unwrap().count();
    assert!(nothing <= 2, "a refused start leaves {nothing} files");

    let said = fails(with_data().args(["--port", "0", "--bind", "0.0.0.0"]));
    assert!(said.contains("--expose") && said.lines().count() == 1, "{said}");
}

#[test]
fn second_stack_on_data_directory_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let running = Running::start(data.path());
    let said = fails(program().args(["--port", "0", "--data-dir"]).arg(data.path()));
    assert!(said.contains("in use"), "{said}");
    let lock = std::fs::read_to_string(data.path().join("lock")).unwrap();
    assert_eq!(lock.trim(), running.child.id().to_string(), "the lock names its process");
}

/// Runs `keys`, and returns its output.
fn keys(data: &Path, arguments: &[&str]) -> String {
    let output = program().arg("keys").args(arguments).arg("--data-dir").arg(data).output();
    let Output { status, stdout, stderr } = output.unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

#[test]
fn running_stack_applies_tenant_key_changes() {
    let data = tempfile::tempdir().unwrap();
    let running = Running::start(data.path());
    let user = r#"{"userId":"user_1"}"#;
    let create = |key: &str| running.call_with(key, "POST", "/api/wallets", user);
    assert_eq!(create("any").0, 201);
    assert_eq!(create("").0, 200, "without tenant keys, every caller is the same tenant");

    let one = keys(data.path(), &["add", "one"]);
    let one = one.trim_end();
    let find = |key: &str| running.call_with(key, "GET", "/api/wallets/user_1", "");
    assert_eq!(running.call_with("", "GET", "/api/health", "").0, 200);
    for (key, status, error, code) in [
        ("", 401, "Missing X-API-KEY", "MISSING_API_KEY"),
        ("any", 403, "Invalid X-API-KEY", "INVALID_API_KEY"),
    ] {
        let (refused, body) = find(key);
        assert_eq!((refused, body["success"].as_bool()), (status, Some(false)));
        assert_eq!((&body["error"], &body["code"]), (&error.into(), &code.into()));
        assert!(body["timestamp"].is_u64(), "{body}");
    }
    assert_eq!(find(one).0, 404, "the wallet of the tenant local");
    let two = keys(data.path(), &["add", "two"]);
    assert_eq!(create(two.trim_end()).0, 201);
    let said = fails(program().args(["keys", "add", "one", "--data-dir"]).arg(data.path()));
    assert!(said.contains("has a key with this label"), "{said}");
    fails(program().args(["keys", "add", "a#b", "--data-dir"]).arg(data.path()));

    let listed = keys(data.path(), &["list"]);
    assert!(listed.contains("  one\n") && listed.contains("  two\n"), "{listed}");
    assert!(!listed.contains("hdxk"), "{listed}");
    keys(data.path(), &["remove", "one"]);
    assert_eq!(find(one).0, 403);
    let said = fails(program().args(["keys", "remove", "two", "--data-dir"]).arg(data.path()));
    assert!(said.contains("--open-api"), "{said}");
    assert_eq!(find(one).0, 403, "the API is not open");
    assert!(keys(data.path(), &["remove", "two", "--open-api"]).contains("open"));
    assert_eq!(find(one).0, 200, "the wallet of the tenant local, for every caller");
    let said = fails(program().args(["keys", "remove", "two", "--data-dir"]).arg(data.path()));
    assert!(said.contains("no key named two"), "{said}");
}

#[test]
fn tenant_over_rate_limit_gets_429() {
    let data = tempfile::tempdir().unwrap();
    let limits = ["--key-rate-limit", "1", "--key-burst-limit", "3"];
    let running = Running::start_with(data.path(), &limits);
    // More requests than a slow machine admits meanwhile.
    let sent = (0..30).map(|_| running.call("GET", "/api/wallets/a%20b", ""));
    let (passed, refused): (Vec<_>, Vec<_>) = sent.partition(|(status, _)| *status == 400);
    assert!(passed.len() >= 3 && !refused.is_empty(), "{} passed", passed.len());
    for (status, body) in refused {
        assert_eq!((status, body["error"].as_str()), (429, Some("Too many requests")));
    }
    assert_eq!(running.call("GET", "/api/health", "").0, 200, "health is not limited");
}

#[test]
fn help_lists_settings_and_commands() {
    let output = program().arg("--help").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    for setting in [
        "HYPERLIQUID_URL",
        "HYPERLIQUID_CHAIN",
        "ASTER_URL",
        "ASTER_CHAIN",
        "ASTER_SIGNATURE_CHAIN_ID",
        "--port",
        "--data-dir",
        "--allowed-host",
        "KEY_RATE_LIMIT",
        "[default: 100000]",
        "demo",
        "keys",
    ] {
        assert!(said.contains(setting), "{setting}: {said}");
    }
}
