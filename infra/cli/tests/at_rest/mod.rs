//! The data directory: a start refuses files that do not belong together, and names the next
//! action.

use std::path::Path;
use std::process::Command;

use domain::clock::Clock;
use domain::random::Random;
use hyperdex_local::keys::KeyFile;
use tempfile::TempDir;

use crate::fails;
use crate::running::{Running, program};

const USER: &str = r#"{"userId":"user_1"}"#;

/// Returns a data directory with a wallet, whose stack has stopped.
fn filled() -> (TempDir, String) {
    let data = tempfile::tempdir().unwrap();
    let running = Running::start(data.path());
    let (status, wallet) = running.call("POST", "/api/wallets", USER);
    assert_eq!(status, 201, "{wallet}");
    running.kill();
    // Move all data into the files themselves, so that no write-ahead log is left.
    for file in ["dynamodb.sqlite", "queue.sqlite"] {
        let file = rusqlite::Connection::open(data.path().join(file)).unwrap();
        file.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    }
    (data, wallet["address"].as_str().unwrap().to_owned())
}

fn start(data: &Path) -> Command {
    let mut command = program();
    command.args(["--port", "0", "--hyperliquid-port", "0", "--aster-port", "0", "--data-dir"]);
    command.arg(data);
    command
}

/// Runs a command that must succeed, and returns its output.
fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// The expected error, and the damage that causes it.
type Damage = (&'static str, fn(&Path));

#[test]
fn damaged_data_directory_is_refused() {
    let (whole, _) = filled();
    said(program().args(["keys", "add", "one", "--data-dir"]).arg(whole.path()));
    let other = filled().0;
    let foreign = |file: &str, data: &Path| {
        std::fs::copy(other.path().join(file), data.join(file)).unwrap();
    };
    let cases: [Damage; 11] = [
        ("dynamodb.sqlite is missing", |data| {
            std::fs::remove_file(data.join("dynamodb.sqlite")).unwrap();
        }),
        ("dynamodb.sqlite is empty", |data| {
            std::fs::write(data.join("dynamodb.sqlite"), "").unwrap();
        }),
        ("dynamodb.sqlite is corrupt", |data| {
            let file = std::fs::File::options().write(true).open(data.join("dynamodb.sqlite"));
            file.unwrap().set_len(8_192).unwrap();
        }),
        ("dynamodb.sqlite is corrupt", |data| {
            let mut bytes = std::fs::read(data.join("dynamodb.sqlite")).unwrap();
            let middle = bytes.len() / 2;
            bytes[4_096..middle].fill(0xa5);
            std::fs::write(data.join("dynamodb.sqlite"), bytes).unwrap();
        }),
        ("dynamodb.sqlite is corrupt", |data| {
            std::fs::write(data.join("dynamodb.sqlite"), "not a database").unwrap();
        }),
        ("queue.sqlite is missing", |data| {
            std::fs::remove_file(data.join("queue.sqlite")).unwrap();
        }),
        ("kms.json is missing", |data| std::fs::remove_file(data.join("kms.json")).unwrap()),
        ("kms.json", |data| std::fs::write(data.join("kms.json"), "{").unwrap()),
        ("keys.json is missing", |data| std::fs::remove_file(data.join("keys.json")).unwrap()),
        ("audit-key.der is missing", |data| {
            std::fs::remove_file(data.join("audit-key.der")).unwrap();
        }),
        ("identity.json is missing", |data| {
            std::fs::remove_file(data.join("identity.json")).unwrap();
        }),
    ];
    let refused = |expected: &str, data: &Path| {
        let before = listing(data);
        let line = fails(&mut start(data));
        assert!(line.contains(expected) && line.lines().count() == 1, "{expected}: {line}");
        assert!(line.contains("hyperdex restore FILE"), "the next action: {line}");
        assert_eq!(before, listing(data), "{expected}: a refused start changes nothing");
        let doctor = program().arg("doctor").arg("--data-dir").arg(data).output().unwrap();
        let said = String::from_utf8_lossy(&doctor.stdout);
        assert_eq!(doctor.status.code(), Some(1), "{expected}: {said}");
        assert!(said.contains("PROBLEM"), "{expected}: {said}");
    };
    for (expected, damage) in cases {
        let data = tempfile::tempdir().unwrap();
        copy(whole.path(), data.path());
        damage(data.path());
        refused(expected, data.path());
    }
    for file in ["kms.json", "dynamodb.sqlite", "audit-key.der"] {
        let data = tempfile::tempdir().unwrap();
        copy(whole.path(), data.path());
        foreign(file, data.path());
        refused(&format!("{file} belongs to another data directory"), data.path());
    }
    let stack = Running::start(whole.path());
    assert_eq!(stack.call("GET", "/api/wallets", "").0, 403, "the complete directory starts");
}

/// Returns names and sizes of a directory's files, except those that SQLite creates while a file is
/// open.
fn listing(data: &Path) -> Vec<(String, u64)> {
    let mut files: Vec<_> = std::fs::read_dir(data)
        .unwrap()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| {
            (entry.file_name().to_string_lossy().into_owned(), entry.metadata().unwrap().len())
        })
        .filter(|(name, _)| !name.contains(".sqlite") && name != "lock")
        .collect();
    files.sort();
    files
}

