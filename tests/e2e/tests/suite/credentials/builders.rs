//! Approvals of the deployment's builder by registrations and rotations.

#![expect(clippy::unwrap_used, reason = "a failing test panics")]

use domain::builder::Builder;
use domain::ids::Exchange;
use e2e::kill::{Call, Harness};
use e2e::proxy::{Arrival, Fate};
use e2e::{TestApp, invariants};
use exchange_sim::Address;
use exchange_sim::faults::Fault;
use hyperdex_local::Options;

const BUILDER: &str = "0x8c967E73E7B15087c42A10D344cFf4c96D877f1D";
const USER: &str = "user_1";
const EXCHANGES: [&str; 2] = ["hyperliquid", "aster"];

fn builder(tenths: u16) -> Option<Builder> {
    Some(Builder { address: BUILDER.parse().unwrap(), fee: tenths.try_into().unwrap() })
}

fn set(options: &mut Options, builder: Option<Builder>) {
    (options.hyperliquid.builder, options.aster.builder) = (builder, builder);
}

async fn start() -> TestApp {
    let app = TestApp::start_with(|options| set(options, builder(50))).await;
    app.wallet(USER).await;
    app
}

/// Returns the fee in tenths of a basis point that the wallet's credential states.
async fn recorded(app: &TestApp, exchange: &str) -> Option<u16> {
    let view = invariants::view(app, USER).await;
    let exchange = if exchange == "aster" { Exchange::Aster } else { Exchange::Hyperliquid };
    let approved = view.credential(exchange).unwrap().builder?;
    assert_eq!(approved.address.to_string(), BUILDER);
    Some(approved.fee.tenths())
}

/// Returns the fee that the exchange has, in its own form.
async fn approved(app: &TestApp, exchange: &str) -> Option<String> {
    let wallet = invariants::view(app, USER).await.wallet.address.to_string();
    let (wallet, builder): (Address, Address) = (wallet.parse().unwrap(), BUILDER.parse().unwrap());
    match exchange {
        "aster" => app.stack.aster_sim.builder_rate_of(wallet, builder),
        _ => {
            let tenths = app.stack.hyperliquid_sim.builder_fee_of(wallet, builder);
            (tenths > 0).then(|| tenths.to_string())
        }
    }
}

fn in_form(exchange: &str, tenths: u16) -> Option<String> {
    let rate = shared_rate(tenths);
    Some(if exchange == "aster" { rate } else { tenths.to_string() })
}

fn shared_rate(tenths: u16) -> String {
    format!("0.{tenths:05}").trim_end_matches('0').to_owned()
}

