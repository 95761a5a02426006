//! Ports, networks, jobs and simulators, as a new user first uses them.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::fails;
use crate::running::{Running, children, exists, program};

const USER: &str = r#"{"userId":"user_1"}"#;
const NAME: &str = r#"{"walletIdOrAddress":"user_1"}"#;

fn with_data(data: &Path, arguments: &[&str]) -> Command {
    let mut command = program();
    command.args(arguments).arg("--data-dir").arg(data);
    command
}

fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

#[test]
fn key_operations_work_on_default_network_testnet() {
    let data = tempfile::tempdir().unwrap();
    let running = Running::start(data.path());
    for exchange in ["Hyperliquid", "Aster"] {
        let line = running.lines.iter().find(|line| line.trim().starts_with(exchange)).unwrap();
        assert!(line.contains("simulator, Testnet"), "{line}");
    }
    assert_eq!(running.call("POST", "/api/wallets", USER).0, 201);
    let path = "/api/trading/aster/apikey";
    assert_eq!(running.call("POST", path, NAME).0, 200);
    let rotated = running.call("POST", &format!("{path}/rotate"), NAME);
    assert_eq!(rotated.0, 200, "{}", rotated.1);
    let deleted = running.call("DELETE", &format!("{path}?walletIdOrAddress=user_1"), "");
    assert_eq!(deleted.0, 200, "{}", deleted.1);
}

#[test]
fn busy_default_port_falls_back_but_explicit_fails() {
    // The port is in use, by this test or by another program.
    let _busy = TcpListener::bind("127.0.0.1:3001");
    let data = tempfile::tempdir().unwrap();
    let running = Running::start_on(data.path(), &["--port", "0"]);
    let moved = running.lines.iter().find(|line| line.contains("Port 3001 is in use"));
    assert!(moved.is_some_and(|line| line.contains("Hyperliquid")), "{:?}", running.lines);
    assert!(running.url("Hyperliquid").starts_with("http://127.0.0.1:"));
    let user = format!("0x{}", "1".repeat(40));
    let asked = json!({ "type": "userRole", "user": user }).to_string();
    assert_eq!(running.post_to("Hyperliquid", "/info", &asked).0, 200);

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let other = tempfile::tempdir().unwrap();
    for flag in ["--hyperliquid-port", "--aster-port"] {
        let line = fails(&mut with_data(other.path(), &["--port", "0", flag, &port]));
        assert!(line.contains(&port) && line.lines().count() == 1, "{line}");
    }
}

