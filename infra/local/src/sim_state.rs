//! Persistent state of the simulators, as at a real exchange. Each simulator and network has two
//! files in the data directory: a snapshot of accounts, agents and nonces, and a journal of orders,
//! positions, balances and payments. The chains have a snapshot only.
//!
//! Both are written before the response to a change is sent, so a kill never undoes a change that a
//! caller has seen. The snapshot is first: an order in the journal has its nonce in the snapshot,
//! so the same request is never executed again after a restart.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use domain::intent::HyperliquidChain;
use exchange_sim::journal::BadLine;
use exchange_sim::{aster, chain::Chains, hyperliquid, lighter};
use http::Method;
use hyperdex_cloud::error::CloudError;
use hyperdex_cloud::files::{broken, replace};

use crate::options::Options;

/// The stack rewrites the journal when it is larger than this many times the state, and larger than
/// [`SMALL`].
const GROWTH: u64 = 8;

/// The stack does not rewrite a journal of this size in bytes.
const SMALL: u64 = 1 << 20;

/// File of the chains' state. All networks share it, because they are different chains.
const CHAINS: &str = "chains.json";

/// A simulator with state to store.
trait Simulator: Send + Sync {
    fn snapshot(&self) -> serde_json::Result<Vec<u8>>;
    fn restore(&self, snapshot: &[u8]) -> serde_json::Result<()>;
    fn has_changes(&self) -> bool;
    fn take_changes(&self) -> String;
    fn market_snapshot(&self) -> String;
    fn restore_market(&self, lines: &str) -> Result<(), BadLine>;
}

macro_rules! simulator {
    ($exchange:ty) => {
        impl Simulator for $exchange {
            fn snapshot(&self) -> serde_json::Result<Vec<u8>> {
                Self::snapshot(self)
            }
            fn restore(&self, snapshot: &[u8]) -> serde_json::Result<()> {
                Self::restore(self, snapshot)
            }
            fn has_changes(&self) -> bool {
                Self::has_changes(self)
            }
            fn take_changes(&self) -> String {
                Self::take_changes(self)
            }
            fn market_snapshot(&self) -> String {
                Self::market_snapshot(self)
            }
            fn restore_market(&self, lines: &str) -> Result<(), BadLine> {
                Self::restore_market(self, lines)
            }
        }
    };
}

simulator!(hyperliquid::Exchange);
simulator!(aster::Exchange);
simulator!(lighter::Exchange);

/// The chains have no market.
impl Simulator for Chains {
    fn snapshot(&self) -> serde_json::Result<Vec<u8>> {
        Self::snapshot(self)
    }
    fn restore(&self, snapshot: &[u8]) -> serde_json::Result<()> {
        Self::restore(self, snapshot)
    }
    fn has_changes(&self) -> bool {
        false
    }
    fn take_changes(&self) -> String {
        String::new()
    }
    fn market_snapshot(&self) -> String {
        String::new()
    }
    fn restore_market(&self, _lines: &str) -> Result<(), BadLine> {
        Ok(())
    }
}

/// State of the simulators.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) hyperliquid: KeptState,
    pub(crate) aster: KeptState,
    pub(crate) lighter: KeptState,
    pub(crate) chains: KeptState,
}

/// State of one simulator.
#[derive(Clone)]
pub(crate) struct KeptState {
    file: PathBuf,
    journal: PathBuf,
    simulator: Arc<dyn Simulator>,
    /// The chains on which the simulator pays. Written first: a payment that the simulator remembers
    /// was made there, and one that only the chains remember is not made again.
    chains: Option<Box<Self>>,
    written: Arc<Mutex<Written>>,
}

/// Content of the files.
#[derive(Default)]
struct Written {
    snapshot: Vec<u8>,
    /// Size of the journal in bytes.
    journal: u64,
    /// Size of the journal when it was last rewritten.
    compact: u64,
}

