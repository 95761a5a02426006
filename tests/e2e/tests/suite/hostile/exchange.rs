//! An exchange that means harm, in the whole stack: whatever it answers is bounded and gets the
//! caller a typed error, nothing becomes active and nothing is lost, and an honest exchange
//! finishes what was begun, with the same agent.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so and ends")]

use std::time::Duration;

use domain::ids::Exchange;
use e2e::{DAY_MS, RECONCILE_LIMITS, Reply, TestApp, invariants};
use exchange_sim::faults::{Fault, Hostile};
use shared::credentials::{Drift, ReconcileLimits};
use shared::store::{CredentialRecord, CredentialState};
use tokio::net::TcpListener;

const USER: &str = "user_1";

/// Where a redirect leads: an address at which nobody may call.
struct Elsewhere(TcpListener);

impl Elsewhere {
    async fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn url(&self) -> String {
        format!("http://{}/stolen", self.0.local_addr().unwrap())
    }

    async fn is_untouched(&self) {
        let called = tokio::time::timeout(Duration::from_millis(1), self.0.accept()).await;
        assert!(called.is_err(), "somebody followed a redirect");
    }
}

/// 16 MB of the letter a in some KB: one literal, then copies of 258 of it, in deflate's fixed code.
fn bomb() -> Vec<u8> {
    let mut bits: Vec<bool> = Vec::new();
    let mut put = |code: u32, length: u32| {
        bits.extend((0..length).rev().map(|place| code >> place & 1 == 1));
    };
    // The block is the last one, in the fixed code; then the letter.
    put(0b1_10, 3);
    put(0x30 + u32::from(b'a'), 8);
    for _ in 0..65_000 {
        // A length of 258, a distance of 1.
        put(0b1100_0101, 8);
        put(0, 5);
    }
    put(0, 7);
    let byte = |bits: &[bool]| bits.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
    let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    packed.extend(bits.chunks(8).map(byte));
    packed
}