#[test]
fn consistent_directory_of_old_version_is_adopted() {
    let (data, address) = filled();
    // An earlier version stored no identity in any file.
    let forget = |data: &Path| {
        std::fs::remove_file(data.join("identity.json")).unwrap();
        for file in ["dynamodb.sqlite", "queue.sqlite"] {
            let file = rusqlite::Connection::open(data.join(file)).unwrap();
            file.execute_batch("DROP TABLE hyperdex_identity").unwrap();
        }
    };
    forget(data.path());
    let earlier = tempfile::tempdir().unwrap();
    copy(data.path(), earlier.path());

    let running = Running::start(data.path());
    let (status, wallet) = running.call("GET", "/api/wallets/user_1", "");
    assert_eq!((status, wallet["address"].as_str()), (200, Some(address.as_str())));
    running.kill();
    assert!(data.path().join("identity.json").exists());

    let other = filled().0;
    std::fs::copy(other.path().join("kms.json"), earlier.path().join("kms.json")).unwrap();
    let line = fails(&mut start(earlier.path()));
    assert!(line.contains("kms.json belongs to another data directory"), "{line}");
    for file in ["kms.json", "dynamodb.sqlite"] {
        let lost = tempfile::tempdir().unwrap();
        copy(earlier.path(), lost.path());
        std::fs::remove_file(lost.path().join(file)).unwrap();
        let line = fails(&mut start(lost.path()));
        assert!(line.contains(&format!("{file} is missing")), "{line}");
    }
}

