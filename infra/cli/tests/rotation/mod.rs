//! Rotation of the KMS keys: wallets from before and after a rotation sign, even after a restart
//! and a restore.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use serde_json::{Value, json};

use crate::running::{Running, exchange, program};

const KEYS: [&str; 2] = ["alias/hyperdex-wallets", "alias/hyperdex-cosigner"];

/// Sends one call to the stack's KMS, and returns the response's body.
fn kms(stack: &Running, operation: &str, body: &Value) -> Value {
    let address = stack.url("KMS").replace("http://", "");
    let body = body.to_string();
    let response = exchange(
        &address,
        &format!(
            "POST / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nX-Amz-Target: \
             TrentService.{operation}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    );
    serde_json::from_str(response.split_once("\r\n\r\n").unwrap().1).unwrap()
}

fn rotate(stack: &Running) {
    for key in KEYS {
        let rotated = kms(stack, "RotateKeyOnDemand", &json!({ "KeyId": key }));
        assert!(rotated["KeyId"].is_string(), "{rotated}");
    }
}

fn create(stack: &Running, user: &str) {
    let created = stack.call("POST", "/api/wallets", &json!({ "userId": user }).to_string());
    assert_eq!(created.0, 201, "{}", created.1);
}

fn sign(stack: &Running, users: &[&str]) {
    for user in users {
        let path = format!("/api/wallets/{user}/sign");
        let signed = stack.call("POST", &path, r#"{"message":"hi"}"#);
        assert_eq!(signed.0, 200, "{user}: {}", signed.1);
    }
    assert_eq!(stack.call("GET", "/api/health", "").0, 200);
}

fn run(data: &Path, arguments: &[&str]) -> (bool, String) {
    let output = program().args(arguments).arg("--data-dir").arg(data).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[test]
fn wallets_sign_after_kms_rotation_and_restart() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let stack = Running::start(&data);
    for key in KEYS {
        let status = kms(&stack, "GetKeyRotationStatus", &json!({ "KeyId": key }));
        assert_eq!(status["KeyRotationEnabled"], true, "{status}");
    }
    create(&stack, "before");
    rotate(&stack);
    sign(&stack, &["before"]);
    create(&stack, "after");
    sign(&stack, &["before", "after"]);
    stack.kill();

    let before_restart = std::fs::read(data.join("kms.json")).unwrap();
    let stack = Running::start(&data);
    sign(&stack, &["before", "after"]);
    rotate(&stack);
    let archive = folder.path().join("backup.tar");
    let (backed_up, said) = run(&data, &["backup", archive.to_str().unwrap()]);
    assert!(backed_up, "{said}");
    create(&stack, "last");
    stack.kill();
    sign(&Running::start(&data), &["before", "after", "last"]);
    let (sound, said) = run(&data, &["doctor"]);
    assert!(sound, "{said}");

    // A start refuses a key file from before a rotation that an earlier start has seen.
    let current = std::fs::read(data.join("kms.json")).unwrap();
    std::fs::write(data.join("kms.json"), before_restart).unwrap();
    let (sound, said) = run(&data, &["doctor"]);
    assert!(!sound && said.contains("kms.json belongs to another data directory"), "{said}");
    std::fs::write(data.join("kms.json"), current).unwrap();

    let restored = folder.path().join("restored");
    let (done, said) = run(&restored, &["restore", archive.to_str().unwrap()]);
    assert!(done, "{said}");
    sign(&Running::start(&restored), &["before", "after"]);
}

#[test]
fn kill_during_rotations_loses_no_key() {
    let data = tempfile::tempdir().unwrap();
    let stack = Running::start(data.path());
    create(&stack, "user_1");
    let address = stack.url("KMS").replace("http://", "");
    let (sender, rotated) = std::sync::mpsc::channel();
    let rotating = std::thread::spawn(move || {
        let body = json!({ "KeyId": KEYS[0] }).to_string();
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nX-Amz-Target: \
             TrentService.RotateKeyOnDemand\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        // Until the stack has stopped, or the key has reached the maximum number of rotations.
        for _ in 0..25 {
            let Ok(mut socket) = TcpStream::connect(&address) else { return };
            let mut response = String::new();
            let sent = socket.write_all(request.as_bytes());
            if sent.and_then(|()| socket.read_to_string(&mut response)).is_err() {
                return;
            }
            let _ = sender.send(response.contains("KeyId"));
        }
    });
    // The kill comes at an arbitrary step of a later rotation.
    let first: Vec<bool> = rotated.iter().take(3).collect();
    assert_eq!(first, [true; 3]);
    stack.kill();
    rotating.join().unwrap();
    let acknowledged = 3 + rotated.try_iter().filter(|rotated| *rotated).count();
    let stack = Running::start(data.path());
    sign(&stack, &["user_1"]);
    let list = kms(&stack, "ListKeyRotations", &json!({ "KeyId": KEYS[0] }));
    let kept = list["Rotations"].as_array().unwrap().len();
    assert!(kept >= acknowledged, "{kept} of {acknowledged} rotations are kept");
}
