//! Tests a hostile exchange with the whole stack. Its responses are bounded and give the caller a
//! typed error, no key becomes active and none is lost, and an honest exchange then finishes the
//! operation with the same agent.

#![expect(clippy::unwrap_used, reason = "a failing test panics")]

use std::time::Duration;

use domain::ids::Exchange;
use e2e::{DAY_MS, RECONCILE_LIMITS, Reply, TestApp, invariants};
use exchange_sim::faults::{Fault, Hostile};
use shared::credentials::{Drift, ReconcileLimits};
use shared::store::{CredentialRecord, CredentialState};
use tokio::net::TcpListener;

const USER: &str = "user_1";

/// A redirect target that must not be called.
struct RedirectTarget(TcpListener);

impl RedirectTarget {
    async fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn url(&self) -> String {
        format!("http://{}/stolen", self.0.local_addr().unwrap())
    }

    async fn assert_not_called(&self) {
        let called = tokio::time::timeout(Duration::from_millis(1), self.0.accept()).await;
        assert!(called.is_err(), "a redirect was followed");
    }
}

/// Returns a gzip bomb: a few KB that unpack to 16 MB of the letter a, as one literal and copies of
/// 258 bytes in the fixed code of deflate.
fn bomb() -> Vec<u8> {
    let mut bits: Vec<bool> = Vec::new();
    let mut put = |code: u32, length: u32| {
        bits.extend((0..length).rev().map(|place| code >> place & 1 == 1));
    };
    // The block is the last one and uses the fixed code. The literal follows.
    put(0b1_10, 3);
    put(0x30 + u32::from(b'a'), 8);
    for _ in 0..65_000 {
        // A length of 258 and a distance of 1.
        put(0b1100_0101, 8);
        put(0, 5);
    }
    put(0, 7);
    let byte = |bits: &[bool]| bits.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
    let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    packed.extend(bits.chunks(8).map(byte));
    packed
}

