//! What the simulators know survives a restart, as it does at an exchange: accounts, agents and
//! nonces, in a file of the data directory for each simulator and network.
//!
//! The file is written before the response to a change is sent, so a caller never hears of a change
//! that a kill undoes.

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

/// The simulators' states.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) hyperliquid: KeptState,
    pub(crate) aster: KeptState,
}

/// The state of one simulator.
#[derive(Clone)]
pub(crate) struct KeptState {
    file: PathBuf,
    snapshot: Arc<Snapshot>,
    /// As it is in the file.
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

/// The file of a simulator's state. Each network has its own, as the networks share nothing.
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
                    &"it is not a simulator's state; remove it to start the simulator without \
                      accounts",
                )
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(broken(&file, &error)),
        }
        Ok(Self { file, snapshot, written: Arc::default() })
    }

    /// The simulator's routes, which write the state after each change.
    pub(crate) fn keeping(&self, router: Router) -> Router {
        router.layer(from_fn_with_state(self.clone(), keep))
    }

    /// Writes the state, if it is not what the file holds.
    pub(crate) fn write(&self) {
        // Held while the file is written: the last writer writes the newest state.
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        match (self.snapshot)() {
            Ok(bytes) if bytes == *written => {}
            Ok(bytes) => match replace(&self.file, &bytes) {
                Ok(()) => *written = bytes,
                Err(error) => tracing::error!(
                    file = %Path::new(&self.file).display(), %error, "a simulator's state was not written"
                ),
            },
            Err(error) => tracing::error!(%error, "a simulator's state was not written"),
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
