//! After a request, its secrets are neither in freed memory nor in the heap: freed memory is wiped.
//! This test does not cover the threads' stacks, where copies made by the cryptography stay until
//! later calls overwrite them.
//!
//! The test reads the memory of the running program from outside. This requires Linux, and root or
//! a permissive `ptrace_scope`. Otherwise the test reports that it cannot read the memory.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the test prints its findings, and fails if it cannot continue"
)]

mod running;

use std::fs::File;
use std::io::BufRead;
use std::os::unix::fs::FileExt;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::ids::{Exchange, Tenant};
use domain::random::Random;
use hyperdex_local::{COSIGNER_KEY, COSIGNER_TABLE, STACK_BYTES, WALLETS_KEY, WALLETS_TABLE};
use platform::aws::Aws;
use platform::envelope::{Context, Envelope, Purpose, Sealed};
use protocol::KeyShare;
use shared::store::{CredentialRecord, Store};

use running::{Running, children};

/// Returns the writable memory of a process without its stacks, or `None` if the system denies
/// access.
fn memory(pid: u32) -> Option<Vec<(String, Vec<u8>)>> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let memory = File::open(format!("/proc/{pid}/mem")).ok()?;
    let mut all = Vec::new();
    for line in maps.lines().filter(|line| line.split(' ').nth(1).unwrap().starts_with("rw")) {
        let (from, to) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let [from, to] = [from, to].map(|hex| u64::from_str_radix(hex, 16).unwrap());
        if to - from == STACK_BYTES as u64 || line.ends_with("[stack]") {
            continue;
        }
        let mut part = vec![0; usize::try_from(to - from).unwrap()];
        if memory.read_exact_at(&mut part, from).is_ok() {
            all.push((line.to_owned(), part));
        }
    }
    Some(all)
}

/// Returns how often a value is in a part of memory.
fn has(memory: &[u8], needle: &[u8]) -> usize {
    // The search for one byte is optimised in every build. Most of the memory is zero.
    let at = needle.iter().position(|byte| *byte != 0).unwrap_or(0);
    let (mut rest, mut times) = (memory, 0);
    while rest.skip_until(needle[at]).unwrap() > 0 {
        let start = (memory.len() - rest.len()).checked_sub(at + 1);
        times += usize::from(start.is_some_and(|start| memory[start..].starts_with(needle)));
    }
    times
}

#[test]
fn search_finds_each_occurrence() {
    for (memory, needle, times) in [
        ("aXbXbXa", "XbX", 2),
        ("\0\0ab\0ab", "\0ab", 2),
        ("ab", "abc", 0),
        ("b", "ab", 0),
        ("", "a", 0),
        ("\0\0\0", "\0\0", 2),
    ] {
        assert_eq!(has(memory.as_bytes(), needle.as_bytes()), times, "{memory:?} {needle:?}");
    }
}

/// Returns the secrets of a wallet and its keys, decrypted here and not in the program.
async fn secrets(running: &Running) -> Vec<(&'static str, Vec<u8>)> {
    let aws = Aws::local(&running.url("DynamoDB"), &running.url("KMS"), "");
    let store = Store::new(aws.dynamodb(), WALLETS_TABLE);
    let view = store.find(&Tenant::local(), &"user_1".parse().unwrap()).await.unwrap().unwrap();
    let envelope = Envelope::new(aws.kms(), WALLETS_KEY, Random::system());
    let share = |purpose| Context {
        tenant: Tenant::local(),
        wallet_id: view.wallet.wallet_id,
        purpose,
        exchange: None,
        version: "1".to_owned(),
    };
    let mut all = Vec::new();
    for (name, exchange) in
        [("Aster's agent key", Exchange::Aster), ("Hyperliquid's agent key", Exchange::Hyperliquid)]
    {
        let record = view.credential(exchange).unwrap();
        let context = CredentialRecord::context(&view.wallet, exchange, record.agent);
        all.push((name, envelope.open(&context, &record.sealed).await.unwrap().to_vec()));
    }
    let stored = store.share(&view.wallet).await.unwrap();
    let bytes = envelope.open(&share(Purpose::Share), &stored.sealed).await.unwrap();
    let share_1 = KeyShare::from_bytes(&bytes, 1).unwrap();
    all.push(("share 1's number", share_1.party().poly_point.to_bytes().to_vec()));

    let key = [("pk", format!("local#W#{}", view.wallet.wallet_id)), ("sk", "share#1".to_owned())];
    let key = key.map(|(name, value)| (name.to_owned(), AttributeValue::S(value)));
    let read = aws.dynamodb().get_item().table_name(COSIGNER_TABLE).set_key(Some(key.into()));
    let item = read.send().await.unwrap().item.unwrap();
    let sealed: Sealed = serde_dynamo::from_attribute_value(item["sealed"].clone()).unwrap();
    let key_b = Envelope::new(aws.kms(), COSIGNER_KEY, Random::system());
    let bytes = key_b.open(&share(Purpose::CosignerShare), &sealed).await.unwrap();
    let share_2 = KeyShare::from_bytes(&bytes, 2).unwrap();
    all.push(("share 2's number", share_2.party().poly_point.to_bytes().to_vec()));
    all
}

#[tokio::test]
async fn freed_memory_has_no_secret_and_core_dumps_are_off() {
    let data = tempfile::tempdir().unwrap();
    let running = Running::start(data.path());
    let post = |path: &str, body: &str| {
        let (status, answer) = running.call("POST", path, body);
        assert!(status < 300, "{path}: {status} {}", answer["error"]);
    };
    post("/api/wallets", r#"{"userId":"user_1"}"#);
    for exchange in ["aster", "hyperliquid"] {
        post(&format!("/api/trading/{exchange}/apikey"), r#"{"walletIdOrAddress":"user_1"}"#);
    }
    post("/api/wallets/user_1/sign", r#"{"message":"hi"}"#);
    let secrets = secrets(&running).await;

    let stack = running.child.id();
    let cosigners = children(stack);
    assert_eq!(cosigners.len(), 1);
    let mut found = Vec::new();
    for (process, pid) in [("the stack", stack), ("the cosigner", cosigners[0])] {
        let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        assert_eq!(core.split_whitespace().nth(4), Some("0"), "{process}: {core}");

        let Some(memory) = memory(pid) else {
            println!("cannot read the memory of {process}: nothing was searched");
            continue;
        };
        let there = memory.iter().any(|(_, part)| has(part, b"hyperdex-") > 0);
        assert!(there, "the search finds a known value");
        for (name, secret) in &secrets {
            // As bytes, and as a number in the byte order of a register.
            let number: Vec<u8> = secret.iter().rev().copied().collect();
            for (place, part) in &memory {
                let times = has(part, secret) + has(part, &number);
                if times > 0 {
                    found.push(format!("{name} {times} times in {process}, {place}"));
                }
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}
