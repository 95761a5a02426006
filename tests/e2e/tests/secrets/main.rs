//! Tests that secrets do not leak. The test runs everything with all crates at `trace`, with both
//! parties and the embedded cloud in this process. Then it searches the logs, the responses and the
//! disk for every secret of the run, in each encoding in which a leak would appear.
//!
//! The test is a separate binary, because it captures the log of the whole process.

#![expect(clippy::unwrap_used, reason = "a failing test panics")]

mod search;
mod trading;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use domain::ids::Exchange;
use e2e::kill::{Call, Harness};
use e2e::proxy::{Arrival, Fate};
use e2e::{Reply, invariants, shares};
use exchange_sim::faults::Fault;
use protocol::KeyShare;
use shared::store::CredentialRecord;

use search::{Form, Secret, search};
use trading::Signatures;

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

/// A run with its secrets and everything that it has shown.
struct Run {
    h: Harness,
    /// The secrets by name.
    secrets: BTreeMap<String, Vec<u8>>,
    /// The signatures of the calls to the exchanges.
    signatures: Signatures,
    /// The responses to callers.
    responses: Vec<u8>,
}

impl Run {
    /// Makes a call in a process that meets this fault at each call to an exchange.
    async fn call(&mut self, call: &Call, fault: Option<Fault>) -> Reply {
        let plan = move |arrival: &Arrival<'_>| match &fault {
            Some(fault) if arrival.name.starts_with("Aster") => Fate::Fail(fault.clone()),
            Some(fault) if arrival.name.starts_with("Hyper") => Fate::Fail(fault.clone()),
            _ => Fate::Pass,
        };
        self.call_with(call, plan).await
    }

    /// Makes a call in a process with this plan.
    async fn call_with(
        &mut self,
        call: &Call,
        plan: impl Fn(&Arrival<'_>) -> Fate + Send + Sync + 'static,
    ) -> Reply {
        let signatures = self.signatures.clone();
        let process = self.h.proxy.process_with(Box::new(move |arrival| {
            signatures.record(&arrival);
            plan(&arrival)
        }));
        let mut reply = self.h.call(&process, call).await.unwrap();
        // The two responses that may contain a secret.
        if let Some(secret) = reply.body.pointer_mut("/secret") {
            let text = secret.take();
            let bytes = BASE64.decode(text.as_str().unwrap().strip_prefix("whsec_").unwrap());
            self.secrets.insert("webhook secret".to_owned(), bytes.unwrap());
        }
        if let Some(key) = reply.body.pointer_mut("/data/apiPrivateKey") {
            let text = key.take();
            let bytes = hex::decode(text.as_str().unwrap().strip_prefix("0x").unwrap()).unwrap();
            self.secrets.insert(format!("agent key {}", self.secrets.len()), bytes);
        }
        self.responses.extend_from_slice(reply.body.to_string().as_bytes());
        self.responses.extend_from_slice(format!("{:?}\n", reply.headers).as_bytes());
        self.h.app.clock.advance_ms(61_000);
        reply
    }

    /// Records the secrets that are stored now: both shares and the agents' keys.
    async fn record_secrets(&mut self) {
        let custody = &self.h.app.stack.custody;
        let view = invariants::view(&self.h.app, USER).await;
        let version = view.wallet.key_version;
        let share = shares::party_1(&self.h.app, USER).await;
        self.secrets.extend(of_share(&format!("share 1 v{version}"), &share));
        for exchange in Exchange::ALL {
            let Some(record) = view.credential(exchange) else { continue };
            let context = CredentialRecord::context(&view.wallet, exchange, record.agent);
            let key = custody.envelope.open(&context, &record.sealed).await.unwrap();
            self.secrets.insert(format!("agent key of {exchange} {}", record.agent), key.to_vec());
        }

        let share = shares::party_2(&self.h.app, view.wallet.wallet_id, version).await;
        self.secrets.extend(of_share(&format!("share 2 v{version}"), &share));
    }

    /// Returns the secrets, including the data keys that passed through the proxy.
    fn secrets(&self) -> Vec<Secret> {
        let mut all = self.secrets.clone();
        let data_keys = self.h.proxy.data_keys();
        // The data keys of two shares and their session, four agents, two new shares, and a
        // webhook.
        assert!(data_keys.len() >= 10, "only {} data keys passed", data_keys.len());
        for (number, key) in data_keys.iter().enumerate() {
            let bytes = BASE64.decode(key).unwrap();
            // KMS decrypts only data keys.
            assert_eq!(bytes.len(), 32);
            all.insert(format!("data key {number}"), bytes);
        }
        all.into_iter().map(|(name, bytes)| Secret::new(name, bytes)).collect()
    }
}

/// Returns the share's secret number, and parts of the rest in which zeros are not the majority.
fn of_share(name: &str, share: &KeyShare) -> Vec<(String, Vec<u8>)> {
    let bytes_of_share = share.to_bytes();
    let parts = (1_000..bytes_of_share.len() - 32)
        .step_by(2_000)
        .map(|at| bytes_of_share[at..at + 32].to_vec());
    let random = parts.filter(|bytes| bytes.iter().filter(|byte| **byte == 0).count() < 4);
    let number = share.party().poly_point.to_bytes().to_vec();
    let all = std::iter::once(number).chain(random).enumerate();
    all.map(|(part, bytes)| (format!("{name}, part {part}"), bytes)).collect()
}

