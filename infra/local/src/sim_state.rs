//! Persistent state of the simulators: accounts, agents and nonces survive a restart, as at a real
//! exchange. Each simulator and network has its own file in the data directory.
//!
//! The file is written before the response to a change is sent, so a kill never undoes a change
//! that a caller has seen.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use domain::intent::HyperliquidChain;
use exchange_sim::{aster, hyperliquid};
use http::Method;
use hyperdex_cloud::error::CloudError;
use hyperdex_cloud::files::{broken, replace};

use crate::options::Options;

type Snapshot = dyn Fn() -> serde_json::Result<Vec<u8>> + Send + Sync;

/// State of the simulators.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) hyperliquid: KeptState,
    pub(crate) aster: KeptState,
}

/// State of one simulator.
#[derive(Clone)]
pub(crate) struct KeptState {
    file: PathBuf,
    snapshot: Arc<Snapshot>,
    /// Current content of the file.
    written: Arc<Mutex<Vec<u8>>>,
}

impl Kept {
    /// Restores both simulators from the data directory.
    pub(crate) fn open(
        options: &Options,
        hyperliquid: &hyperliquid::Exchange,
        aster: &aster::Exchange,
    ) -> Result<Self, CloudError> {
        let file = |name, chain| options.data_dir.join(file_name(name, chain));
        let (of_hyperliquid, of_aster) = (hyperliquid.clone(), aster.clone());
        Ok(Self {
            hyperliquid: KeptState::open(
                file("hyperliquid", options.hyperliquid.chain),
                Arc::new(move || of_hyperliquid.snapshot()),
                |bytes| hyperliquid.restore(bytes),
            )?,
            aster: KeptState::open(
                file("aster", options.aster.chain),
                Arc::new(move || of_aster.snapshot()),
                |bytes| aster.restore(bytes),
            )?,
        })
    }
}

/// Returns the filename of a simulator's state. Networks share nothing, so each has its own file.
pub(crate) fn file_name(exchange: &str, chain: HyperliquidChain) -> String {
    format!("{exchange}-{}.json", chain.as_str().to_lowercase())
}

impl KeptState {
    fn open(
        file: PathBuf,
        snapshot: Arc<Snapshot>,
        restore: impl FnOnce(&[u8]) -> serde_json::Result<()>,
    ) -> Result<Self, CloudError> {
        match std::fs::read(&file) {
            Ok(bytes) => restore(&bytes).map_err(|_| {
                broken(
                    &file,
                    &"it is not a simulator's state: remove it to start the simulator without \
                      accounts",
                )
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(broken(&file, &error)),
        }
        Ok(Self { file, snapshot, written: Arc::default() })
    }

    /// Wraps the simulator's routes so that the state is written after each change.
    pub(crate) fn keeping(&self, router: Router) -> Router {
        router.layer(from_fn_with_state(self.clone(), keep))
    }

    /// Writes the state if it differs from the file's content.
    pub(crate) fn write(&self) {
        // Held during the write, so that the last writer writes the newest state.
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        match (self.snapshot)() {
            Ok(bytes) if bytes == *written => {}
            Ok(bytes) => match replace(&self.file, &bytes) {
                Ok(()) => *written = bytes,
                Err(error) => tracing::error!(
                    file = %Path::new(&self.file).display(), %error, "cannot write a simulator's state"
                ),
            },
            Err(error) => tracing::error!(%error, "cannot write a simulator's state"),
        }
    }
}

async fn keep(State(state): State<KeptState>, request: Request, next: Next) -> Response {
    let reads = request.method() == Method::GET || request.uri().path() == "/info";
    let response = next.run(request).await;
    if !reads {
        state.write();
    }
    response
}
