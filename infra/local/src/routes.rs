//! Every function's router on one port, and the clients behind them.

use axum::Router;
use create_webhook::CreateWebhook;
use deliver_webhook::DeliverWebhook;
use get_apikey::GetApiKey;
use publish_events::PublishEvents;
use register_hyperliquid::RegisterHyperliquid;
use replay_webhook::ReplayWebhook;
use rotate_apikey::RotateApiKey;
use shared::api::idempotency::Memory;
use shared::api::shell::shell;
use shared::aws::Aws;
use shared::config::{AsterConfig, CustodyConfig, HyperliquidConfig, StoreConfig, aster_v1_url};
use shared::credentials::{Registrar, Registrars};
use shared::exchanges::budget::Spender;
use shared::exchanges::{aster, hyperliquid};
use shared::intent::MAX_AGENT_VALIDITY_MS;
use shared::wallets::Custody;
use shared::webhooks::{Deliverer, Deliveries, Lookup, Publisher, Replayer, Webhooks};
use tower::limit::GlobalConcurrencyLimitLayer;
use url::Url;

use crate::gateway::gateway;
use crate::stack::{Options, WALLETS_KEY, WALLETS_TABLE};
use crate::{StartError, cosigner as cosigner_host};

/// Where the functions find everybody else.
#[derive(Clone, Debug)]
pub struct Endpoints {
    /// DynamoDB's URL.
    pub dynamodb: String,
    /// KMS's URL.
    pub kms: String,
    /// The URL of Lambda's Invoke API.
    pub lambda: String,
    /// The URL of the queue of deliveries.
    pub deliveries: String,
    /// Hyperliquid's URL.
    pub hyperliquid: Url,
    /// Aster's URL.
    pub aster: Url,
}

impl Endpoints {
    /// Party 1, with clients of its own.
    #[must_use]
    pub fn custody(&self, options: &Options) -> Custody {
        let aws = Aws::local(&self.dynamodb, &self.kms, &self.lambda);
        let store = StoreConfig { table: WALLETS_TABLE.to_owned() };
        let config = CustodyConfig {
            kms_key_id: WALLETS_KEY.to_owned(),
            cosigner_function: cosigner_host::FUNCTION.to_owned(),
            caller: "local".to_owned(),
        };
        Custody::new(&aws, &store, &config, options.clock.clone(), options.random.clone())
    }

    fn deliveries(&self) -> Deliveries {
        let aws = Aws::local(&self.dynamodb, &self.kms, &self.lambda).with_sqs(&self.deliveries);
        Deliveries::new(aws.sqs(), &self.deliveries)
    }

    /// The functions that the stream and the queue invoke.
    ///
    /// # Errors
    /// When a client cannot be made.
    pub fn webhooks(
        &self,
        options: &Options,
    ) -> Result<(PublishEvents, DeliverWebhook), StartError> {
        let Custody { store, envelope, clock, .. } = self.custody(options);
        let publisher = Publisher::new(store.clone(), self.deliveries(), clock.clone());
        let (deliveries, targets) = (self.deliveries(), options.webhook_targets);
        let lookup = Lookup::system();
        let deliverer = Deliverer::new(store, envelope, deliveries, targets, lookup, clock)
            .map_err(|error| StartError::Part {
                what: "the client of webhooks",
                cause: error.to_string(),
            })?;
        Ok((PublishEvents { publisher }, DeliverWebhook { deliverer }))
    }

    /// The credentials of every exchange, with clients of their own.
    #[must_use]
    pub fn registrars(&self, options: &Options, spender: Spender) -> Registrars {
        let hyperliquid = hyperliquid::Client::new(&HyperliquidConfig {
            url: self.hyperliquid.clone(),
            chain: options.hyperliquid.chain,
            validity_ms: MAX_AGENT_VALIDITY_MS,
            call_timeout_ms: options.exchange_timeout_ms,
            return_private_key: options.return_private_key,
        });
        let aster = aster::Client::new(&AsterConfig {
            url: self.aster.clone(),
            signature_chain_id: options.aster.signature_chain_id,
            chain: options.aster.chain,
            ip_whitelist: None,
            validity_ms: MAX_AGENT_VALIDITY_MS,
            call_timeout_ms: options.exchange_timeout_ms,
            // The simulator speaks both.
            v1_url: options.aster.v1.then(|| aster_v1_url(&self.aster)),
        });
        let custody = self.custody(options);
        let budget = &options.budget;
        Registrars {
            aster: Registrar::aster(custody.clone(), aster, budget, spender),
            hyperliquid: Registrar::hyperliquid(custody, hyperliquid, budget, spender),
        }
    }
}

fn webhooks(options: &Options, endpoints: &Endpoints) -> Router {
    let Custody { store, envelope, clock, random, .. } = endpoints.custody(options);
    let memory = Memory {
        store: store.clone(),
        envelope: envelope.clone(),
        clock: clock.clone(),
        random: random.clone(),
    };
    let replayer = Replayer { store: store.clone(), deliveries: endpoints.deliveries() };
    Router::new()
        .merge(list_webhooks::router(store.clone()))
        .merge(create_webhook::router(CreateWebhook {
            webhooks: Webhooks { store, envelope, clock, random },
            targets: options.webhook_targets,
        }))
        .merge(delete_webhook::router(memory.clone()))
        .merge(replay_webhook::router(ReplayWebhook { replayer, memory }))
}

/// Every function's router on one port, in the same shell as in the cloud, with clients of their
/// own for these endpoints.
///
/// # Errors
/// When a client cannot be made.
pub fn routes(options: &Options, endpoints: &Endpoints) -> Result<Router, StartError> {
    let custody = endpoints.custody(options);
    let registrars = endpoints.registrars(options, Spender::Caller);
    let return_private_key = options.return_private_key;
    let routes = Router::new()
        .merge(health::router())
        // In the cloud each creation has an instance of its own; here they take turns, so that a
        // crowd of them is late and none of them fails.
        .merge(create_wallet::router(custody.clone()).layer(GlobalConcurrencyLimitLayer::new(
            std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        )))
        .merge(get_wallet::router(custody.store.clone()))
        .merge(list_wallets::router(custody.store.clone()))
        .merge(sign_message::router(custody.clone()))
        .merge(register_aster::router(registrars.aster.clone()))
        .merge(register_hyperliquid::router(RegisterHyperliquid {
            registrar: registrars.hyperliquid.clone(),
            return_private_key,
        }))
        .merge(get_apikey::router(GetApiKey { store: custody.store, clock: options.clock.clone() }))
        .merge(delete_apikey::router(registrars.clone()))
        .merge(rotate_apikey::router(RotateApiKey { registrars, return_private_key }))
        .merge(exchange_guidance::router())
        .merge(webhooks(options, endpoints));
    let shelled = shell(routes, options.clock.clone(), options.random.clone());
    Ok(gateway(shelled, options))
}
