//! The addresses of the stack's parts, and the clients of the functions.

use deliver_webhook::DeliverWebhook;
use domain::clock::Clock;
use domain::intent::MAX_AGENT_VALIDITY_MS;
use domain::money::Chains as Networks;
use exchange_sim::chain::CHAIN_IDS;
use hyperdex_cloud::cosigner::FUNCTION;
use hyperdex_cloud::names::{LOCAL_DEPLOYMENT, RECOVERY_TABLE, WALLETS_TABLE};
use platform::aws::Aws;
use publish_events::PublishEvents;
use shared::access::Access;
use shared::aws::SqsClient;
use shared::credentials::{Registrar, Registrars};
use shared::evm::Chains;
use shared::exchanges::budget::Spender;
use shared::exchanges::{
    AsterConfig, HyperliquidConfig, LighterConfig, aster, aster_public_url, aster_spot_url,
    hyperliquid,
};
use shared::key_admin::KeyAdmin;
use shared::money::{PaymentJob, Tracker, TrackerParts};
use shared::orders::{TradeConfig, Trader, TraderParts};
use shared::policy_chain::PolicyChain;
use shared::store::StoreConfig;
use shared::wallets::{Custody, CustodyConfig, RefreshBy};
use shared::webhooks::{Deliverer, Deliveries, Lookup, Publisher};
use url::Url;

use crate::error::StartError;
use crate::options::Options;
use crate::payments::Payments;
use crate::trading::Traders;

/// Addresses of the parts that the functions call.
#[derive(Clone, Debug)]
pub struct Endpoints {
    /// URL of DynamoDB.
    pub dynamodb: String,
    /// URL of KMS.
    pub kms: String,
    /// URL of Lambda's Invoke API.
    pub lambda: String,
    /// URL of the queue of deliveries.
    pub deliveries: String,
    /// The URL of API Gateway's control plane.
    pub api_gateway: String,
    /// URL of Hyperliquid.
    pub hyperliquid: Url,
    /// URL of Aster.
    pub aster: Url,
    /// URL of Lighter.
    pub lighter: Url,
    /// URL of the chains' nodes: each is at the path of its id.
    pub chains: Url,
}

impl Endpoints {
    /// Returns party 1, with clients of its own. It invokes the cosigner without an alias, which
    /// the cosigner treats as the caller `local`.
    #[must_use]
    pub fn custody(&self, options: &Options) -> Custody {
        self.custody_at(options, FUNCTION.to_owned())
    }

    /// Returns party 1 for one function, which invokes the cosigner by its alias, as in AWS.
    #[must_use]
    pub fn custody_of(&self, options: &Options, function: &str) -> Custody {
        self.custody_at(options, format!("{}:{function}", FUNCTION))
    }

    fn custody_at(&self, options: &Options, cosigner_function: String) -> Custody {
        let aws = options.aws(&self.dynamodb, &self.kms, &self.lambda);
        let store = StoreConfig { table: WALLETS_TABLE.to_owned() };
        let config = CustodyConfig {
            kms_key_id: options.wallets_key().to_owned(),
            cosigner_function,
            caller: "local".to_owned(),
            refresh: RefreshBy::ThisProcess(format!("{}:refresh-shares", FUNCTION)),
        };
        Custody::new(&aws, &store, &config, options.clock.clone(), options.random.clone())
            .with_recovery(options.recovery.endpoint.clone(), RECOVERY_TABLE, LOCAL_DEPLOYMENT)
    }

    /// Returns the payment policies for one function, which invokes the cosigner by its alias, as in
    /// AWS.
    #[must_use]
    pub fn policy_chain(&self, options: &Options, function: &str) -> PolicyChain {
        PolicyChain::new(self.custody_of(options, function).cosigner, options.clock.clone())
    }

    /// What admits tenant keys by their records, with a client of its own.
    #[must_use]
    pub fn access(&self, options: &Options) -> Access {
        let store = self.custody(options).store;
        Access::new(store, options.keys_without_record, options.clock.clone())
    }

    /// Returns the administration of tenant keys, with its own clients.
    #[must_use]
    pub fn key_admin(&self, options: &Options) -> KeyAdmin {
        let aws = Aws::local(&self.dynamodb, &self.kms, &self.lambda);
        let aws = aws.with_api_gateway(&self.api_gateway);
        let store = self.custody(options).store;
        let (clock, random) = (options.clock.clone(), options.random.clone());
        KeyAdmin::new(store, &aws, ("hyperdex", None), clock, random)
    }

    /// Returns the queue of deliveries, with clients of its own.
    pub(crate) fn deliveries(&self) -> Deliveries {
        let aws = Aws::local(&self.dynamodb, &self.kms, &self.lambda).with_sqs(&self.deliveries);
        Deliveries::new(SqsClient::new(&aws), &self.deliveries)
    }

    /// Returns the functions that the stream and the queue invoke.
    ///
    /// # Errors
    /// Returns an error when a client cannot be created.
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

