//! Secrets stay in. Everything is run with every crate at `trace`, both parties and what stands in
//! for the cloud in this one process, and then the logs, the answers and the disk are searched for
//! every secret that the run made, in each form in which a leak would show.
//!
//! A program of its own, because it takes the process's log.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so and ends")]

mod search;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use domain::ids::Exchange;
use e2e::kill::{Call, Harness};
use e2e::proxy::Fate;
use e2e::{Reply, invariants, shares};
use exchange_sim::faults::Fault;
use protocol::KeyShare;
use shared::store::CredentialRecord;

use search::{Form, Secret, search};

const USER: &str = "user_1";

/// The log of the whole process.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A run, and what it has shown and must not show.
struct Run {
    h: Harness,
    /// By what they are.
    secrets: BTreeMap<String, Vec<u8>>,
    /// What callers were told.
    answers: Vec<u8>,
}

impl Run {
    /// A call by a process that meets this fault at each call of an exchange.
    async fn call(&mut self, call: &Call, fault: Option<Fault>) -> Reply {
        let process = self.h.proxy.process_with(Box::new(move |arrival| match &fault {
            Some(fault) if arrival.name.starts_with("Aster") => Fate::Fail(fault.clone()),
            Some(fault) if arrival.name.starts_with("Hyper") => Fate::Fail(fault.clone()),
            _ => Fate::Pass,
        }));
        let mut reply = self.h.call(&process, call).await.unwrap();
        // The two answers that are to show a secret.
        if let Some(secret) = reply.body.pointer_mut("/secret") {
            let text = secret.take();
            let bytes = BASE64.decode(text.as_str().unwrap().strip_prefix("whsec_").unwrap());
            self.secrets.insert("webhook's secret".to_owned(), bytes.unwrap());
        }
        if let Some(key) = reply.body.pointer_mut("/data/apiPrivateKey") {
            let text = key.take();
            let bytes = hex::decode(text.as_str().unwrap().strip_prefix("0x").unwrap()).unwrap();
            self.secrets.insert(format!("agent key {}", self.secrets.len()), bytes);
        }
        self.answers.extend_from_slice(reply.body.to_string().as_bytes());
        self.answers.extend_from_slice(format!("{:?}\n", reply.headers).as_bytes());
        self.h.app.clock.advance_ms(61_000);
        reply
    }

    /// Learns what is stored now: both shares, and the agents' keys.
    async fn learn(&mut self) {
        let custody = &self.h.app.stack.custody;
        let view = invariants::view(&self.h.app, USER).await;
        let version = view.wallet.key_version;
        let share = shares::own(&self.h.app, USER).await;
        self.secrets.extend(of_share(&format!("share 1 v{version}"), &share));
        for exchange in Exchange::ALL {
            let Some(record) = view.credential(exchange) else { continue };
            let context = CredentialRecord::context(&view.wallet, exchange, record.agent);
            let key = custody.envelope.open(&context, &record.sealed).await.unwrap();
            self.secrets.insert(format!("agent key of {exchange} {}", record.agent), key.to_vec());
        }

        let share = shares::theirs(&self.h.app, view.wallet.wallet_id, version).await;
        self.secrets.extend(of_share(&format!("share 2 v{version}"), &share));
    }

    /// The secrets, with the data keys that have passed the network's edge.
    fn secrets(&self) -> Vec<Secret> {
        let mut all = self.secrets.clone();
        let data_keys = self.h.proxy.data_keys();
        // Of two shares and their session, four agents, two new shares, and a webhook.
        assert!(data_keys.len() >= 10, "{} data keys have passed", data_keys.len());
        for (number, key) in data_keys.iter().enumerate() {
            let bytes = BASE64.decode(key).unwrap();
            // What KMS opens is a data key in each case.
            assert_eq!(bytes.len(), 32);
            all.insert(format!("data key {number}"), bytes);
        }
        all.into_iter().map(|(name, bytes)| Secret::new(name, bytes)).collect()
    }
}

/// The share's number, and stretches of the rest of it that are not all zeros.
fn of_share(name: &str, share: &KeyShare) -> Vec<(String, Vec<u8>)> {
    let whole = share.to_bytes();
    let stretches = (1_000..whole.len() - 32).step_by(2_000).map(|at| whole[at..at + 32].to_vec());
    let random = stretches.filter(|bytes| bytes.iter().filter(|byte| **byte == 0).count() < 4);
    let number = share.party().poly_point.to_bytes().to_vec();
    let all = std::iter::once(number).chain(random).enumerate();
    all.map(|(part, bytes)| (format!("{name}, part {part}"), bytes)).collect()
}

