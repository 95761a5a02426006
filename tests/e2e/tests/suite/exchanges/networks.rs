//! Tests that each exchange has its own network, and that every operation works on every pair of
//! networks.

#![expect(clippy::unwrap_used, reason = "a failing test panics")]

use domain::intent::HyperliquidChain::{self, Mainnet, Testnet};
use e2e::TestApp;

/// Registers, rotates and deletes a key of each exchange.
async fn every_operation_works(hyperliquid: HyperliquidChain, aster: HyperliquidChain) {
    let app = TestApp::start_with(|options| {
        options.hyperliquid.chain = hyperliquid;
        options.aster.chain = aster;
    })
    .await;
    app.wallet("user_1").await;
    for exchange in ["aster", "hyperliquid"] {
        let reply = app.register(exchange, "user_1").await;
        assert_eq!(reply.status, 200, "{hyperliquid:?}, {aster:?}: {reply:?}");
        // Hyperliquid accepts no approval for some seconds after a replacement.
        app.clock.advance_ms(10_000);
        let reply = app.rotate(exchange, "user_1").await;
        assert_eq!(reply.status, 200, "{hyperliquid:?}, {aster:?}: {reply:?}");
        app.clock.advance_ms(10_000);
        let reply = app.delete(exchange, "user_1").await;
        assert_eq!(reply.status, 200, "{hyperliquid:?}, {aster:?}: {reply:?}");
        let reply = app.api_key(exchange, "user_1").await;
        assert_eq!(reply.status, 404, "{hyperliquid:?}, {aster:?}: {reply:?}");
    }
    let address = app.wallet("user_1").await.text("/address").parse().unwrap();
    assert!(app.stack.aster_sim.agents_of(address).is_empty(), "{aster:?}");
    assert!(app.stack.hyperliquid_sim.agents_of(address).is_empty(), "{hyperliquid:?}");
}

#[tokio::test]
async fn testnet_keys_register_rotate_and_delete() {
    every_operation_works(Testnet, Testnet).await;
}

#[tokio::test]
async fn networks_of_the_exchanges_are_independent() {
    every_operation_works(Testnet, Mainnet).await;
    every_operation_works(Mainnet, Testnet).await;
}