fn fail(app: &TestApp, exchange: &str, fault: &Fault) {
    match exchange {
        "aster" => app.stack.aster_sim.fail_next("approveBuilder", fault.clone()),
        _ => app.stack.hyperliquid_sim.fail_next("approveBuilderFee", fault.clone()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn register_approves_the_builder() {
    let app = start().await;
    for exchange in EXCHANGES {
        assert_eq!(app.register(exchange, USER).await.status, 200);
        assert_eq!(approved(&app, exchange).await, in_form(exchange, 50), "{exchange}");
        assert_eq!(recorded(&app, exchange).await, Some(50));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn register_without_builder_approves_none() {
    let app = TestApp::start().await;
    app.wallet(USER).await;
    for exchange in EXCHANGES {
        assert_eq!(app.register(exchange, USER).await.status, 200);
        assert_eq!(approved(&app, exchange).await, None, "{exchange}");
        assert_eq!(recorded(&app, exchange).await, None);
    }
}

/// The approval arrived, so the exchange has it, and a question finds it.
#[tokio::test(flavor = "multi_thread")]
async fn lost_response_to_the_builder_is_looked_up() {
    let app = start().await;
    for exchange in EXCHANGES {
        fail(&app, exchange, &Fault::AppliedButLost);
        assert_eq!(app.register(exchange, USER).await.status, 200);
        assert_eq!(approved(&app, exchange).await, in_form(exchange, 50), "{exchange}");
        assert_eq!(recorded(&app, exchange).await, Some(50));
    }
}

/// A trading key works without a builder. The next rotation approves it.
#[tokio::test(flavor = "multi_thread")]
async fn failed_builder_leaves_a_working_key_and_rotation_repeats_it() {
    let app = start().await;
    for exchange in EXCHANGES {
        fail(&app, exchange, &Fault::Status(500, String::new()));
        assert_eq!(app.register(exchange, USER).await.status, 200);
        assert_eq!((approved(&app, exchange).await, recorded(&app, exchange).await), (None, None));
        app.clock.advance_ms(120_000);
        assert_eq!(app.rotate(exchange, USER).await.status, 200);
        assert_eq!(approved(&app, exchange).await, in_form(exchange, 50), "{exchange}");
        assert_eq!(recorded(&app, exchange).await, Some(50));
    }
}

/// Removes the approval at the exchange.
async fn withdraw(app: &TestApp, exchange: &str) {
    let wallet = invariants::view(app, USER).await.wallet.address.to_string();
    let (wallet, builder): (Address, Address) = (wallet.parse().unwrap(), BUILDER.parse().unwrap());
    match exchange {
        "aster" => app.stack.aster_sim.remove_builder(wallet, builder),
        _ => app.stack.hyperliquid_sim.set_builder_fee(wallet, builder, 0),
    }
}

/// Returns the number of approvals that the exchange has received.
fn approvals(app: &TestApp, exchange: &str) -> usize {
    let (requests, kinds) = match exchange {
        "aster" => (app.stack.aster_sim.requests(), ["approveBuilder", "updateBuilder"]),
        _ => (app.stack.hyperliquid_sim.requests(), ["approveBuilderFee"; 2]),
    };
    requests.iter().filter(|request| kinds.contains(&request.kind)).count()
}

/// The record states the builder, and its approval was removed elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn rotation_approves_a_removed_builder_again() {
    let app = start().await;
    for exchange in EXCHANGES {
        assert_eq!(app.register(exchange, USER).await.status, 200);
        app.clock.advance_ms(120_000);
        assert_eq!(app.rotate(exchange, USER).await.status, 200);
        assert_eq!(approvals(&app, exchange), 1, "{exchange}: a question was enough");
        withdraw(&app, exchange).await;
        app.clock.advance_ms(120_000);
        assert_eq!(app.rotate(exchange, USER).await.status, 200);
        assert_eq!(approved(&app, exchange).await, in_form(exchange, 50), "{exchange}");
        assert_eq!((approvals(&app, exchange), recorded(&app, exchange).await), (2, Some(50)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rotation_forgets_a_builder_that_cannot_be_approved_again() {
    let app = start().await;
    for exchange in EXCHANGES {
        assert_eq!(app.register(exchange, USER).await.status, 200);
        withdraw(&app, exchange).await;
        fail(&app, exchange, &Fault::Status(500, String::new()));
        app.clock.advance_ms(120_000);
        assert_eq!(app.rotate(exchange, USER).await.status, 200);
        assert_eq!(recorded(&app, exchange).await, None, "{exchange}");
    }
}

/// The operation took 21.7 seconds before the agent's approval, so no call of the exchange ends 8
/// seconds before the lease. The rest of the time is for storing the live agent.
#[tokio::test(flavor = "multi_thread")]
async fn slow_exchange_leaves_the_builder_to_the_next_rotation() {
    for exchange in Exchange::ALL {
        let harness = Harness::start_with(|options| set(options, builder(50))).await;
        harness.app.wallet(USER).await;
        let clock = harness.app.clock.clone();
        let plan = move |arrival: Arrival<'_>| {
            // It stores the pending agent under its lease.
            if arrival.name == "DynamoDB.TransactWriteItems" && arrival.nth_of_name == 1 {
                clock.advance_ms(21_700);
            }
            Fate::Pass
        };
        let process = harness.proxy.process_with(Box::new(plan));
        let call = Call::register(exchange, USER);
        let registered = harness.call(&process, &call).await.unwrap();
        assert_eq!(registered.status, 200, "{exchange}: {registered:?}");
        let name = exchange.as_str();
        assert_eq!((approvals(&harness.app, name), recorded(&harness.app, name).await), (0, None));
        harness.app.clock.advance_ms(120_000);
        assert_eq!(harness.app.rotate(name, USER).await.status, 200);
        assert_eq!(recorded(&harness.app, name).await, Some(50), "{exchange}");
    }
}

/// The cosigner's policy allows other builders only.
#[tokio::test(flavor = "multi_thread")]
async fn builder_that_the_policy_does_not_name_is_not_approved() {
    let app = TestApp::start_with(|options| {
        set(options, builder(50));
        let lower = options.policy_document().unwrap().replace("\"fee\":50", "\"fee\":49");
        options.cosigner_policy = Some(lower);
    })
    .await;
    app.wallet(USER).await;
    for exchange in EXCHANGES {
        assert_eq!(app.register(exchange, USER).await.status, 200);
        assert_eq!((approved(&app, exchange).await, recorded(&app, exchange).await), (None, None));
    }
}

/// A repeat changes nothing at the exchange: the credential was deleted, and the approval stayed.
#[tokio::test(flavor = "multi_thread")]
async fn builder_approved_before_is_approved_again() {
    let app = start().await;
    for exchange in EXCHANGES {
        assert_eq!(app.register(exchange, USER).await.status, 200);
        invariants::erase_credential(&app, USER, exchange_of(exchange)).await;
        app.clock.advance_ms(120_000);
        assert_eq!(app.register(exchange, USER).await.status, 200);
        assert_eq!(approved(&app, exchange).await, in_form(exchange, 50), "{exchange}");
        assert_eq!(recorded(&app, exchange).await, Some(50));
    }
}

fn exchange_of(name: &str) -> Exchange {
    if name == "aster" { Exchange::Aster } else { Exchange::Hyperliquid }
}