#[test]
fn backup_of_running_stack_restores_all_data() {
    let data = tempfile::tempdir().unwrap();
    let running = Running::start(data.path());
    let (_, wallet) = running.call("POST", "/api/wallets", USER);
    let name = r#"{"walletIdOrAddress":"user_1"}"#;
    for exchange in ["aster", "hyperliquid"] {
        let path = format!("/api/trading/{exchange}/apikey");
        assert_eq!(running.call("POST", &path, name).0, 200);
    }
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("backup.tar");
    said(program().arg("backup").arg(&file).arg("--data-dir").arg(data.path()));
    let line = fails(program().arg("backup").arg(&file).arg("--data-dir").arg(data.path()));
    assert!(line.contains("exists"), "{line}");
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "only the owner can read the backup");
    // Created after the backup, so the backup does not contain it.
    assert_eq!(running.call("POST", "/api/wallets", r#"{"userId":"user_2"}"#).0, 201);

    let restore = |to: &Path, more: &[&str]| {
        let mut command = program();
        command.arg("restore").arg(&file).args(more).arg("--data-dir").arg(to);
        command
    };
    let line = fails(&mut restore(data.path(), &[]));
    assert!(line.contains("is not empty") && line.contains("--overwrite"), "{line}");
    let line = fails(&mut restore(data.path(), &["--overwrite"]));
    assert!(line.contains("in use"), "{line}");
    running.kill();

    let elsewhere = files.path().join("elsewhere");
    said(&mut restore(&elsewhere, &[]));
    let aside = said(&mut restore(data.path(), &["--overwrite"]));
    assert!(aside.contains(".replaced-"), "{aside}");
    for data in [data.path(), &elsewhere] {
        let restored = Running::start(data);
        let (status, found) = restored.call("GET", "/api/wallets/user_1", "");
        assert_eq!((status, &found["address"]), (200, &wallet["address"]));
        assert_eq!(restored.call("GET", "/api/wallets/user_2", "").0, 404);
        let sign = restored.call("POST", "/api/wallets/user_1/sign", r#"{"message":"hi"}"#);
        assert_eq!(sign.0, 200, "{}", sign.1);
        for exchange in ["aster", "hyperliquid"] {
            let path = format!("/api/trading/{exchange}/apikey?walletIdOrAddress=user_1");
            let (status, gone) = restored.call("DELETE", &path, "");
            assert_eq!(status, 200, "the simulator still has the agent: {gone}");
        }
        restored.kill();
        let doctor = said(program().arg("doctor").arg("--data-dir").arg(data));
        assert!(!doctor.contains("PROBLEM"), "{doctor}");
    }
}

#[test]
fn restored_directory_has_the_public_audit_key() {
    let (data, _) = filled();
    let files = tempfile::tempdir().unwrap();
    let (file, restored) = (files.path().join("backup.tar"), files.path().join("restored"));
    said(program().arg("backup").arg(&file).arg("--data-dir").arg(data.path()));
    said(program().arg("restore").arg(&file).arg("--data-dir").arg(&restored));
    let verify = |key: &Path| {
        let mut command = program();
        command.args(["audit", "verify", "--public-key"]).arg(key);
        command.arg("--data-dir").arg(&restored);
        command
    };
    let verified = said(&mut verify(&restored.join("audit-public-key.pem")));
    assert!(verified.contains(" 0 faults"), "{verified}");
    let line = fails(&mut verify(&files.path().join("nowhere.pem")));
    assert!(line.contains("cannot use the public key") && line.contains("nowhere.pem"), "{line}");
}

#[test]
fn broken_backup_is_not_restored() {
    let (data, _) = filled();
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("backup.tar");
    said(program().arg("backup").arg(&file).arg("--data-dir").arg(data.path()));
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    for (name, bytes) in [("changed", &bytes[..]), ("cut", &bytes[..middle]), ("other", b"hello")] {
        let (file, to) = (files.path().join(name), files.path().join(format!("{name}.data")));
        std::fs::write(&file, bytes).unwrap();
        let line = fails(program().arg("restore").arg(&file).arg("--data-dir").arg(&to));
        assert!(line.contains("cannot use the backup"), "{name}: {line}");
        assert!(!to.exists(), "{name}: nothing is restored");
    }
}

#[test]
fn lost_key_file_does_not_open_running_api() {
    // The stack has read the key file before the loss, or has never read it.
    for is_read in [true, false] {
        let data = tempfile::tempdir().unwrap();
        let running = Running::start(data.path());
        said(program().args(["keys", "add", "one", "--data-dir"]).arg(data.path()));
        if is_read {
            assert_eq!(running.call("GET", "/api/wallets", "").0, 403);
        }
        std::fs::remove_file(data.path().join("keys.json")).unwrap();
        for path in ["/api/wallets", "/console/data/wallets"] {
            assert_eq!(running.call("GET", path, "").0, 500, "{path}, read: {is_read}");
        }
        let (status, health) = running.call("GET", "/api/health", "");
        assert_eq!((status, health["code"].as_str()), (503, Some("UNHEALTHY")), "{health}");
    }
}

#[test]
fn health_with_full_disk_returns_error() {
    let data = tempfile::tempdir().unwrap();
    let running = Running::start(data.path());
    // A device that accepts no bytes, like a full disk.
    std::os::unix::fs::symlink("/dev/full", data.path().join("health.probe")).unwrap();
    let (status, health) = running.call("GET", "/api/health", "");
    assert_eq!((status, health["code"].as_str()), (503, Some("UNHEALTHY")), "{health}");
    assert!(health["error"].as_str().unwrap().contains("No space left"), "{health}");
    let doctor = program().arg("doctor").arg("--data-dir").arg(data.path()).output().unwrap();
    assert_eq!(doctor.status.code(), Some(1));
}

#[test]
fn health_with_broken_kms_key_returns_error() {
    let data = tempfile::tempdir().unwrap();
    let running = Running::start(data.path());
    std::fs::write(data.path().join("kms.json"), "{}").unwrap();
    let (status, health) = running.call("GET", "/api/health", "");
    assert_eq!((status, health["code"].as_str()), (503, Some("UNHEALTHY")), "{health}");
    let error = health["error"].as_str().unwrap();
    assert!(error.contains("kms.json") || error.contains("KMS key"), "{health}");
}

#[test]
fn wrong_data_directory_fails_and_creates_nothing() {
    let parent = tempfile::tempdir().unwrap();
    let wrong = parent.path().join("wrong");
    let file = parent.path().join("backup.tar");
    let file = file.to_str().unwrap();
    for command in [
        &["audit", "verify"][..],
        &["keys", "list"],
        &["keys", "remove", "one"],
        &["doctor"],
        &["backup", file],
        &["jobs", "run", "seal"],
        &["sim", "deposit", "user_1"],
    ] {
        let line = fails(program().args(command).arg("--data-dir").arg(&wrong));
        assert!(line.contains("holds no data of a local stack"), "{command:?}: {line}");
        assert!(line.contains("wrong") && line.lines().count() == 1, "{command:?}: {line}");
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0, "{command:?}");
    }
}

/// A key that an earlier version made before the first start is in a directory without tables.
/// Commands that read create none, so the stack starts afterwards.
#[test]
fn reads_before_first_start_create_nothing() {
    let parent = tempfile::tempdir().unwrap();
    // The first command creates the directory for its owner only.
    let data = parent.path().join("data");
    let with_data = |arguments: &[&str]| {
        let mut command = program();
        command.args(arguments).arg("--data-dir").arg(&data);
        command
    };
    let (clock, random) = (Clock::system(), Random::system());
    let key = KeyFile::new(&data).add(&"one".parse().unwrap(), &clock, &random).unwrap();
    let files = || {
        let entries = std::fs::read_dir(&data).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name != "lock").collect();
        names.sort();
        names
    };
    let before = files();
    for command in [
        &["audit", "verify"][..],
        &["wallets", "freeze", "user_1", "--reason", "test"],
        &["wallets", "unfreeze", "user_1", "--reason", "test"],
        &["jobs", "run", "seal"],
        &["sim", "deposit", "user_1"],
    ] {
        let output = with_data(command).output().unwrap();
        let line = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && line.lines().count() == 1, "{command:?}: {line}");
        assert_eq!(files(), before, "{command:?}");
    }
    let line = fails(&mut with_data(&["audit", "verify"]));
    assert!(line.contains("holds no data of a local stack"), "{line}");
    let doctor = said(&mut with_data(&["doctor"]));
    assert!(!doctor.contains("PROBLEM") && doctor.contains("not created yet"), "{doctor}");
    assert_eq!(files(), before, "doctor");
    let running = Running::start(&data);
    assert_eq!(running.call_with(&key, "POST", "/api/wallets", USER).0, 201);
}

#[test]
fn error_messages_contain_no_debug_output() {
    let (data, _) = filled();
    let arguments = [
        &["audit", "verify", "--endpoint", "http://127.0.0.1:9"][..],
        &["audit", "verify", "--export", "/nowhere"],
        &["audit", "verify", "--public-key", "/dev/null"],
        &["jobs", "run", "seal"],
        &["sim", "deposit", "user_1"],
        &["keys", "remove", "nobody"],
        &["restore", "/nowhere"],
    ];
    for arguments in arguments {
        let line = fails(program().args(arguments).arg("--data-dir").arg(data.path()));
        for debug in ["{ ", "(\"", "Some(", "Err(", "Error(", "Failure(", "Os {", "kind:"] {
            assert!(!line.contains(debug), "{arguments:?}: {line}");
        }
        assert_eq!(line.lines().count(), 1, "{arguments:?}: {line}");
    }
}