impl Kept {
    /// Restores the simulators from the data directory.
    pub(crate) fn open(
        options: &Options,
        hyperliquid: &hyperliquid::Exchange,
        aster: &aster::Exchange,
        lighter: &lighter::Exchange,
        chains: &Chains,
    ) -> Result<Self, CloudError> {
        let file = |name, chain| options.data_dir.join(file_name(name, chain));
        let of_hyperliquid = file("hyperliquid", options.hyperliquid.chain);
        let of_aster = file("aster", options.aster.chain);
        let of_lighter =
            options.data_dir.join(format!("lighter-{}.json", options.lighter.chain_id));
        let chains = KeptState::open(options.data_dir.join(CHAINS), Arc::new(chains.clone()))?;
        let hyperliquid = KeptState::open(of_hyperliquid, Arc::new(hyperliquid.clone()))?;
        let aster = KeptState::open(of_aster, Arc::new(aster.clone()))?;
        let lighter = KeptState::open(of_lighter, Arc::new(lighter.clone()))?;
        let (hyperliquid, aster) = (hyperliquid.after(&chains), aster.after(&chains));
        Ok(Self { hyperliquid, aster, lighter, chains })
    }
}

/// Returns the filename of a simulator's state. Networks share nothing, so each has its own file.
pub(crate) fn file_name(exchange: &str, chain: HyperliquidChain) -> String {
    format!("{exchange}-{}.json", chain.as_str().to_lowercase())
}

impl KeptState {
    fn open(file: PathBuf, simulator: Arc<dyn Simulator>) -> Result<Self, CloudError> {
        let journal = file.with_extension("trades.jsonl");
        let foreign = |file: &Path| {
            let cause =
                "it is not a simulator's state: remove it to start the simulator without it";
            broken(file, &cause)
        };
        if let Some(bytes) = read(&file)? {
            simulator.restore(&bytes).map_err(|_| foreign(&file))?;
        }
        let state = Self { file, journal, simulator, chains: None, written: Arc::default() };
        if let Some(bytes) = read(&state.journal)? {
            // A kill during a write leaves an incomplete last line, whose response was not sent.
            let complete = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            let lines = bytes.get(..complete).and_then(|lines| std::str::from_utf8(lines).ok());
            let restored =
                lines.ok_or(BadLine(0)).and_then(|it| state.simulator.restore_market(it));
            restored.map_err(|_| foreign(&state.journal))?;
            let lines = state.simulator.market_snapshot();
            let rewritten = state.rewrite(&mut state.lock(), &lines);
            rewritten.map_err(|error| broken(&state.journal, &error))?;
        }
        Ok(state)
    }

    /// Writes the state of the chains before its own.
    fn after(self, chains: &Self) -> Self {
        Self { chains: Some(Box::new(chains.clone())), ..self }
    }

    /// Wraps the simulator's routes so that the state is written after each change.
    pub(crate) fn keeping(&self, router: Router) -> Router {
        router.layer(from_fn_with_state(self.clone(), keep))
    }

    fn lock(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the state if it differs from the files' content.
    pub(crate) fn write(&self) {
        // Held during the writes, so that the last writer writes the newest state.
        let mut written = self.lock();
        // Taken before the snapshot, which then contains the nonces of these changes.
        let changes = self.simulator.take_changes();
        let is_large = written.journal > SMALL.max(written.compact * GROWTH);
        let compact = is_large.then(|| self.simulator.market_snapshot());
        // After the changes were taken, so that every payment in them is on its chain.
        if let Some(chains) = &self.chains {
            chains.write();
        }
        match self.simulator.snapshot() {
            Ok(bytes) if bytes == written.snapshot => {}
            Ok(bytes) => match replace(&self.file, &bytes) {
                Ok(()) => written.snapshot = bytes,
                Err(error) => log(&self.file, &error),
            },
            Err(error) => tracing::error!(%error, "cannot write a simulator's state"),
        }
        let stored = match compact {
            Some(lines) => self.rewrite(&mut written, &lines),
            None => self.append(&mut written, &changes),
        };
        if let Err(error) = stored {
            log(&self.journal, &error);
        }
    }

    fn append(&self, written: &mut Written, changes: &str) -> std::io::Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let mut options = File::options();
        let mut file = options.append(true).create(true).mode(0o600).open(&self.journal)?;
        file.write_all(changes.as_bytes())?;
        written.journal += changes.len() as u64;
        Ok(())
    }

    /// Replaces the journal with the state.
    fn rewrite(&self, written: &mut Written, lines: &str) -> std::io::Result<()> {
        replace(&self.journal, lines.as_bytes())?;
        written.journal = lines.len() as u64;
        written.compact = written.journal;
        Ok(())
    }
}

