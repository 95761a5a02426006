//! The exchanges' budgets: parts of tenants, the reserves, and what a call costs.

use domain::ids::{Exchange, Tenant};
use e2e::{DAY_MS, RENEW_LIMITS, TestApp};
use futures_util::future::join_all;
use hyperdex_local::Options;
use shared::exchanges::Sends;
use shared::exchanges::budget::{Budget, Busy, Claim, Spender};
use shared::store::{BudgetState, Pool};

use super::Client;

const EXCHANGES: [&str; 2] = ["aster", "hyperliquid"];
const APPROVAL: Sends = Sends { approvals: 1, removals: 0 };
const REMOVAL: Sends = Sends { approvals: 0, removals: 1 };

fn tenant(name: &str) -> Tenant {
    name.parse().unwrap()
}

/// Sends for a tenant until the budget refuses it, from another process, and returns the refusal.
async fn exhaust(app: &TestApp, claim: Claim<'_>, sends: Sends) -> [Busy; 2] {
    let registrars = app.endpoints().registrars(&app.options, Spender::Caller);
    let one = async |exchange| loop {
        if let Err(busy) = registrars.of(exchange).unwrap().client.admit(claim, sends).await {
            return busy;
        }
    };
    [one(Exchange::Aster).await, one(Exchange::Hyperliquid).await]
}

/// A stack with a small budget for Hyperliquid, whose calls weigh little.
async fn start(change: impl FnOnce(&mut Options)) -> TestApp {
    TestApp::start_with(|options| {
        options.budget.per_minute[Exchange::Hyperliquid] = 300;
        change(options);
    })
    .await
}

