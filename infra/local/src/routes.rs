//! The routers of all functions on one port.

use axum::{Extension, Router};
use create_webhook::CreateWebhook;
use delete_apikey::DeleteApiKeys;
use get_apikey::GetApiKey;
use list_deliveries::ListDeliveries;
use list_tenant_keys::ListTenantKeys;
use register_hyperliquid::RegisterHyperliquid;
use replay_webhook::ReplayWebhook;
use rotate_apikey::RotateApiKey;
use shared::api::cors::Cors;
use shared::api::idempotency::Memory;
use shared::api::middleware::with_middleware;
use shared::credentials::{Registrar, Registrars};
use shared::exchanges::ExchangeClient;
use shared::exchanges::budget::Spender;
use shared::orders::Resolvers;
use shared::wallets::Custody;
use shared::webhooks::{Replayer, Tester, Webhooks};
use test_webhook::TestWebhook;
use tower::limit::GlobalConcurrencyLimitLayer;
use update_webhook::UpdateWebhook;

use crate::endpoints::Endpoints;
use crate::error::StartError;
use crate::gateway::{gateway, known_paths};
use crate::options::Options;
use crate::payments;
use crate::trading;
use crate::workers;

fn tenant_keys(options: &Options, endpoints: &Endpoints) -> Router {
    let custody = endpoints.custody(options);
    let list = ListTenantKeys { store: custody.store.clone(), clock: options.clock.clone() };
    let memory = Memory::from(custody);
    let admin = endpoints.key_admin(options);
    Router::new()
        .merge(list_tenant_keys::router(list))
        .merge(create_tenant_key::router(admin.clone(), memory.clone()))
        .merge(rotate_tenant_key::router(admin.clone(), memory.clone()))
        .merge(revoke_tenant_key::router(admin, memory))
}

fn webhooks(options: &Options, endpoints: &Endpoints) -> Router {
    let Custody { store, envelope, clock, random, .. } = endpoints.custody(options);
    let memory = Memory {
        store: store.clone(),
        envelope: envelope.clone(),
        clock: clock.clone(),
        random: random.clone(),
    };
    let replayer = Replayer {
        store: store.clone(),
        deliveries: endpoints.deliveries(),
        clock: options.clock.clone(),
    };
    let tester = Tester {
        store: store.clone(),
        deliveries: endpoints.deliveries(),
        clock: options.clock.clone(),
        random: options.random.clone(),
    };
    let list = ListDeliveries { store: store.clone(), clock: clock.clone() };
    let update = UpdateWebhook {
        store: store.clone(),
        targets: options.webhook_targets,
        clock: clock.clone(),
    };
    Router::new()
        .merge(list_webhooks::router(store.clone()))
        .merge(list_deliveries::router(list))
        .merge(update_webhook::router(update))
        .merge(test_webhook::router(TestWebhook { tester, memory: memory.clone() }))
        .merge(create_webhook::router(CreateWebhook {
            webhooks: Webhooks { store, envelope, clock, random },
            targets: options.webhook_targets,
        }))
        .merge(delete_webhook::router(memory.clone()))
        .merge(replay_webhook::router(ReplayWebhook { replayer, memory }))
}

fn policy(options: &Options, endpoints: &Endpoints) -> Router {
    let chain = |function| endpoints.policy_chain(options, function);
    Router::new()
        .merge(get_policy::router(chain("get-policy")))
        .merge(propose_policy_change::router(chain("propose-policy-change")))
        .merge(approve_policy_change::router(chain("approve-policy-change")))
        .merge(cancel_policy_change::router(chain("cancel-policy-change")))
}

/// Returns the functions that sign or call an exchange with a wallet's key.
fn signing(options: &Options, endpoints: &Endpoints) -> Router {
    let custody = |function: &str| endpoints.custody_of(options, function);
    let registrars = endpoints.registrars(options, Spender::Caller);
    // All functions share one client of each exchange, and therefore its circuit.
    let (aster, hyperliquid) = (&registrars.aster.client, &registrars.hyperliquid.client);
    let registrar = |client: &ExchangeClient, function| {
        let client = client.clone();
        Registrar { custody: custody(function), client }
    };
    let registrars = |function| Registrars {
        aster: registrar(aster, function),
        hyperliquid: registrar(hyperliquid, function),
    };
    let traders = endpoints.traders(options, Spender::Caller);
    let resolvers = Resolvers::new(traders.aster, traders.hyperliquid);
    let return_private_key = options.return_private_key;
    let creator = custody("create-wallet").with_quota(options.wallets_per_tenant);
    Router::new()
        // In AWS each creation runs in its own instance. Here they run one after the other, so that
        // many concurrent creations are slow but do not fail.
        .merge(create_wallet::router(creator).layer(GlobalConcurrencyLimitLayer::new(
            std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        )))
        .merge(sign_message::router(custody("sign-message")))
        .merge(register_aster::router(registrar(aster, "register-aster")))
        .merge(register_hyperliquid::router(RegisterHyperliquid {
            registrar: registrar(hyperliquid, "register-hyperliquid"),
            return_private_key,
        }))
        .merge(delete_apikey::router(DeleteApiKeys {
            registrars: registrars("delete-apikey"),
            resolvers: resolvers.clone(),
        }))
        .merge(rotate_apikey::router(RotateApiKey {
            registrars: registrars("rotate-apikey"),
            resolvers,
            return_private_key,
        }))
        .merge(list_agents::router(registrars("list-agents")))
        .merge(delete_agent::router(registrars("delete-agent")))
        .merge(payments::functions(traders.payments, custody))
}

/// Returns the functions that neither sign with a wallet's key nor call an exchange with it.
fn others(options: &Options, endpoints: &Endpoints) -> Router {
    let store = endpoints.custody(options).store;
    let traders = endpoints.traders(options, Spender::Caller);
    Router::new()
        .merge(health::router(options.recovery.is_complete()))
        .merge(get_wallet::router(store.clone()))
        .merge(list_wallets::router(store.clone()))
        .merge(get_apikey::router(GetApiKey { store, clock: options.clock.clone() }))
        .merge(exchange_guidance::router(platform::networks::Networks {
            hyperliquid: options.hyperliquid.chain,
            aster: options.aster.chain,
        }))
        .merge(trading::functions(traders, endpoints.custody(options), options))
        .merge(webhooks(options, endpoints))
        .merge(tenant_keys(options, endpoints))
        .merge(policy(options, endpoints))
}

/// Returns the routers of all functions on one port, behind the same middleware as in AWS. The
/// functions that sign have clients of their own, because a client's connections belong to the
/// threads that opened them.
///
/// # Errors
/// Returns an error when a client cannot be created.
pub fn routes(options: &Options, endpoints: &Endpoints) -> Result<Router, StartError> {
    let access = endpoints.access(options);
    let of_signing = match &options.workers {
        Some(_) => endpoints.access(options),
        None => access.clone(),
    };
    let signing = signing(options, endpoints).layer(Extension(of_signing));
    let signing = workers::on(options.workers.as_ref(), signing);
    let routes = others(options, endpoints).layer(Extension(access)).merge(signing);
    let (clock, random) = (&options.clock, &options.random);
    let routes = with_middleware(routes, clock.clone(), random.clone());
    let cors = Cors::new(options.allowed_origins.clone(), clock.clone(), random.clone());
    Ok(known_paths(gateway(routes, options).layer(cors), options))
}
