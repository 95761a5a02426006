//! `--dynamodb-url` and `--kms-url`: the API over external engines, here those of another stack.

use std::path::Path;

use crate::fails;
use crate::running::{Running, program};

const USER: &str = r#"{"userId":"user_1"}"#;

fn flags<'a>(dynamodb: &'a str, kms: &'a str) -> [&'a str; 4] {
    ["--dynamodb-url", dynamodb, "--kms-url", kms]
}

fn refused(data: &Path, arguments: &[&str]) -> String {
    let ports = ["--port", "0", "--hyperliquid-port", "0", "--aster-port", "0", "--data-dir"];
    let said = fails(program().args(ports).arg(data).args(arguments));
    assert_eq!(said.lines().count(), 1, "{said}");
    said
}

#[test]
fn external_engines_with_other_data_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Running::start(&folder.path().join("engine"));
    let (dynamodb, kms) = (engine.url("DynamoDB"), engine.url("KMS"));
    let external = flags(&dynamodb, &kms);
    let data = folder.path().join("data");
    let first = Running::start_with(&data, &external);
    assert!(first.lines.iter().any(|line| line.contains("(external)")), "{:?}", first.lines);
    assert_eq!(first.url("DynamoDB"), dynamodb);
    let (status, wallet) = first.call("POST", "/api/wallets", USER);
    assert_eq!(status, 201, "{wallet}");
    for exchange in ["aster", "hyperliquid"] {
        let path = format!("/api/trading/{exchange}/apikey");
        let registered = first.call("POST", &path, r#"{"walletIdOrAddress":"user_1"}"#);
        assert_eq!(registered.0, 200, "{exchange}");
    }
    assert!(!data.join("dynamodb.sqlite").exists() && !data.join("kms.json").exists());
    first.kill();
    // The wallet is in the engine, so the other stack can read it.
    assert_eq!(engine.call("GET", "/api/wallets/user_1", ""), (200, wallet.clone()));

    let second = Running::start_with(&data, &external);
    assert_eq!(second.call("GET", "/api/health", "").0, 200);
    assert_eq!(second.call("GET", "/api/wallets/user_1", ""), (200, wallet));
    let signed = second.call("POST", "/api/wallets/user_1/sign", r#"{"message":"hi"}"#);
    assert_eq!(signed.0, 200, "{}", signed.1);
    second.kill();

    let doctor = program().arg("doctor").arg("--data-dir").arg(&data).output().unwrap();
    let said = String::from_utf8_lossy(&doctor.stdout);
    assert!(doctor.status.success() && said.contains("in external engines"), "{said}");
    let said = refused(&data, &[]);
    assert!(said.contains("pass --dynamodb-url and --kms-url"), "{said}");
    let archive = folder.path().join("backup.tar");
    let said = fails(program().arg("backup").arg(&archive).arg("--data-dir").arg(&data));
    assert!(said.contains("in external engines") && !archive.exists(), "{said}");
    let verify = fails(program().args(["audit", "verify", "--data-dir"]).arg(&data));
    assert!(verify.contains("in external engines"), "{verify}");

    let other = Running::start(&folder.path().join("other"));
    let foreign = refused(&data, &flags(&other.url("DynamoDB"), &other.url("KMS")));
    assert!(foreign.contains("does not belong to these engines"), "{foreign}");
    let foreign = refused(&data, &flags(&dynamodb, &other.url("KMS")));
    assert!(foreign.contains("the KMS at --kms-url does not open"), "{foreign}");
    drop(other);
    let own = refused(&folder.path().join("other"), &external);
    assert!(own.contains("leave --dynamodb-url and --kms-url out"), "{own}");
}

#[test]
fn external_key_alias_is_created_but_id_must_exist() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Running::start(&folder.path().join("engine"));
    let (dynamodb, kms) = (engine.url("DynamoDB"), engine.url("KMS"));
    let external = flags(&dynamodb, &kms);
    let with = |key: &'static str| {
        [&external[..], &["--kms-key-id", key, "--cosigner-kms-key-id", "alias/own-b"]].concat()
    };
    let data = folder.path().join("data");
    let stack = Running::start_with(&data, &with("alias/own-a"));
    assert_eq!(stack.call("POST", "/api/wallets", USER).0, 201);
    stack.kill();
    let stack = Running::start_with(&data, &with("alias/own-a"));
    let signed = stack.call("POST", "/api/wallets/user_1/sign", r#"{"message":"hi"}"#);
    assert_eq!(signed.0, 200, "{}", signed.1);
    stack.kill();
    let said = refused(&data, &external);
    assert!(said.contains("does not open what it sealed"), "{said}");
    let fresh = folder.path().join("fresh");
    let said = refused(&fresh, &with("00000000-0000-4000-8000-000000000000"));
    assert!(said.contains("does not exist"), "{said}");
}

#[test]
fn single_external_engine_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    for (given, missing) in [("--dynamodb-url", "--kms-url"), ("--kms-url", "--dynamodb-url")] {
        let said = fails(program().args([given, "http://127.0.0.1:9", "--data-dir"]).arg(&data));
        assert!(said.contains(missing), "{said}");
    }
    let url = "http://127.0.0.1:9";
    let half = program()
        .args(flags(url, url))
        .env("AWS_ACCESS_KEY_ID", "id")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .arg("--data-dir")
        .arg(&data)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&half.stderr);
    assert_eq!(half.status.code(), Some(2), "{said}");
    assert!(said.contains("AWS_SECRET_ACCESS_KEY is not set"), "{said}");
    assert!(!data.exists(), "a refused start creates nothing");
}