async fn run_every_operation(run: &mut Run) {
    let expect_status =
        |reply: &Reply, status: u16| assert_eq!(reply.status, status, "{}", reply.body);
    // No server listens at this URL, which is logged too.
    expect_status(&run.call(&Call::webhook("http://127.0.0.1:9/hook", USER), None).await, 201);
    expect_status(&run.call(&Call::create(USER), None).await, 201);
    expect_status(&run.call(&Call::sign(USER), None).await, 200);
    for exchange in Exchange::ALL {
        for fault in [Fault::Garbage, Fault::Reset, Fault::AppliedButLost] {
            let reply = run.call(&Call::register(exchange, USER), Some(fault)).await;
            assert!(matches!(reply.status, 502 | 504), "{}", reply.body);
        }
        expect_status(&run.call(&Call::register(exchange, USER), None).await, 200);
        expect_status(&run.call(&Call::register(exchange, USER), None).await, 409);
        expect_status(&run.call(&Call::describe(exchange, USER), None).await, 200);
        run.record_secrets().await;
        expect_status(&run.call(&Call::rotate(exchange, USER), None).await, 200);
        run.record_secrets().await;
        run.trade_on(exchange).await;
    }
    run.trade_on_lighter().await;
    run.change_policy().await;
    let wallet_id = invariants::view(&run.h.app, USER).await.wallet.wallet_id;
    expect_status(&run.call(&Call::refresh(USER, wallet_id), None).await, 200);
    run.record_secrets().await;
    expect_status(&run.call(&Call::sign(USER), None).await, 200);
    expect_status(&run.call(&Call::delete(Exchange::Hyperliquid, USER), None).await, 200);
    expect_status(&run.call(&Call::find("nobody"), None).await, 404);
    while run.h.app.stack.pump.publish_once().await.unwrap() > 0 {}
    assert!(run.h.app.stack.pump.deliver_once().await.unwrap() > 0, "expected a delivery attempt");
}

/// Returns a log without the lines of the AWS SDK.
fn without_sdk(log: &str) -> String {
    let is_ours = |line: &&str| !line.contains("\"target\":\"aws_");
    log.lines().filter(is_ours).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_do_not_leak_and_planted_leak_is_found() {
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

    let mut run = Run {
        h: Harness::start().await,
        secrets: BTreeMap::new(),
        signatures: Signatures::default(),
        responses: Vec::new(),
    };
    run_every_operation(&mut run).await;
    let (secrets, logged) = (run.secrets(), log.take());
    let text = String::from_utf8_lossy(&logged);
    for part in ["aws_smithy_runtime", "hyper", "\"TRACE\"", "walletId", "cosigner"] {
        assert!(text.contains(part), "the log must contain {part}");
    }
    let disk = disk(run.h.app.data.path());
    let user = [Secret::new("user".to_owned(), USER.into())];
    assert!(!search(&disk, &user).is_empty(), "the search must find a known text");
    for (place, bytes) in [("log", &logged), ("answers", &run.responses), ("disk", &disk)] {
        let found = search(bytes, &secrets);
        assert!(found.is_empty(), "found in the {place}: {found:?}\n{}", around(bytes, &found));
        println!(
            "{} secrets, {} forms each, in {} bytes of {place}",
            secrets.len(),
            Form::ALL.len(),
            bytes.len()
        );
    }

    // The table stores signed orders until their outcome is known, so the AWS SDK logs them with its
    // requests at TRACE, which a deployment does not enable. Nothing else shows a signature.
    let signatures = run.signatures.secrets();
    let own = without_sdk(&text).into_bytes();
    assert!(own.len() < logged.len() && !own.is_empty(), "lines of both kinds");
    for (place, bytes) in [("log", &own), ("answers", &run.responses)] {
        let found = search(bytes, &signatures);
        assert!(found.is_empty(), "found in the {place}: {found:?}\n{}", around(bytes, &found));
        println!("{} parts of signatures in {} bytes of {place}", signatures.len(), bytes.len());
    }

    // A planted leak must be found in each form.
    for secret in &secrets {
        for form in Form::ALL {
            let leak = secret.encoded(form);
            tracing::trace!(leak = %String::from_utf8_lossy(&leak), "planted");
        }
    }
    let found = search(&log.take(), &secrets);
    let missing: Vec<_> = secrets
        .iter()
        .flat_map(|secret| Form::ALL.map(|form| (secret.name.clone(), form)))
        // A JSON line cannot contain raw bytes.
        .filter(|(_, form)| *form != Form::Raw && *form != Form::Escaped)
        .filter(|wanted| {
            !found.iter().any(|(name, form, _)| (name, form) == (&wanted.0, &wanted.1))
        })
        .collect();
    assert!(missing.is_empty(), "not found: {missing:?}");
    let mut planted = disk;
    planted.extend(secrets[0].encoded(Form::Raw));
    assert!(
        !search(&planted, &secrets).is_empty(),
        "expected to find the planted secret on the disk"
    );
}

/// Returns the text before a match, which shows the source, but not the match itself.
fn around(bytes: &[u8], found: &[(String, Form, usize)]) -> String {
    let before = found.iter().take(3).map(|(_, _, at)| {
        String::from_utf8_lossy(&bytes[at.saturating_sub(600)..*at]).into_owned()
    });
    before.collect::<Vec<_>>().join("\n---\n")
}

/// Returns the bytes of all files in `directory`. Sockets have no content.
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