    /// Returns the settings of Hyperliquid's clients.
    pub(crate) fn hyperliquid_config(&self, options: &Options) -> HyperliquidConfig {
        HyperliquidConfig {
            url: self.hyperliquid.clone(),
            chain: options.hyperliquid.chain,
            validity_ms: MAX_AGENT_VALIDITY_MS,
            call_timeout_ms: options.exchange_timeout_ms,
            return_private_key: options.return_private_key,
            builder: options.hyperliquid.builder,
        }
    }

    /// Returns the settings of Lighter's clients.
    pub(crate) fn lighter_config(&self, options: &Options) -> LighterConfig {
        LighterConfig {
            url: self.lighter.clone(),
            chain_id: options.lighter.chain_id,
            call_timeout_ms: options.exchange_timeout_ms,
            keys_in_query: options.lighter.keys_in_query,
        }
    }

    /// Returns the settings of Aster's clients.
    pub(crate) fn aster_config(&self, options: &Options) -> AsterConfig {
        AsterConfig {
            url: self.aster.clone(),
            spot_url: aster_spot_url(&self.aster),
            public_url: aster_public_url(&self.aster),
            signature_chain_id: options.aster.signature_chain_id,
            chain: options.aster.chain,
            ip_whitelist: None,
            validity_ms: MAX_AGENT_VALIDITY_MS,
            call_timeout_ms: options.exchange_timeout_ms,
            // The simulator supports both versions.
            v1_url: options.aster.v1.then(|| aster_spot_url(&self.aster)),
            builder: options.aster.builder,
        }
    }

    /// Returns the registrars of all exchanges, with clients of their own. Jobs use those of the
    /// renewal, because the reconciliation does not invoke the cosigner.
    #[must_use]
    pub fn registrars(&self, options: &Options, spender: Spender) -> Registrars {
        let clock = &options.clock;
        let hyperliquid = hyperliquid::Client::new(&self.hyperliquid_config(options), clock);
        let aster = aster::Client::new(&self.aster_config(options), clock);
        let custody = match spender {
            Spender::Job => self.custody_of(options, "renew-apikeys"),
            // Each function has its own: see `routes`.
            Spender::Caller => self.custody(options),
        };
        let budget = &options.budget;
        Registrars {
            aster: Registrar::aster(custody.clone(), aster, budget, spender),
            hyperliquid: Registrar::hyperliquid(custody, hyperliquid, budget, spender),
        }
    }
}

impl Endpoints {
    /// Returns the orders of all exchanges, with clients of their own.
    #[must_use]
    pub fn traders(&self, options: &Options, spender: Spender) -> Traders {
        let parts = || {
            let Custody { store, envelope, clock, random, .. } = self.custody(options);
            let order_timeout_ms = options.order_timeout_ms;
            TraderParts {
                store,
                envelope,
                clock,
                random,
                budget: options.budget.clone(),
                spender,
                config: TradeConfig { order_timeout_ms, ..TradeConfig::default() },
            }
        };
        Traders {
            aster: Trader::aster(parts(), &self.aster_config(options)),
            hyperliquid: Trader::hyperliquid(parts(), &self.hyperliquid_config(options)),
            lighter: Trader::lighter(parts(), &self.lighter_config(options)),
            payments: self.payments(options, spender),
        }
    }

    /// Returns the payments at all places, with clients of their own.
    fn payments(&self, options: &Options, spender: Spender) -> Payments {
        let parts = || {
            let Custody { store, envelope, clock, random, .. } = self.custody(options);
            TrackerParts {
                store,
                envelope,
                keys: TradeConfig::default().keys,
                chains: self.chains(&clock),
                clock,
                random,
                budget: options.budget.clone(),
                spender,
                send_timeout_ms: options.order_timeout_ms,
                networks: Networks {
                    hyperliquid: options.hyperliquid.chain,
                    aster: options.aster.chain,
                },
            }
        };
        let aster = Tracker::aster(parts(), &self.aster_config(options));
        let hyperliquid = Tracker::hyperliquid(parts(), &self.hyperliquid_config(options));
        let evm = Tracker::evm(parts());
        let job = |function, tracker: &Tracker| PaymentJob {
            tracker: tracker.clone(),
            cosigner: self.custody_of(options, function).cosigner,
        };
        let jobs = vec![
            job("resolve-orders-aster", &aster),
            job("resolve-orders-hyperliquid", &hyperliquid),
            job("resolve-orders-aster", &evm),
        ];
        Payments { aster, hyperliquid, evm, jobs }
    }

    /// Returns the clients of the chains that the stack can reach.
    fn chains(&self, clock: &Clock) -> Chains {
        let base = self.chains.as_str().trim_end_matches('/');
        let url = |id| Some((id, Url::parse(&format!("{base}/{id}")).ok()?));
        Chains::new(CHAIN_IDS.into_iter().filter_map(url), clock)
    }
}
