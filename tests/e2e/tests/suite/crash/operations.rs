//! Kills an operation at each of its remote calls. The next call finishes the operation, nothing is
//! lost or left over, and the stored key works.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests report what they cover")]

use std::sync::atomic::{AtomicUsize, Ordering};

use domain::ids::Exchange;
use e2e::kill::{Call, Harness, Row, ended};
use e2e::proxy::Side;
use e2e::{DAY_MS, invariants};
use shared::store::CredentialRecord;

const USER: &str = "user_1";

/// Prints the rows and writes them to this file in the temporary directory of the tests.
fn report(file: &str, rows: &[Row]) {
    let lines: Vec<String> = rows.iter().map(Row::to_string).collect();
    let table = format!("{}\n{}\n", Row::HEAD, lines.join("\n"));
    println!("{table}");
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
    std::fs::write(path, table).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn wallet_killed_at_any_call_is_finished_by_the_retry() {
    let h = Harness::start().await;
    let users = AtomicUsize::new(0);
    let row = h.drive(
        "create a wallet",
        async || Call::create(&format!("user_{}", users.fetch_add(1, Ordering::SeqCst))),
        ended::created,
        async |call| {
            // Both shares exist: they produce a signature of this wallet.
            let signed = h.finish(&Call::sign(&call.user), ended::done).await;
            let view = invariants::view(&h.app, &call.user).await;
            assert_eq!(signed[0].text("/address"), view.wallet.address.to_string());
        },
    );
    report("kill-points-wallet.md", &[row.await]);
}

/// A wallet and an exchange for all tests of a credential.
struct Scene {
    h: Harness,
    exchange: Exchange,
}

impl Scene {
    async fn start(exchange: Exchange) -> Self {
        let h = Harness::start().await;
        h.app.wallet(USER).await;
        Self { h, exchange }
    }

    async fn registered(&self) {
        self.h.finish(&Call::register(self.exchange, USER), ended::registered).await;
    }

    /// Registers a credential and advances the clock to ten days before its expiry.
    async fn expiring(&self) -> CredentialRecord {
        self.registered().await;
        let record = self.credential().await;
        let left_ms = record.expires_at_ms - self.h.app.clock.now_ms();
        self.h.app.clock.advance_ms(left_ms - 10 * DAY_MS);
        record
    }

    async fn credential(&self) -> CredentialRecord {
        let view = invariants::view(&self.h.app, USER).await;
        view.credential(self.exchange).unwrap().clone()
    }

    /// Checks that exactly one credential exists and that it works.
    async fn works(&self) {
        invariants::assert_one_active(&self.h.app, USER, self.exchange).await;
        // Ends the waiting time between removals at the exchange.
        self.h.app.clock.advance_ms(120_000);
    }

    /// Checks that nothing is left in the store or at the exchange.
    async fn gone(&self) {
        invariants::assert_none_left(&self.h.app, USER, self.exchange).await;
        self.h.app.clock.advance_ms(120_000);
    }

    /// Runs the job, which removes agents that an interrupted rotation left behind.
    async fn rotated(&self) {
        self.h.finish(&Call::renewal(USER), ended::idle).await;
        self.works().await;
    }

    /// Kills the call's process at this request to the exchange.
    async fn killed_at(&self, call: Call, name: &str, side: Side) -> Call {
        self.h.kill(&call, name, 1, side).await;
        self.h.app.clock.advance_ms(30_001);
        call
    }

    const fn approval(&self) -> &'static str {
        match self.exchange {
            Exchange::Aster => "Aster.POST registerAndApproveAgent",
            Exchange::Hyperliquid => "Hyperliquid.approveAgent",
            Exchange::Lighter => unreachable!(),
        }
    }
}

async fn registration(exchange: Exchange) {
    let scene = Scene::start(exchange).await;
    let call = || Call::register(exchange, USER);
    let check = async |_: &Call| {
        scene.works().await;
        invariants::erase_credential(&scene.h.app, USER, exchange).await;
        scene.gone().await;
    };
    let (h, sends) = (&scene.h, scene.approval());
    let rows = [
        h.drive("register", async || call(), ended::registered, check).await,
        h.drive(
            "register, killed before the approval was sent",
            async || scene.killed_at(call(), sends, Side::Before).await,
            ended::registered,
            check,
        )
        .await,
        h.drive(
            "register, killed after the approval was sent",
            async || scene.killed_at(call(), sends, Side::After).await,
            ended::registered,
            check,
        )
        .await,
    ];
    report(&format!("kill-points-register-{exchange}.md"), &rows);
}