/// Answers of which none says whether anything was done.
fn nonsense(elsewhere: &Elsewhere) -> Vec<(&'static str, Hostile)> {
    let new = |body: &str| Hostile::new(200, body);
    let ten_mb = 10 << 20;
    let yes = r#"{"status":"ok","code":200,"msg":"success","role":"agent","pad":""#;
    let mut many = new("{}");
    for number in 0..300 {
        many = many.header(format!("x-{number}"), "y");
    }
    let moved = |status| Hostile::new(status, "{}").header("location", elsewhere.url());
    vec![
        ("10 MB", Hostile::new(200, vec![b'a'; ten_mb])),
        ("10 MB of yes", Hostile::new(200, format!("{yes}{}\"}}", "a".repeat(ten_mb)))),
        ("no end", new("{\"a\":").times(usize::MAX)),
        ("no end of spaces", new("          ").times(usize::MAX)),
        ("half, and then nothing", new("{\"status\":").hanging()),
        ("moved", moved(302)),
        ("moved for good, with the body", moved(308)),
        ("packed", Hostile::new(200, bomb()).header("content-encoding", "gzip")),
        ("packed twice", Hostile::new(200, bomb()).header("content-encoding", "gzip, gzip")),
        ("many headers", many),
        ("a long header", new("{}").header("x", "y".repeat(600_000))),
        ("no UTF-8", Hostile::new(200, b"{\"status\":\"\xff\"}".to_vec())),
        ("deep", new(&"[".repeat(200_000))),
        ("deep objects", new(&"{\"status\":".repeat(20_000))),
        ("nothing", new("")),
        ("null", new("null")),
        ("a text", new("\"ok\"")),
        ("a list", new("[[]]")),
        ("no fields", new("{}")),
        ("others", new(r#"{"response":{"type":"default"},"data":[1,2],"success":true}"#)),
        ("wrong types", new(r#"{"status":1,"code":{"a":[]},"role":["agent"],"msg":[]}"#)),
        ("other wrong types", new(r#"{"status":["ok"],"code":[200],"role":true}"#)),
        ("an error inside", new(r#"{"error":"internal","status":"error","message":"0xdead"}"#)),
        ("not known", new(r#"{"status":"unknown","code":-1006,"msg":"Execution status unknown"}"#)),
        ("half a number", new(r#"{"code":200.5,"status":200.5}"#)),
        ("a huge number", new(r#"{"code":99999999999999999999999,"role":1e308}"#)),
        ("beyond all numbers", new(r#"{"code":1e999,"status":"ok"}"#)),
        ("no number", new(r#"{"code":NaN,"status":"ok"}"#)),
        ("yes, with more after it", new(r#"{"code":200,"status":"ok"} {"code":200}"#)),
        ("yes, by a server in trouble", Hostile::new(500, r#"{"code":200,"status":"ok"}"#)),
        ("no content", Hostile::new(204, "")),
        ("status 999", Hostile::new(999, "{}")),
    ]
}

/// What the exchange answers when it is asked whether it knows an agent; of another's agents too.
fn lies() -> Vec<&'static str> {
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
    elsewhere: Elsewhere,
}

impl Scene {
    async fn start(exchange: Exchange) -> Self {
        let app = TestApp::start().await;
        app.wallet(USER).await;
        Self { app, exchange, elsewhere: Elsewhere::new().await }
    }

    fn fail(&self, target: &str, fault: Fault) {
        match self.exchange {
            Exchange::Aster => self.app.stack.aster_sim.fail_next(target, fault),
            Exchange::Hyperliquid => self.app.stack.hyperliquid_sim.fail_next(target, fault),
        }
    }

    /// Honest from now on.
    fn mend(&self) {
        let _ = self.app.stack.aster_sim.clear_faults();
        let _ = self.app.stack.hyperliquid_sim.clear_faults();
        self.rest();
    }

    /// Until leases and rests are over.
    fn rest(&self) {
        self.app.clock.advance_ms(120_000);
    }

    fn question(&self) -> &'static str {
        match self.exchange {
            Exchange::Aster => "listAgents",
            Exchange::Hyperliquid => "userRole",
        }
    }

    async fn record(&self) -> Option<CredentialRecord> {
        invariants::view(&self.app, USER).await.credential(self.exchange).cloned()
    }

    /// How many agents of ours the exchange has.
    async fn agents(&self) -> usize {
        let view = invariants::view(&self.app, USER).await;
        invariants::agents(&self.app, &view, self.exchange).len()
    }

    /// Every nonsense to a send, and to the question that follows it; then every nonsense to the
    /// question of a call that goes on. `asks_first`: whether a repeat asks before it sends.
    async fn torment(
        &self,
        send: &str,
        asks_first: bool,
        call: impl AsyncFn() -> Reply,
        check: impl AsyncFn(&str),
    ) {
        let (question, mut first) = (self.question(), true);
        for (what, hostile) in nonsense(&self.elsewhere) {
            if asks_first && !first {
                self.fail(question, Fault::Pass);
            }
            first = false;
            self.fail(send, Fault::Hostile(hostile.clone()));
            self.fail(question, Fault::Hostile(hostile.clone()));
            self.typed(what, &call().await);
            check(what).await;
            self.mend();
            self.fail(if asks_first { question } else { send }, Fault::Hostile(hostile));
            if !asks_first {
                self.fail(question, Fault::Hostile(Hostile::new(200, "{")));
            }
            self.typed(what, &call().await);
            check(what).await;
            self.mend();
        }
        for lie in lies() {
            // What is a lie on one exchange is a plain no on the other.
            let is_aster = lie.starts_with('[');
            if is_aster != (self.exchange == Exchange::Aster) {
                continue;
            }
            if asks_first {
                self.fail(question, Fault::Pass);
            }
            self.fail(send, Fault::Hostile(Hostile::new(200, "{}")));
            self.fail(question, Fault::Hostile(Hostile::new(200, lie)));
            self.typed(lie, &call().await);
            check(lie).await;
            self.mend();
        }
        self.elsewhere.is_untouched().await;
    }

    /// The contract's error, without a word of what the exchange has sent.
    fn typed(&self, what: &str, reply: &Reply) {
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

async fn lives_through_it(exchange: Exchange) {
    let scene = Scene::start(exchange).await;
    let (approve, remove) = match exchange {
        Exchange::Aster => ("registerAndApproveAgent", "deleteAgent"),
        Exchange::Hyperliquid => ("approveAgent", "approveAgent"),
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
    scene.torment(approve, true, register, is_pending).await;
    let reply = register().await;
    assert_eq!(reply.status, 200, "{reply:?}");
    invariants::one_that_works(&scene.app, USER, exchange).await;
    let agent = scene.record().await.unwrap().agent;
    assert_eq!(*begun.lock().unwrap(), Some(agent), "it is the agent that was begun with");
    scene.rest();

    *begun.lock().unwrap() = None;
    let rotate = async || scene.app.rotate(exchange.as_str(), USER).await;
    let is_rotating = async |what: &str| {
        let record = scene.record().await.unwrap();
        let next = record.next.unwrap().agent;
        assert_eq!((record.state, record.agent), (CredentialState::Rotating, agent), "{what}");
        assert_eq!(*begun.lock().unwrap().get_or_insert(next), next, "{what}");
        assert_eq!(scene.agents().await, 1, "{what}: the old one lives");
    };
    scene.torment(approve, true, rotate, is_rotating).await;
    let reply = rotate().await;
    assert_eq!(reply.status, 200, "{reply:?}");
    // What is approved a moment ago may have to wait for its removal.
    scene.rest();
    invariants::one_that_works(&scene.app, USER, exchange).await;
    let agent = scene.record().await.unwrap().agent;
    assert_eq!(*begun.lock().unwrap(), Some(agent), "it is the agent that was begun with");
    scene.rest();

    let delete = async || scene.app.delete(exchange.as_str(), USER).await;
    let is_revoking = async |what: &str| {
        let record = scene.record().await.unwrap();
        assert_eq!((record.state, record.agent), (CredentialState::Revoking, agent), "{what}");
        assert_eq!(scene.agents().await, 1, "{what}");
    };
    scene.torment(remove, false, delete, is_revoking).await;
    let reply = delete().await;
    assert_eq!(reply.status, 200, "{reply:?}");
    invariants::nothing(&scene.app, USER, exchange).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hyperliquid_that_means_harm_does_none() {
    lives_through_it(Exchange::Hyperliquid).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aster_that_means_harm_does_none() {
    lives_through_it(Exchange::Aster).await;
}

/// The reconciliation job reads lists, and changes nothing but when it looks again and what it has
/// seen, of which it notes so much and no more.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_lists_change_no_record() {
    let limits = ReconcileLimits { every_ms: DAY_MS, ..RECONCILE_LIMITS };
    for exchange in Exchange::ALL {
        let scene = Scene::start(exchange).await;
        assert_eq!(scene.app.register(exchange.as_str(), USER).await.status, 200);
        let list = match exchange {
            Exchange::Aster => "listAgents",
            Exchange::Hyperliquid => "extraAgents",
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
            scene.mend();
            let found = found.into_iter().find(|(it, _)| *it == exchange).unwrap().1;
            assert_eq!(without_check(scene.record().await.unwrap()), before);
            found
        };
        for (what, hostile) in nonsense(&scene.elsewhere) {
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
            // Strangers in the list, and ours not: reported, and no more than that.
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
        scene.elsewhere.is_untouched().await;
        invariants::one_that_works(&scene.app, USER, exchange).await;
    }
}

/// A no of the exchange is passed on, cut to what a line can hold; what it asks us to wait is too.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_exchange_says_is_cut_to_size() {
    let scene = Scene::start(Exchange::Hyperliquid).await;
    let words = "\u{202e}\u{0}\n\u{7f}\u{feff}bad ".to_owned() + &"x".repeat(10_000);
    let body = serde_json::json!({ "status": "err", "response": words }).to_string();
    scene.fail("approveAgent", Fault::Hostile(Hostile::new(200, body)));
    let reply = scene.app.register("hyperliquid", USER).await;
    assert_eq!((reply.status, reply.text("/code")), (422, "EXCHANGE_REJECTED"), "{reply:?}");
    let said = reply.text("/message");
    assert!(said.starts_with("The exchange responded: bad xxx") && said.len() < 300, "{said:?}");
    assert!(scene.record().await.is_none());
    for wait in ["18446744073709551615", "99999999999999999999999", "-1", "0x10", "Tue, 1 Jan 2999"]
    {
        let limited = Hostile::new(429, "null").header("retry-after", wait);
        scene.fail("approveAgent", Fault::Hostile(limited));
        let reply = scene.app.register("hyperliquid", USER).await;
        assert_eq!(reply.status, 429, "{reply:?}");
        let told: u64 = reply.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!(told <= 600, "{wait}: {told}");
        scene.app.clock.advance_ms(700_000);
        scene.mend();
    }
    assert_eq!(scene.app.register("hyperliquid", USER).await.status, 200);
}
