//! An operation that dies at any of its remote calls is finished by the next call: nothing is
//! lost, nothing is left over, and the stored key is the one that works.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test says what it found")]

use std::sync::atomic::{AtomicUsize, Ordering};

use e2e::kill::{Call, Harness, Row};
use e2e::proxy::{Kill, Side};
use e2e::{DAY_MS, Reply, invariants};
use shared::api::ids::Exchange;

/// Says what came of it, and keeps it as `kill-points-….md` in the tests' own directory.
fn report(file: &str, rows: &[Row]) {
    let lines: Vec<String> = rows.iter().map(Row::to_string).collect();
    let table = format!("{}\n{}\n", Row::HEAD, lines.join("\n"));
    println!("{table}");
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
    std::fs::write(path, table).unwrap();
}

fn created(reply: &Reply) -> bool {
    matches!(reply.status, 200 | 201)
}

fn registered(reply: &Reply) -> bool {
    reply.status == 200 || reply.text("/code") == "API_KEY_EXISTS"
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet() {
    let h = Harness::start().await;
    let users = AtomicUsize::new(0);
    let row = h.drive(
        "create a wallet",
        async || Call::create(&format!("user_{}", users.fetch_add(1, Ordering::SeqCst))),
        created,
        async |call| {
            // Both shares are there: they sign, and the signature is the wallet's.
            let signed = h.finish(&Call::sign(&call.user), |reply| reply.status == 200).await;
            let view = invariants::view(&h.app, &call.user).await;
            assert_eq!(signed[0].text("/address"), view.wallet.address.to_string());
        },
    );
    report("kill-points-wallet.md", &[row.await]);
}

async fn registration(exchange: Exchange) {
    let h = Harness::start().await;
    let mut rules = h.app.stack.aster_sim.rules();
    rules.max_agents = 1_000;
    h.app.stack.aster_sim.set_rules(rules);
    h.app.wallet("user_1").await;
    let call = Call::register(exchange.as_str(), "user_1");
    let check = async |call: &Call| {
        invariants::one_that_works(&h.app, &call.user, exchange).await;
        invariants::forget(&h.app, &call.user, exchange).await;
        h.app.clock.advance_ms(181 * DAY_MS);
    };
    let sends = if exchange == Exchange::Aster {
        "Aster.POST registerAndApproveAgent"
    } else {
        "Hyperliquid.approveAgent"
    };
    let dead_at_send = async |side| {
        let process = h.proxy.process(Some(Kill::Named(sends.to_owned(), 1, side)));
        assert!(h.call(&process, &call).await.is_none());
        process.settled().await;
        h.app.clock.advance_ms(30_001);
        call.clone()
    };
    let rows = [
        h.drive("register", async || call.clone(), registered, check).await,
        h.drive(
            "register, after a death before the approval was sent",
            async || dead_at_send(Side::Before).await,
            registered,
            check,
        )
        .await,
        h.drive(
            "register, after a death when it was sent",
            async || dead_at_send(Side::After).await,
            registered,
            check,
        )
        .await,
    ];
    report(&format!("kill-points-register-{exchange}.md"), &rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_with_hyperliquid() {
    registration(Exchange::Hyperliquid).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_with_aster() {
    registration(Exchange::Aster).await;
}