async fn state(app: &TestApp, exchange: Exchange) -> BudgetState {
    let (store, options) = (app.stack.custody.store.clone(), &app.options);
    let (clock, random) = (options.clock.clone(), options.random.clone());
    let budget = Budget::new(store, exchange, &options.budget, Spender::Caller, clock, random);
    budget.state().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn tenant_registers_while_its_neighbour_exhausts_its_part() {
    let app = start(|_| {}).await;
    let (greedy, victim) = (Client::new(&app, "greedy"), Client::new(&app, "victim"));
    for client in [&greedy, &victim] {
        for user in ["user_1", "user_2"] {
            assert_eq!(client.create(user).await.status, 201);
        }
    }
    for minute in 0..3 {
        let refused = exhaust(&app, Claim::of(&tenant("greedy")), APPROVAL).await;
        for busy in &refused {
            assert!(matches!(busy, Busy::TenantLimited { .. }), "{busy:?}");
        }
        for exchange in EXCHANGES {
            let refused = greedy.register(exchange, "user_1").await;
            assert_eq!((refused.status, refused.text("/code")), (429, "EXCHANGE_RATE_LIMIT"));
            assert!(refused.text("/message").starts_with("Your part of"), "{refused:?}");
            let wait = refused.retry_after_s().unwrap();
            assert!((1..=70).contains(&wait), "{wait}");
            assert_eq!(greedy.key_of(exchange, "user_1").await.status, 404);
            for user in ["user_1", "user_2"] {
                let made = victim.register(exchange, user).await;
                assert_eq!(made.status, 200, "minute {minute}: {made:?}");
                let rotated = victim.rotate(exchange, user).await;
                assert_eq!(rotated.status, 200, "minute {minute}: {rotated:?}");
            }
        }
        app.clock.advance_ms(35_000);
        for (exchange, user) in
            EXCHANGES.iter().flat_map(|it| ["user_1", "user_2"].map(|user| (it, user)))
        {
            let gone = victim.delete(exchange, user).await;
            assert_eq!(gone.status, 200, "minute {minute}: {gone:?}");
        }
        // To the slot of ten seconds, a minute is over.
        app.clock.advance_ms(35_000);
    }
    // What the neighbour has used is forgotten after a minute.
    app.clock.advance_ms(70_000);
    assert_eq!(greedy.register("aster", "user_1").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn revocation_works_when_everything_else_is_exhausted() {
    // One tenant may leave nothing to others.
    let app = start(|options| options.budget.tenant_percent = 100).await;
    let victim = Client::new(&app, "victim");
    assert_eq!(victim.create("user_1").await.status, 201);
    for exchange in EXCHANGES {
        assert_eq!(victim.register(exchange, "user_1").await.status, 200);
    }
    let refused = exhaust(&app, Claim::of(&tenant("greedy")), APPROVAL).await;
    assert!(refused.iter().all(|busy| matches!(busy, Busy::Limited { .. })), "{refused:?}");
    for exchange in EXCHANGES {
        let refused = victim.rotate(exchange, "user_1").await;
        assert_eq!((refused.status, refused.text("/code")), (429, "EXCHANGE_RATE_LIMIT"));
        assert_eq!(victim.key_of(exchange, "user_1").await.text("/data/state"), "active");
        let gone = victim.delete(exchange, "user_1").await;
        assert_eq!(gone.status, 200, "{gone:?}");
    }
    for exchange in Exchange::ALL {
        assert_eq!(state(&app, exchange).await.used_of(Pool::Removals), 1, "{exchange}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn removals_of_one_tenant_leave_room_for_those_of_another() {
    let app = start(|options| options.budget.per_minute[Exchange::Aster] = 960).await;
    let victim = Client::new(&app, "victim");
    assert_eq!(victim.create("user_1").await.status, 201);
    for exchange in EXCHANGES {
        assert_eq!(victim.register(exchange, "user_1").await.status, 200);
    }
    for claim in [Claim::of(&tenant("greedy")), Claim::removal(&tenant("greedy"))] {
        let refused = exhaust(&app, claim, REMOVAL).await;
        assert!(refused.iter().all(|it| matches!(it, Busy::TenantLimited { .. })), "{refused:?}");
    }
    for exchange in EXCHANGES {
        assert_eq!(victim.delete(exchange, "user_1").await.status, 200);
        assert_eq!(victim.register(exchange, "user_1").await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn renewal_is_fair_and_has_a_reserve() {
    let app = start(|options| options.budget.per_minute[Exchange::Aster] = 2_400).await;
    let (many, one) = (Client::new(&app, "many"), Client::new(&app, "one"));
    for (client, users) in [(&many, &["a", "b", "c", "d"][..]), (&one, &["a"])] {
        for user in users {
            assert_eq!(client.create(user).await.status, 201);
            assert_eq!(client.register("aster", user).await.status, 200);
            app.clock.advance_ms(30_000);
        }
    }
    let before = one.key_of("aster", "a").await;
    app.clock.advance_ms(170 * DAY_MS);
    // A caller uses more than jobs may use of the common pool.
    exhaust(&app, Claim::of(&tenant("greedy")), APPROVAL).await;
    let done = app.stack.jobs.renew(&RENEW_LIMITS).await.unwrap();
    let (_, done) = done.into_iter().find(|(exchange, _)| *exchange == Exchange::Aster).unwrap();
    // The reserve is 240, and a rotation weighs 51.
    assert!((3..=4).contains(&done.renewed) && done.failed == 0, "{done:?}");
    let after = one.key_of("aster", "a").await;
    assert_ne!(before.text("/data/agentAddress"), after.text("/data/agentAddress"));
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_races_cost_no_budget() {
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    let calls = join_all((0..8).map(|_| app.register("aster", "user_1"))).await;
    let made = calls.iter().filter(|reply| reply.status == 200).count();
    assert!(made == 1 && calls.iter().all(|it| matches!(it.status, 200 | 409)), "{calls:?}");
    assert_eq!(state(&app, Exchange::Aster).await.used(), 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_charge_leaves_the_credential_as_it_was() {
    let app = start(|_| {}).await;
    app.wallet("user_1").await;
    assert_eq!(app.register("aster", "user_1").await.status, 200);
    app.wallet("user_2").await;
    let before = app.api_key("aster", "user_1").await;
    for is_rotation in [true, false] {
        // The stack's own process does not know what another one has spent since.
        let refused = exhaust(&app, Claim::of(&Tenant::local()), APPROVAL).await;
        assert!(matches!(refused[0], Busy::TenantLimited { .. }));
        let refused = match is_rotation {
            true => app.rotate("aster", "user_1").await,
            false => app.register("aster", "user_2").await,
        };
        assert_eq!((refused.status, refused.text("/code")), (429, "EXCHANGE_RATE_LIMIT"));
        assert_eq!(app.api_key("aster", "user_2").await.status, 404);
        let after = app.api_key("aster", "user_1").await;
        assert_eq!(before.body["data"], after.body["data"]);
        app.clock.advance_ms(70_000);
    }
    assert_eq!(app.register("aster", "user_2").await.status, 200);
    assert_eq!(app.rotate("aster", "user_1").await.status, 200);
}