/// Returns responses that prove nothing about the outcome.
fn inconclusive_responses(redirect: &RedirectTarget) -> Vec<(&'static str, Hostile)> {
    let new = |body: &str| Hostile::new(200, body);
    let ten_mb = 10 << 20;
    let success = r#"{"status":"ok","code":200,"msg":"success","role":"agent","pad":""#;
    let mut many = new("{}");
    for number in 0..300 {
        many = many.header(format!("x-{number}"), "y");
    }
    let moved = |status| Hostile::new(status, "{}").header("location", redirect.url());
    vec![
        ("10 MB", Hostile::new(200, vec![b'a'; ten_mb])),
        ("10 MB of success", Hostile::new(200, format!("{success}{}\"}}", "a".repeat(ten_mb)))),
        ("endless", new("{\"a\":").times(usize::MAX)),
        ("endless spaces", new("          ").times(usize::MAX)),
        ("half a response, then silence", new("{\"status\":").hanging()),
        ("moved", moved(302)),
        ("moved permanently, with the body", moved(308)),
        ("gzip bomb", Hostile::new(200, bomb()).header("content-encoding", "gzip")),
        ("double gzip bomb", Hostile::new(200, bomb()).header("content-encoding", "gzip, gzip")),
        ("many headers", many),
        ("a long header", new("{}").header("x", "y".repeat(600_000))),
        ("invalid UTF-8", Hostile::new(200, b"{\"status\":\"\xff\"}".to_vec())),
        ("deep", new(&"[".repeat(200_000))),
        ("deep objects", new(&"{\"status\":".repeat(20_000))),
        ("nothing", new("")),
        ("null", new("null")),
        ("a text", new("\"ok\"")),
        ("a list", new("[[]]")),
        ("no fields", new("{}")),
        ("other fields", new(r#"{"response":{"type":"default"},"data":[1,2],"success":true}"#)),
        ("wrong types", new(r#"{"status":1,"code":{"a":[]},"role":["agent"],"msg":[]}"#)),
        ("other wrong types", new(r#"{"status":["ok"],"code":[200],"role":true}"#)),
        ("an error inside", new(r#"{"error":"internal","status":"error","message":"0xdead"}"#)),
        (
            "unknown outcome",
            new(r#"{"status":"unknown","code":-1006,"msg":"Execution status unknown"}"#),
        ),
        ("half a number", new(r#"{"code":200.5,"status":200.5}"#)),
        ("a huge number", new(r#"{"code":99999999999999999999999,"role":1e308}"#)),
        ("an overflowing number", new(r#"{"code":1e999,"status":"ok"}"#)),
        ("not a number", new(r#"{"code":NaN,"status":"ok"}"#)),
        ("success with trailing data", new(r#"{"code":200,"status":"ok"} {"code":200}"#)),
        ("success with status 500", Hostile::new(500, r#"{"code":200,"status":"ok"}"#)),
        ("no content", Hostile::new(204, "")),
        ("status 999", Hostile::new(999, "{}")),
    ]
}

/// Returns false responses to an agent lookup, some with agents of other wallets.
fn false_lookups() -> Vec<&'static str> {
    vec![
        r#"{"role":"agent","data":{"user":"0x00000000000000000000000000000000000dead0"}}"#,
        r#"{"role":"agent","data":{"user":"0x1"}}"#,
        r#"{"role":"agent"}"#,
        r#"[{"agentAddress":"0x1","agentName":"hdx"}]"#,
        r#"[{"agentAddress":["0x00000000000000000000000000000000000dead0"]}]"#,
        r#"[{"agentName":"hdx"}]"#,
    ]
}

struct Scene {
    app: TestApp,
    exchange: Exchange,
    redirect: RedirectTarget,
}

impl Scene {
    async fn start(exchange: Exchange) -> Self {
        let app = TestApp::start().await;
        app.wallet(USER).await;
        Self { app, exchange, redirect: RedirectTarget::new().await }
    }

    fn fail(&self, target: &str, fault: Fault) {
        match self.exchange {
            Exchange::Aster => self.app.stack.aster_sim.fail_next(target, fault),
            Exchange::Hyperliquid => self.app.stack.hyperliquid_sim.fail_next(target, fault),
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        }
    }

    /// Removes all faults, so the exchange is honest from now on.
    fn recover(&self) {
        let _ = self.app.stack.aster_sim.clear_faults();
        let _ = self.app.stack.hyperliquid_sim.clear_faults();
        self.wait_out_leases();
    }

    /// Waits until leases and circuit breakers have expired.
    fn wait_out_leases(&self) {
        self.app.clock.advance_ms(120_000);
    }

    fn lookup(&self) -> &'static str {
        match self.exchange {
            Exchange::Aster => "listAgents",
            Exchange::Hyperliquid => "userRole",
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        }
    }

    async fn record(&self) -> Option<CredentialRecord> {
        invariants::view(&self.app, USER).await.credential(self.exchange).cloned()
    }

    /// Returns the number of the wallet's agents at the exchange.
    async fn agents(&self) -> usize {
        let view = invariants::view(&self.app, USER).await;
        invariants::agents(&self.app, &view, self.exchange).len()
    }

    /// Returns every inconclusive response to a send and to the lookup after it, and then to the
    /// lookup of a retry. `asks_first` is true if a retry looks up the outcome before it sends.
    async fn try_all_responses(
        &self,
        send: &str,
        looks_up_first: bool,
        call: impl AsyncFn() -> Reply,
        check: impl AsyncFn(&str),
    ) {
        let (lookup, mut first) = (self.lookup(), true);
        for (what, hostile) in inconclusive_responses(&self.redirect) {
            if looks_up_first && !first {
                self.fail(lookup, Fault::Pass);
            }
            first = false;
            self.fail(send, Fault::Hostile(hostile.clone()));
            self.fail(lookup, Fault::Hostile(hostile.clone()));
            self.assert_typed_error(what, &call().await);
            check(what).await;
            self.recover();
            self.fail(if looks_up_first { lookup } else { send }, Fault::Hostile(hostile));
            if !looks_up_first {
                self.fail(lookup, Fault::Hostile(Hostile::new(200, "{")));
            }
            self.assert_typed_error(what, &call().await);
            check(what).await;
            self.recover();
        }
        for response in false_lookups() {
            // A false response of one exchange is a plain refusal of the other.
            let is_aster = response.starts_with('[');
            if is_aster != (self.exchange == Exchange::Aster) {
                continue;
            }
            if looks_up_first {
                self.fail(lookup, Fault::Pass);
            }
            self.fail(send, Fault::Hostile(Hostile::new(200, "{}")));
            self.fail(lookup, Fault::Hostile(Hostile::new(200, response)));
            self.assert_typed_error(response, &call().await);
            check(response).await;
            self.recover();
        }
        self.redirect.assert_not_called().await;
    }

    /// Checks that the error has the contract's form and shows nothing that the exchange sent.
    fn assert_typed_error(&self, what: &str, reply: &Reply) {
        let known = [(502, "EXCHANGE_UNAVAILABLE"), (504, "EXCHANGE_TIMEOUT")];
        let answered = (reply.status, reply.text("/code"));
        assert!(known.contains(&answered), "{what}: {reply:?}");
        assert_eq!(reply.fields(""), ["code", "error", "message", "success", "timestamp"]);
        let text = reply.body.to_string();
        assert!(
            text.len() < 500 && !text.contains("0x") && !text.contains("aaaa"),
            "{what}: {text}"
        );
    }
}

async fn survives_hostile_responses(exchange: Exchange) {
    let scene = Scene::start(exchange).await;
    let (approve, remove) = match exchange {
        Exchange::Aster => ("registerAndApproveAgent", "deleteAgent"),
        Exchange::Hyperliquid => ("approveAgent", "approveAgent"),
        Exchange::Lighter => unreachable!("no wallet is registered there"),
    };

    let begun = std::sync::Mutex::new(None);
    let register = async || scene.app.register(exchange.as_str(), USER).await;
    let is_pending = async |what: &str| {
        let record = scene.record().await.unwrap();
        assert_eq!(record.state, CredentialState::Pending, "{what}");
        assert_eq!(*begun.lock().unwrap().get_or_insert(record.agent), record.agent, "{what}");
        assert_eq!(scene.agents().await, 0, "{what}");
        let shown = scene.app.api_key(exchange.as_str(), USER).await;
        assert_eq!(shown.text("/data/state"), "pending", "{what}: {shown:?}");
    };
    scene.try_all_responses(approve, true, register, is_pending).await;
    let reply = register().await;
    assert_eq!(reply.status, 200, "{reply:?}");
    invariants::assert_one_active(&scene.app, USER, exchange).await;
    let agent = scene.record().await.unwrap().agent;
    assert_eq!(*begun.lock().unwrap(), Some(agent), "the agent of the first attempt must be used");
    scene.wait_out_leases();

    *begun.lock().unwrap() = None;
    let rotate = async || scene.app.rotate(exchange.as_str(), USER).await;
    let is_rotating = async |what: &str| {
        let record = scene.record().await.unwrap();
        let next = record.next.unwrap().agent;
        assert_eq!((record.state, record.agent), (CredentialState::Rotating, agent), "{what}");
        assert_eq!(*begun.lock().unwrap().get_or_insert(next), next, "{what}");
        assert_eq!(scene.agents().await, 1, "{what}: the old agent must remain");
    };
    scene.try_all_responses(approve, true, rotate, is_rotating).await;
    let reply = rotate().await;
    assert_eq!(reply.status, 200, "{reply:?}");
    // An agent that was just approved may have to wait for its removal.
    scene.wait_out_leases();
    invariants::assert_one_active(&scene.app, USER, exchange).await;
    let agent = scene.record().await.unwrap().agent;
    assert_eq!(*begun.lock().unwrap(), Some(agent), "the agent of the first attempt must be used");
    scene.wait_out_leases();

    let delete = async || scene.app.delete(exchange.as_str(), USER).await;
    let is_revoking = async |what: &str| {
        let record = scene.record().await.unwrap();
        assert_eq!((record.state, record.agent), (CredentialState::Revoking, agent), "{what}");
        assert_eq!(scene.agents().await, 1, "{what}");
    };
    scene.try_all_responses(remove, false, delete, is_revoking).await;
    let reply = delete().await;
    assert_eq!(reply.status, 200, "{reply:?}");
    invariants::assert_none_left(&scene.app, USER, exchange).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_hyperliquid_responses_are_harmless() {
    survives_hostile_responses(Exchange::Hyperliquid).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_aster_responses_are_harmless() {
    survives_hostile_responses(Exchange::Aster).await;
}

/// The reconciliation job reads lists. It changes only the time of the next check and its findings,
/// which are limited in number.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_agent_lists_change_no_record() {
    let limits = ReconcileLimits { every_ms: DAY_MS, ..RECONCILE_LIMITS };
    for exchange in Exchange::ALL {
        let scene = Scene::start(exchange).await;
        assert_eq!(scene.app.register(exchange.as_str(), USER).await.status, 200);
        let list = match exchange {
            Exchange::Aster => "listAgents",
            Exchange::Hyperliquid => "extraAgents",
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        };
        let without_check = |mut record: CredentialRecord| {
            record.check_at_ms = None;
            assert!(record.drift.take().is_none_or(|note| note.found.len() <= 20));
            record.expiring = None;
            format!("{record:?}")
        };
        let before = without_check(scene.record().await.unwrap());
        let look = async |hostile: Hostile| {
            scene.app.clock.advance_ms(2 * DAY_MS);
            scene.fail(list, Fault::Hostile(hostile));
            let found = scene.app.stack.jobs.reconcile(&limits).await.unwrap();
            scene.recover();
            let found = found.into_iter().find(|(it, _)| *it == exchange).unwrap().1;
            assert_eq!(without_check(scene.record().await.unwrap()), before);
            found
        };
        for (what, hostile) in inconclusive_responses(&scene.redirect) {
            let found = look(hostile).await;
            assert_eq!((found.checked, found.failed), (0, 1), "{exchange} {what}");
            assert!(found.drift.is_empty(), "{exchange} {what}");
        }
        let agent = scene.record().await.unwrap().agent;
        let stranger = "0x00000000000000000000000000000000000dead0";
        let huge = u64::MAX;
        let row = |address: &str, expiry: &str| {
            format!(
                r#"{{"address":"{address}","agentAddress":"{address}","name":"a","agentName":"a","validUntil":{expiry},"expired":{expiry},"more":[{{}}]}}"#
            )
        };
        let many: Vec<String> = (1..=30).map(|it| row(&format!("0x{it:040x}"), "1")).collect();
        let of_many = [vec!["Unknown"; 30], vec!["Gone"]].concat();
        for (list, drifts) in [
            (format!("[{}]", many.join(",")), of_many),
            // The list has unknown agents and not the wallet's agent. The job reports that and
            // changes nothing.
            (format!("[{}]", row(stranger, "1")), vec!["Unknown", "Gone"]),
            ("[]".to_owned(), vec!["Gone"]),
            (format!("[{}]", row(&agent.to_string(), &huge.to_string())), vec![]),
            (format!("[{}]", row(&agent.to_string(), "0")), vec!["ExpiresEarly"]),
            (format!("[{}]", row(&agent.to_string(), "-1")), vec![]),
            (format!("[{}]", row(&agent.to_string(), "1e300")), vec![]),
        ] {
            let found = look(Hostile::new(200, list.clone())).await;
            let kinds: Vec<&str> = found
                .drift
                .iter()
                .map(|(_, drift)| match drift {
                    Drift::Unknown { .. } => "Unknown",
                    Drift::Gone { .. } => "Gone",
                    Drift::ExpiresEarly { .. } => "ExpiresEarly",
                    Drift::Unfinished { .. } => panic!("{exchange}: {list}"),
                })
                .collect();
            assert_eq!((found.checked, kinds), (1, drifts), "{exchange}: {list}");
        }
        scene.redirect.assert_not_called().await;
        invariants::assert_one_active(&scene.app, USER, exchange).await;
    }
}

/// A refusal of the exchange is passed on, shortened to one line. Its `Retry-After` is limited too.
#[tokio::test(flavor = "multi_thread")]
async fn long_exchange_messages_are_truncated() {
    let scene = Scene::start(Exchange::Hyperliquid).await;
    let text = "\u{202e}\u{0}\n\u{7f}\u{feff}bad ".to_owned() + &"x".repeat(10_000);
    let body = serde_json::json!({ "status": "err", "response": text }).to_string();
    scene.fail("approveAgent", Fault::Hostile(Hostile::new(200, body)));
    let reply = scene.app.register("hyperliquid", USER).await;
    assert_eq!((reply.status, reply.text("/code")), (422, "EXCHANGE_REJECTED"), "{reply:?}");
    let message = reply.text("/message");
    assert!(
        message.starts_with("The exchange responded: bad xxx") && message.len() < 300,
        "{message:?}"
    );
    assert!(scene.record().await.is_none());
    for wait in ["18446744073709551615", "99999999999999999999999", "-1", "0x10", "Tue, 1 Jan 2999"]
    {
        let limited = Hostile::new(429, "null").header("retry-after", wait);
        scene.fail("approveAgent", Fault::Hostile(limited));
        let reply = scene.app.register("hyperliquid", USER).await;
        assert_eq!(reply.status, 429, "{reply:?}");
        let wait_s: u64 = reply.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!(wait_s <= 600, "{wait}: {wait_s}");
        scene.app.clock.advance_ms(700_000);
        scene.recover();
    }
    assert_eq!(scene.app.register("hyperliquid", USER).await.status, 200);
}
