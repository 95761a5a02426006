//! Random interleavings at the cosigner's gate, over the embedded DynamoDB: runs are opened, closed,
//! abandoned and cheated in, responses are lost, processes die, the bar's write fails, time passes,
//! and shares are refreshed. At every step at most four runs of a share version are unclosed,
//! nothing is released after the bar, and a run that was never closed is never forgiven.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on says so and ends")]

use e2e::leak::{Begin, Endpoint, Passed, Scene};
use e2e::proxy::{Fate, Plan, Process, Side};
use proptest::prelude::*;
use shared::wallets::Refreshed;

use super::{PARTY, refused, sets};

/// Unclosed runs of one share version.
const MOST: usize = 4;

#[derive(Clone, Copy, Debug)]
enum Trouble {
    Nothing,
    /// The response to the first transaction is lost.
    Lost,
    /// The cosigner dies at this remote call.
    Death(usize, Side),
}

#[derive(Clone, Debug)]
enum Step {
    Open(Trouble),
    /// So many runs are opened at once.
    Crowd(usize),
    /// A bent first message that fails the check; whether the bar can be written.
    Bent(bool),
    Close(usize, Trouble),
    /// A bent second message; whether the bar can be written.
    Cheat(usize, bool),
    /// Longer than a session lives.
    Wait,
    Refresh,
}