async fn rotation(exchange: Exchange) {
    let scene = Scene::start(exchange).await;
    let prepare = async || {
        scene.registered().await;
        Call::rotate(exchange, USER)
    };
    let check = async |_: &Call| scene.rotated().await;
    let mut rows = vec![scene.h.drive("rotate", prepare, ended::done, check).await];
    if exchange == Exchange::Hyperliquid {
        invariants::fill_agent_slots(&scene.h.app, USER).await;
        // The new agent replaces the old one by its name.
        let name = std::sync::Mutex::new(String::new());
        let prepare = async || {
            let call = prepare().await;
            *name.lock().unwrap() = scene.credential().await.agent_name;
            call
        };
        let check = async |_: &Call| {
            assert_eq!(scene.credential().await.agent_name, *name.lock().unwrap());
            scene.rotated().await;
        };
        rows.push(scene.h.drive("rotate, no free slot", prepare, ended::done, check).await);
    }
    report(&format!("kill-points-rotate-{exchange}.md"), &rows);
}

async fn deletion(exchange: Exchange) {
    let scene = Scene::start(exchange).await;
    let prepare = async || {
        scene.registered().await;
        Call::delete(exchange, USER)
    };
    let check = async |_: &Call| scene.gone().await;
    let row = scene.h.drive("delete", prepare, ended::deleted, check).await;
    report(&format!("kill-points-delete-{exchange}.md"), &[row]);
}

async fn renewal(exchange: Exchange) {
    let scene = Scene::start(exchange).await;
    let before = std::sync::Mutex::new(String::new());
    let prepare = async || {
        *before.lock().unwrap() = scene.expiring().await.agent_name;
        Call::renewal(USER)
    };
    let check = async |_: &Call| {
        assert_ne!(scene.credential().await.agent_name, *before.lock().unwrap());
        scene.works().await;
    };
    let row = scene.h.drive("renewal job", prepare, ended::idle, check).await;
    report(&format!("kill-points-renew-{exchange}.md"), &[row]);
}

/// If callers hold the keys, a renewal keeps the old key valid until it expires, even if the job is
/// killed.
#[tokio::test(flavor = "multi_thread")]
async fn renewal_of_delivered_keys_killed_keeps_the_old_key() {
    let scene = Scene::start(Exchange::Hyperliquid).await;
    let before = std::sync::Mutex::new(String::new());
    let prepare = async || {
        *before.lock().unwrap() = scene.expiring().await.agent_name;
        Call::renewal_of_handed_out(USER)
    };
    let check = async |call: &Call| {
        let old = before.lock().unwrap().clone();
        let new = scene.credential().await.agent_name;
        let view = invariants::view(&scene.h.app, USER).await;
        let mut agents: Vec<String> =
            invariants::agents(&scene.h.app, &view, Exchange::Hyperliquid)
                .into_iter()
                .map(|(name, _)| name)
                .collect();
        agents.sort();
        assert_eq!(agents, [old, new]);
        scene.h.app.clock.advance_ms(12 * DAY_MS);
        scene.h.finish(call, ended::idle).await;
        scene.works().await;
    };
    let job = "renewal job, keys handed out";
    let row = scene.h.drive(job, prepare, ended::idle, check).await;
    report("kill-points-renew-handed-out.md", &[row]);
}

/// Kills the retry of a killed operation as well. It tests random pairs and prints each one. All
/// pairs take some minutes with `EVERY_CASE=1`.
#[tokio::test(flavor = "multi_thread")]
async fn operation_killed_twice_is_finished_by_the_retry() {
    for exchange in [Exchange::Hyperliquid, Exchange::Aster] {
        let scene = Scene::start(exchange).await;
        let rested = async || invariants::refresh_if_worn(&scene.h.app, USER).await;
        let registered = async |call: Call| {
            rested().await;
            scene.registered().await;
            call
        };
        let works = async |_: &Call| {
            scene.works().await;
            invariants::erase_credential(&scene.h.app, USER, exchange).await;
            scene.gone().await;
        };
        let rotated = async |_: &Call| scene.rotated().await;
        let gone = async |_: &Call| scene.gone().await;
        let h = &scene.h;
        let register = async || {
            rested().await;
            Call::register(exchange, USER)
        };
        let rotate = async || registered(Call::rotate(exchange, USER)).await;
        let delete = async || registered(Call::delete(exchange, USER)).await;
        let mut rows = vec![
            h.drive_pairs("register", register, ended::registered, works).await,
            h.drive_pairs("delete", delete, ended::deleted, gone).await,
            h.drive_pairs("rotate", rotate, ended::done, rotated).await,
        ];
        if exchange == Exchange::Hyperliquid {
            invariants::fill_agent_slots(&scene.h.app, USER).await;
            rows.push(h.drive_pairs("rotate, no slot", rotate, ended::done, rotated).await);
        }
        report(&format!("kill-pairs-{exchange}.md"), &rows);
    }
}

on_both! {
    registration: hyperliquid_registration_killed_finished_by_retry, aster_registration_killed_is_finished_by_retry;
    rotation: hyperliquid_rotation_killed_is_finished_by_retry, aster_rotation_killed_is_finished_by_retry;
    deletion: hyperliquid_deletion_killed_is_finished_by_retry, aster_deletion_killed_is_finished_by_retry;
    renewal: hyperliquid_renewal_killed_is_finished_by_next_run, aster_renewal_killed_is_finished_by_next_run;
}
