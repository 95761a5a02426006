//! Kills registrations and rotations that approve a builder at each of their remote calls. The retry
//! leaves one trading key, an approved builder, and a record that states it.

#![expect(clippy::unwrap_used, reason = "a failing test panics")]

use domain::builder::Builder;
use domain::ids::Exchange;
use e2e::invariants;
use e2e::kill::{Call, Harness, ended};
use exchange_sim::Address;

const USER: &str = "user_1";
const BUILDER: &str = "0x8c967E73E7B15087c42A10D344cFf4c96D877f1D";

async fn start() -> Harness {
    let fee = 50.try_into().unwrap();
    let builder = Some(Builder { address: BUILDER.parse().unwrap(), fee });
    let h = Harness::start_with(|options| {
        (options.hyperliquid.builder, options.aster.builder) = (builder, builder);
    });
    let h = h.await;
    h.app.wallet(USER).await;
    h
}

/// Checks that one trading key works, and that the record and the exchange agree on the builder.
async fn works(h: &Harness, exchange: Exchange) {
    invariants::assert_one_active(&h.app, USER, exchange).await;
    let view = invariants::view(&h.app, USER).await;
    let recorded = view.credential(exchange).unwrap().builder.unwrap();
    assert_eq!((recorded.address.to_string().as_str(), recorded.fee.tenths()), (BUILDER, 50));
    let wallet: Address = view.wallet.address.to_string().parse().unwrap();
    let builder: Address = BUILDER.parse().unwrap();
    match exchange {
        Exchange::Aster => {
            let rate = h.app.stack.aster_sim.builder_rate_of(wallet, builder);
            assert_eq!(rate.as_deref(), Some("0.0005"));
        }
        Exchange::Hyperliquid => {
            assert_eq!(h.app.stack.hyperliquid_sim.builder_fee_of(wallet, builder), 50);
        }
        Exchange::Lighter => unreachable!("no wallet is registered there"),
    }
    // Ends the waiting time between removals at the exchange.
    h.app.clock.advance_ms(120_000);
}

/// Removes the approval and the credential.
async fn erase(h: &Harness, exchange: Exchange) {
    let view = invariants::view(&h.app, USER).await;
    let wallet: Address = view.wallet.address.to_string().parse().unwrap();
    let builder: Address = BUILDER.parse().unwrap();
    match exchange {
        Exchange::Aster => h.app.stack.aster_sim.remove_builder(wallet, builder),
        Exchange::Hyperliquid => h.app.stack.hyperliquid_sim.set_builder_fee(wallet, builder, 0),
        Exchange::Lighter => unreachable!("no wallet is registered there"),
    }
    invariants::erase_credential(&h.app, USER, exchange).await;
    h.app.clock.advance_ms(120_000);
}

async fn registration(exchange: Exchange) {
    let h = start().await;
    let row = h.drive(
        "register with a builder",
        async || Call::register(exchange, USER),
        ended::registered,
        async |_: &Call| {
            works(&h, exchange).await;
            erase(&h, exchange).await;
        },
    );
    row.await;
}

/// The wallet was registered before the deployment had a builder: the rotation approves it.
async fn rotation(exchange: Exchange) {
    let h = start().await;
    let row = h.drive(
        "rotate to approve a builder",
        async || {
            h.finish(&Call::register(exchange, USER), ended::registered).await;
            invariants::forget_builder(&h.app, USER, exchange).await;
            Call::rotate(exchange, USER)
        },
        ended::done,
        async |_: &Call| {
            h.finish(&Call::renewal(USER), ended::idle).await;
            works(&h, exchange).await;
        },
    );
    row.await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hyperliquid_registration_with_builder_killed_is_finished() {
    registration(Exchange::Hyperliquid).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn aster_registration_with_builder_killed_is_finished() {
    registration(Exchange::Aster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hyperliquid_rotation_with_builder_killed_is_finished() {
    rotation(Exchange::Hyperliquid).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn aster_rotation_with_builder_killed_is_finished() {
    rotation(Exchange::Aster).await;
}