async fn whole_life(run: &mut Run) {
    let told = |reply: &Reply, status: u16| assert_eq!(reply.status, status, "{}", reply.body);
    // Nobody is there, which is logged too.
    told(&run.call(&Call::webhook("http://127.0.0.1:9/hook", USER), None).await, 201);
    told(&run.call(&Call::create(USER), None).await, 201);
    told(&run.call(&Call::sign(USER), None).await, 200);
    for exchange in Exchange::ALL {
        for fault in [Fault::Garbage, Fault::Reset, Fault::AppliedButLost] {
            let reply = run.call(&Call::register(exchange, USER), Some(fault)).await;
            assert!(matches!(reply.status, 502 | 504), "{}", reply.body);
        }
        told(&run.call(&Call::register(exchange, USER), None).await, 200);
        told(&run.call(&Call::register(exchange, USER), None).await, 409);
        told(&run.call(&Call::describe(exchange, USER), None).await, 200);
        run.learn().await;
        told(&run.call(&Call::rotate(exchange, USER), None).await, 200);
        run.learn().await;
    }
    let wallet_id = invariants::view(&run.h.app, USER).await.wallet.wallet_id;
    told(&run.call(&Call::refresh(USER, wallet_id), None).await, 200);
    run.learn().await;
    told(&run.call(&Call::sign(USER), None).await, 200);
    told(&run.call(&Call::delete(Exchange::Hyperliquid, USER), None).await, 200);
    told(&run.call(&Call::find("nobody"), None).await, 404);
    while run.h.app.stack.pump.publish_once().await.unwrap() > 0 {}
    assert!(run.h.app.stack.pump.deliver_once().await.unwrap() > 0, "something is delivered");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_secret_is_shown_or_stored_and_a_planted_leak_is_found() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .init();
    let panics = log.clone();
    let shown = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let _ = panics.clone().write_all(format!("{info}").as_bytes());
        shown(info);
    }));

    let mut run = Run { h: Harness::start().await, secrets: BTreeMap::new(), answers: Vec::new() };
    whole_life(&mut run).await;
    let (secrets, logged) = (run.secrets(), log.take());
    let text = String::from_utf8_lossy(&logged);
    for part in ["aws_smithy_runtime", "hyper", "\"TRACE\"", "walletId", "cosigner"] {
        assert!(text.contains(part), "the log has {part}");
    }
    let disk = disk(run.h.app.data.path());
    let user = [Secret::new("user".to_owned(), USER.into())];
    assert!(!search(&disk, &user).is_empty(), "the search finds what is there");
    for (place, bytes) in [("log", &logged), ("answers", &run.answers), ("disk", &disk)] {
        let found = search(bytes, &secrets);
        assert!(found.is_empty(), "in the {place}: {found:?}\n{}", around(bytes, &found));
        println!(
            "{} secrets, {} forms each, in {} bytes of {place}",
            secrets.len(),
            Form::ALL.len(),
            bytes.len()
        );
    }

    // What a leak would look like, by the same way, is found in each form.
    for secret in &secrets {
        for form in Form::ALL {
            let leak = secret.shown(form);
            tracing::trace!(leak = %String::from_utf8_lossy(&leak), "planted");
        }
    }
    let found = search(&log.take(), &secrets);
    let missing: Vec<_> = secrets
        .iter()
        .flat_map(|secret| Form::ALL.map(|form| (secret.name.clone(), form)))
        // A line of JSON holds no bytes as they are.
        .filter(|(_, form)| *form != Form::Raw && *form != Form::Escaped)
        .filter(|wanted| {
            !found.iter().any(|(name, form, _)| (name, form) == (&wanted.0, &wanted.1))
        })
        .collect();
    assert!(missing.is_empty(), "not found: {missing:?}");
    let mut planted = disk;
    planted.extend(secrets[0].shown(Form::Raw));
    assert!(!search(&planted, &secrets).is_empty(), "nor on the disk");
}

/// The text before a find, which says where it comes from; never the find itself.
fn around(bytes: &[u8], found: &[(String, Form, usize)]) -> String {
    let before = found.iter().take(3).map(|(_, _, at)| {
        String::from_utf8_lossy(&bytes[at.saturating_sub(600)..*at]).into_owned()
    });
    before.collect::<Vec<_>>().join("\n---\n")
}

/// Every byte of the files below `directory`; a socket stores none.
fn disk(directory: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let (kind, path) = (entry.file_type().unwrap(), entry.path());
        if kind.is_dir() {
            all.extend(disk(&path));
        } else if kind.is_file() {
            all.extend(std::fs::read(path).unwrap());
        }
    }
    all
}