fn trouble() -> impl Strategy<Value = Trouble> {
    let side = prop_oneof![Just(Side::Before), Just(Side::After)];
    prop_oneof![
        4 => Just(Trouble::Nothing),
        1 => Just(Trouble::Lost),
        2 => (1_usize..6, side).prop_map(|(nth, side)| Trouble::Death(nth, side)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => trouble().prop_map(Step::Open),
        2 => (2_usize..7).prop_map(Step::Crowd),
        1 => prop::bool::weighted(0.3).prop_map(Step::Bent),
        5 => (0_usize..4, trouble()).prop_map(|(run, trouble)| Step::Close(run, trouble)),
        1 => (0_usize..4, prop::bool::weighted(0.3)).prop_map(|(run, bar)| Step::Cheat(run, bar)),
        1 => Just(Step::Wait),
        1 => Just(Step::Refresh),
    ]
}

fn plan(trouble: Trouble, bar: bool) -> Plan {
    Box::new(move |arrival| {
        let is_write = arrival.name == "Cosigner.DynamoDB.TransactWriteItems";
        let cosigners = arrival.name.starts_with("Cosigner.");
        match trouble {
            _ if !bar && sets(arrival, "barred") => refused(),
            Trouble::Lost if is_write && arrival.nth_of_name == 1 => Fate::Lose,
            // The first call of the process is its invocation.
            Trouble::Death(nth, side) if cosigners && arrival.nth == nth + 1 => Fate::Die(side),
            _ => Fate::Pass,
        }
    })
}

/// The wallet, and what is known of its share version from outside.
struct World {
    scene: Scene,
    endpoint: Endpoint,
    version: u32,
    /// Runs that can be closed.
    open: Vec<Passed>,
    /// Runs that are certainly unclosed, and will remain so.
    dead: usize,
    /// Runs that may be unclosed.
    doubtful: usize,
    /// A check has failed.
    cheated: bool,
    /// The bar is certainly written.
    barred: bool,
}

impl World {
    async fn new() -> Self {
        let scene = Scene::start(PARTY).await;
        let endpoint = Endpoint::new(scene.key(1), scene.own_share().await, &[]);
        let (open, version) = (Vec::new(), 1);
        let (dead, doubtful, cheated, barred) = (0, 0, false, false);
        Self { scene, endpoint, version, open, dead, doubtful, cheated, barred }
    }

    fn unclosed(&self) -> usize {
        self.open.len() + self.dead
    }

    /// The attacker's way to a cosigner process with these troubles.
    fn process(&self, trouble: Trouble, bar: bool) -> (std::sync::Arc<Process>, Endpoint) {
        let process = self.scene.proxy.process_with(plan(trouble, bar));
        let endpoint = self.endpoint.through(&process.endpoints().lambda);
        (process, endpoint)
    }

    async fn open(&self, trouble: Trouble, row: Option<usize>, bar: bool) -> Told {
        let (process, endpoint) = self.process(trouble, bar);
        let attempt = endpoint.prepare(Begin::Sign, row);
        let told = tokio::select! {
            biased;
            () = process.died() => Told::Nothing,
            (told, passed) = endpoint.send(0, attempt) => Told::of(&told, passed),
        };
        process.settled().await;
        told
    }

    fn answered(&mut self, passed: Passed) {
        assert!(!self.barred, "a run was answered after the bar");
        self.open.push(passed);
        assert!(self.unclosed() <= MOST, "{} runs are unclosed", self.unclosed());
    }

    async fn step(&mut self, step: Step) {
        // Both signatures and rates are counted by the minute.
        self.scene.app.clock.advance_ms(1);
        match step {
            Step::Open(trouble) => self.open_one(trouble).await,
            Step::Crowd(count) => {
                let room = MOST.saturating_sub(self.unclosed() + self.doubtful);
                let opens = (0..count).map(|_| self.open(Trouble::Nothing, None, true));
                let told = futures_util::future::join_all(opens).await;
                let before = self.open.len();
                for told in told {
                    match told {
                        Told::Answered(passed) => self.answered(passed),
                        Told::Refused(_) => {}
                        Told::Nothing => self.doubtful += 1,
                    }
                }
                let answered = self.open.len() - before;
                assert!(self.cheated || room == 0 || answered > 0, "{room} places, none given");
            }
            Step::Bent(bar) => {
                let bits = self.scene.their_correlation(self.version).await;
                let row = bits.iter().position(|bit| *bit).unwrap();
                match self.open(Trouble::Nothing, Some(row), bar).await {
                    Told::Answered(_) => panic!("a bent message passed"),
                    told => self.failed(&told, bar),
                }
            }
            Step::Close(run, trouble) if run < self.open.len() => self.close(run, trouble).await,
            Step::Cheat(run, bar) if run < self.open.len() => {
                let (_, endpoint) = self.process(Trouble::Nothing, bar);
                let passed = self.open.remove(run);
                // Whatever comes back, this run is not closed any more.
                self.dead += 1;
                let told = endpoint.cheat(0, passed).await;
                assert_ne!(told, "signed");
                self.cheated = true;
                self.barred |= bar && told.contains("aborted");
            }
            Step::Close(..) | Step::Cheat(..) => {}
            Step::Wait => self.scene.app.clock.advance_ms(61_000),
            Step::Refresh => self.refresh().await,
        }
    }

    async fn open_one(&mut self, trouble: Trouble) {
        let room = MOST.saturating_sub(self.unclosed() + self.doubtful);
        match self.open(trouble, None, true).await {
            Told::Answered(passed) => self.answered(passed),
            Told::Refused(told) if matches!(trouble, Trouble::Nothing) => {
                assert!(self.cheated || room == 0, "{room} places, but: {told}");
            }
            _ => self.doubtful += 1,
        }
    }

    /// A check has failed, if it was made.
    fn failed(&mut self, told: &Told, bar: bool) {
        match told {
            Told::Refused(told) if told.contains("aborted") => {
                self.dead += 1;
                self.cheated = true;
                self.barred |= bar;
            }
            Told::Refused(_) => {}
            _ => {
                self.doubtful += 1;
                self.cheated = true;
            }
        }
        assert!(self.unclosed() <= MOST, "{} runs are unclosed", self.unclosed());
    }

    async fn close(&mut self, run: usize, trouble: Trouble) {
        let (process, endpoint) = self.process(trouble, true);
        let passed = self.open.remove(run);
        let told = tokio::select! {
            biased;
            () = process.died() => Told::Nothing,
            told = endpoint.close(0, passed) => Told::of(&told, None),
        };
        process.settled().await;
        match told {
            Told::Refused(told) if told == "signed" => {
                assert!(!self.barred, "a signature was released after the bar");
            }
            Told::Refused(_) => self.dead += 1,
            _ => self.doubtful += 1,
        }
    }

    async fn refresh(&mut self) {
        let (key, custody) = (self.scene.key(self.version), &self.scene.app.stack.custody);
        match custody.refresh(&key.tenant, key.wallet_id, None).await {
            Ok(Refreshed::New(version)) => {
                assert!(!self.barred, "a barred wallet was refreshed");
                self.version = version;
                self.open.clear();
                (self.dead, self.doubtful, self.cheated) = (0, 0, false);
                let share = self.scene.own_share().await;
                self.endpoint = Endpoint::new(self.scene.key(version), share, &[]);
            }
            other => assert!(self.cheated, "{other:?}"),
        }
    }
}

/// What came back.
#[expect(clippy::large_enum_variant, reason = "made once and matched")]
enum Told {
    Answered(Passed),
    /// In words.
    Refused(String),
    /// No response, or a failed invocation: anything may have happened.
    Nothing,
}

impl Told {
    fn of(told: &str, passed: Option<Passed>) -> Self {
        match (passed, told) {
            (Some(passed), _) => Self::Answered(passed),
            (None, "failed") => Self::Nothing,
            (None, told) => Self::Refused(told.to_owned()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 6,
        max_shrink_iters: 40,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn gate_holds_in_any_order_of_steps(steps in prop::collection::vec(step(), 6..16)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new().await;
            for step in steps {
                world.step(step).await;
            }
        });
    }
}
