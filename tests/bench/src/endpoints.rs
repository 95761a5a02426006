//! The endpoints in a separate process, without the local cloud, the exchanges and the cosigner.

use std::path::PathBuf;

use domain::ids::PerExchange;
use hyperdex_listen::{Stop, bind, serve, url};
use hyperdex_local::Options;
use hyperdex_local::StartError;
use hyperdex_local::{Endpoints, routes};
use protocol::recovery::{RecoveryKeys, Side};
use tokio::io::AsyncReadExt;
use url::Url;

/// More than a run can use, so that the service is measured, not the budget.
pub(crate) const WEIGHT_PER_MINUTE: u32 = 100_000_000;

/// The settings of the process.
#[derive(Clone, Debug)]
pub struct EndpointsSettings {
    /// A folder without tenant keys.
    pub(crate) folder: PathBuf,
    /// The recovery keys of the endpoint side.
    pub(crate) recovery: RecoveryKeys,
    /// The URLs of the other services.
    pub(crate) endpoints: Endpoints,
}

impl EndpointsSettings {
    pub(crate) fn arguments(&self) -> Vec<String> {
        let Self { folder, recovery, endpoints } = self;
        vec![
            "endpoints".to_owned(),
            folder.display().to_string(),
            endpoints.dynamodb.clone(),
            endpoints.kms.clone(),
            endpoints.lambda.clone(),
            endpoints.hyperliquid.to_string(),
            endpoints.aster.to_string(),
            recovery.to_text(Side::Endpoint),
        ]
    }

    /// Reads the arguments of the process.
    #[must_use]
    pub fn from_arguments(arguments: &[String]) -> Option<Self> {
        let [folder, dynamodb, kms, lambda, hyperliquid, aster, rest @ ..] = arguments else {
            return None;
        };
        let recovery = rest.first().map_or("", String::as_str);
        let endpoints = Endpoints {
            dynamodb: dynamodb.clone(),
            kms: kms.clone(),
            lambda: lambda.clone(),
            deliveries: String::new(),
            api_gateway: String::new(),
            hyperliquid: Url::parse(hyperliquid).ok()?,
            aster: Url::parse(aster).ok()?,
            // Nothing is measured there.
            lighter: Url::parse(aster).ok()?,
            // Nothing here uses a chain.
            chains: Url::parse(aster).ok()?,
        };
        let recovery = RecoveryKeys::parse(recovery, Side::Endpoint).ok()?;
        Some(Self { folder: folder.into(), recovery, endpoints })
    }

    /// Returns the default options with an unlimited budget.
    pub(crate) fn options(&self) -> Options {
        let mut options = Options::new(&self.folder);
        options.recovery.endpoint = self.recovery.clone();
        options.budget.per_minute = PerExchange::from_fn(|_| WEIGHT_PER_MINUTE.into());
        options
    }
}

/// Runs the endpoints: listens, prints the address, and serves until standard input ends.
///
/// # Errors
///
/// Fails if it cannot listen.
pub async fn run(settings: &EndpointsSettings, say: impl FnOnce(&str)) -> Result<(), StartError> {
    let options = settings.options();
    let (sender, stop) = Stop::new();
    let listener = bind("the API", options.ip, 0).await?;
    let address = url(&listener);
    serve(listener, routes(&options, &settings.endpoints)?, stop);
    say(&address);
    let mut nothing = Vec::new();
    let _ = tokio::io::stdin().read_to_end(&mut nothing).await;
    let _ = sender.send(true);
    Ok(())
}