fn read(file: &Path) -> Result<Option<Vec<u8>>, CloudError> {
    match std::fs::read(file) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(broken(file, &error)),
    }
}

fn log(file: &Path, error: &std::io::Error) {
    tracing::error!(file = %file.display(), %error, "cannot write a simulator's state");
}

async fn keep(State(state): State<KeptState>, request: Request, next: Next) -> Response {
    let reads = request.method() == Method::GET || request.uri().path() == "/info";
    let response = next.run(request).await;
    // A read also writes the changes that it may have shown.
    if !reads || state.simulator.has_changes() {
        state.write();
    }
    response
}

#[cfg(test)]
mod tests {
    use exchange_sim::aster::{Exchange, Network};

    use super::*;

    fn simulator() -> Exchange {
        Exchange::new(Network::Mainnet, Arc::new(|| 1_790_000_000_000))
    }

    fn account(number: u8) -> exchange_sim::Address {
        exchange_sim::Address::repeat_byte(number)
    }

    /// Returns a simulator with the state of a directory.
    fn opened(directory: &Path) -> (Exchange, KeptState) {
        let simulator = simulator();
        let file = directory.join("aster-mainnet.json");
        let state = KeptState::open(file, Arc::new(simulator.clone())).unwrap();
        (simulator, state)
    }

    fn sorted(simulator: &Exchange) -> Vec<String> {
        let state = simulator.market_snapshot();
        let mut lines: Vec<_> = state.lines().map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    }

    #[test]
    fn restart_restores_journal_with_incomplete_last_line() {
        let directory = tempfile::tempdir().unwrap();
        let (before, state) = opened(directory.path());
        assert!(before.deposit_amount(account(1), "12.5"));
        state.write();
        assert!(before.set_price("BTCUSDT", "61000"));
        state.write();
        let journal = directory.path().join("aster-mainnet.trades.jsonl");
        let mut file = File::options().append(true).open(&journal).unwrap();
        file.write_all(b"{\"k\":\"market/BTCUSDT\",\"v\":{\"ma").unwrap();
        let (after, _) = opened(directory.path());
        assert_eq!(sorted(&after), sorted(&before));
        // The incomplete line is gone.
        let (again, _) = opened(directory.path());
        assert_eq!(sorted(&again), sorted(&before));
    }

    #[test]
    fn simulator_writes_the_chains_first() {
        let directory = tempfile::tempdir().unwrap();
        let chains = Chains::new(Arc::new(|| 1_790_000_000_000));
        let file = || directory.path().join(CHAINS);
        let kept = KeptState::open(file(), Arc::new(chains.clone())).unwrap();
        let (aster, state) = opened(directory.path());
        let state = state.after(&kept);
        assert!(chains.fund(56, account(1), "USDT", "12.5"));
        assert!(aster.deposit_amount(account(1), "1"));
        state.write();
        let again = Chains::new(Arc::new(|| 1_790_000_000_000));
        KeptState::open(file(), Arc::new(again.clone())).unwrap();
        assert_eq!(again.balance_of(56, account(1), "USDT"), "12.5");
    }

    #[test]
    fn large_journal_is_rewritten() {
        let directory = tempfile::tempdir().unwrap();
        let (before, state) = opened(directory.path());
        for price in 0..10_000 {
            assert!(before.set_price("BTCUSDT", &format!("{}", 50_000 + price)));
        }
        state.write();
        let journal = directory.path().join("aster-mainnet.trades.jsonl");
        let size = || std::fs::metadata(&journal).unwrap().len();
        assert!(size() > SMALL);
        assert!(before.set_price("BTCUSDT", "70000"));
        state.write();
        assert!(size() < SMALL / 100);
        let (after, _) = opened(directory.path());
        assert_eq!(sorted(&after), sorted(&before));
    }

    #[test]
    fn foreign_journal_is_refused_with_its_name() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("aster-mainnet.trades.jsonl"), "{}\n").unwrap();
        let file = directory.path().join("aster-mainnet.json");
        let error = KeptState::open(file, Arc::new(simulator())).err().unwrap().to_string();
        assert!(error.contains("aster-mainnet.trades.jsonl"), "{error}");
    }
}