#[test]
fn simulators_remember_agents_after_a_kill() {
    let data = tempfile::tempdir().unwrap();
    let first = Running::start(data.path());
    let (_, wallet) = first.call("POST", "/api/wallets", USER);
    for exchange in ["aster", "hyperliquid"] {
        assert_eq!(first.call("POST", &format!("/api/trading/{exchange}/apikey"), NAME).0, 200);
    }
    let agents = |running: &Running| -> Value {
        let asked = json!({ "type": "extraAgents", "user": wallet["address"] });
        running.post_to("Hyperliquid", "/info", &asked.to_string()).1
    };
    let before = agents(&first);
    assert_eq!(before.as_array().map(Vec::len), Some(1), "{before}");
    let price = r#"{"symbol":"BTC","mark":"61000"}"#;
    assert_eq!(first.post_to("Hyperliquid", "/_sim/price", price).0, 200);
    first.kill();

    let second = Running::start(data.path());
    assert_eq!(agents(&second), before);
    let (_, mids) = second.post_to("Hyperliquid", "/info", r#"{"type":"allMids"}"#);
    assert_eq!(mids["BTC"], "61000", "{mids}");
    for exchange in ["aster", "hyperliquid"] {
        let path = format!("/api/trading/{exchange}/apikey?walletIdOrAddress=user_1");
        let (status, body) = second.call("DELETE", &path, "");
        assert_eq!(status, 200, "{exchange}: {body}");
    }
    assert_eq!(agents(&second), json!([]));
}

#[test]
fn sim_deposit_satisfies_required_deposit() {
    let data = tempfile::tempdir().unwrap();
    let running = Running::start_with(data.path(), &["--require-deposit"]);
    assert_eq!(running.call("POST", "/api/wallets", USER).0, 201);
    let register = || running.call("POST", "/api/trading/hyperliquid/apikey", NAME);
    let (status, refused) = register();
    assert_eq!((status, refused["code"].as_str()), (422, Some("DEPOSIT_REQUIRED")), "{refused}");
    let line = fails(&mut with_data(data.path(), &["sim", "deposit", "nobody"]));
    assert!(line.contains("has no wallet nobody"), "{line}");
    let done = said(&mut with_data(data.path(), &["sim", "deposit", "user_1"]));
    assert!(done.contains("hyperliquid") && done.contains("aster"), "{done}");
    assert_eq!(register().0, 200);
}

#[test]
fn jobs_run_prints_summary() {
    let data = tempfile::tempdir().unwrap();
    let running = Running::start(data.path());
    assert_eq!(running.call("POST", "/api/wallets", USER).0, 201);
    for (job, field) in [
        ("renew", "/aster/renewed"),
        ("reconcile", "/hyperliquid/checked"),
        ("refresh", "/refreshed"),
        ("seal", "/seals"),
    ] {
        let summary = said(&mut with_data(data.path(), &["jobs", "run", job]));
        let summary: Value = serde_json::from_str(&summary).unwrap();
        assert!(summary.pointer(field).is_some_and(Value::is_u64), "{job}: {summary}");
    }
    fails(&mut with_data(data.path(), &["jobs", "run", "nothing"]));
    running.kill();
    let line = fails(&mut with_data(data.path(), &["jobs", "run", "seal"]));
    assert!(line.contains("no stack runs"), "{line}");
}

#[test]
fn young_stack_has_no_seals_yet() {
    let data = tempfile::tempdir().unwrap();
    let running = Running::start(data.path());
    assert_eq!(running.call("POST", "/api/wallets", USER).0, 201);
    running.kill();
    let key = data.path().join("audit-public-key.pem");
    let key = key.to_str().unwrap();
    let verified = said(&mut with_data(data.path(), &["audit", "verify"]));
    assert!(verified.contains("seals not verified: pass --public-key"), "{verified}");
    let verified = said(&mut with_data(data.path(), &["audit", "verify", "--public-key", key]));
    assert!(!verified.contains("not verified"), "{verified}");
    assert!(verified.contains("no seals yet") && verified.contains(" 0 faults"), "{verified}");

    let running = Running::start(data.path());
    said(&mut with_data(data.path(), &["jobs", "run", "seal"]));
    running.kill();
    let verified = said(&mut with_data(data.path(), &["audit", "verify", "--public-key", key]));
    assert!(verified.contains("1 seals") && !verified.contains("no seals yet"), "{verified}");
}

#[test]
fn killed_cosigner_is_restarted() {
    let data = tempfile::tempdir().unwrap();
    let mut running = Running::start(data.path());
    assert_eq!(running.call("POST", "/api/wallets", USER).0, 201);
    for _ in 0..2 {
        let cosigners = children(running.child.id());
        assert_eq!(cosigners.len(), 1);
        let killed = Command::new("kill").args(["-9", &cosigners[0].to_string()]).status();
        assert!(killed.unwrap().success());
        let line = running.next_line();
        assert!(line.contains("cosigner's process ended (signal: 9"), "{line}");
        assert!(!exists(cosigners[0]));
        let signed = running.call("POST", "/api/wallets/user_1/sign", r#"{"message":"hi"}"#);
        assert_eq!(signed.0, 200, "{}", signed.1);
    }
}

#[test]
fn repeated_cosigner_crash_stops_stack_with_cause() {
    let data = tempfile::tempdir().unwrap();
    let mut running = Running::start(data.path());
    for _ in 0..5 {
        let cosigner = children(running.child.id())[0].to_string();
        assert!(Command::new("kill").args(["-9", &cosigner]).status().unwrap().success());
        running.next_line();
    }
    let cosigner = children(running.child.id())[0].to_string();
    assert!(Command::new("kill").args(["-9", &cosigner]).status().unwrap().success());
    assert_eq!(running.child.wait().unwrap().code(), Some(2));
}

#[test]
fn key_rate_limit_zero_disables_limits() {
    let data = tempfile::tempdir().unwrap();
    let running = Running::start_with(data.path(), &["--key-rate-limit", "0"]);
    let refused = (0..150).filter(|_| running.call("GET", "/api/wallets/a%20b", "").0 != 400);
    assert_eq!(refused.count(), 0);
}
