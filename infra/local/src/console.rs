//! The console next to this stack's API.

use std::sync::Arc;

use axum::Router;
use hyperdex_cloud::kms::PUBLIC_KEY;
use hyperdex_cloud::names::{COSIGNER_TABLE, WALLETS_TABLE};
use hyperdex_console::{ConsoleError, ConsoleSettings, ExchangeSettings, Simulators};

use crate::endpoints::Endpoints;
use crate::keyring::Keyring;
use crate::keys::KeyFile;
use crate::options::Options;

/// Puts the console in front of the API.
pub(crate) fn with_console(
    api: Router,
    options: &Options,
    endpoints: &Endpoints,
    simulators: Simulators,
) -> Result<Router, ConsoleError> {
    let settings = ConsoleSettings {
        aws: options.aws(&endpoints.dynamodb, &endpoints.kms, &endpoints.lambda),
        wallets_table: WALLETS_TABLE,
        cosigner_table: COSIGNER_TABLE,
        audit_public_key: options.data_dir.join(PUBLIC_KEY),
        keys: Arc::new(Keyring::new(KeyFile::new(&options.data_dir))),
        access: endpoints.access(options),
        aster: ExchangeSettings { url: endpoints.aster.clone(), chain: options.aster.chain },
        hyperliquid: ExchangeSettings {
            url: endpoints.hyperliquid.clone(),
            chain: options.hyperliquid.chain,
        },
        simulators,
        budget: options.budget.clone(),
        allowed_origins: options.allowed_origins.clone(),
        return_private_key: options.return_private_key,
        require_deposit: options.require_deposit,
        clock: options.clock.clone(),
        random: options.random.clone(),
    };
    hyperdex_console::with_console(api, settings)
}
