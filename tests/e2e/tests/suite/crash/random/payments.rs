//! Steps of the random run that pay, repeat payments, and resolve them.

#![expect(clippy::panic, reason = "a failing test panics")]

use domain::ids::Tenant;
use e2e::kill::{Call, Harness, ended};
use e2e::payments::{Approvers, BSC, Counted, Place, Till};
use e2e::trading::start_for_many_with;
use shared::money::payment_id;
use shared::store::{PaymentAccount, PaymentPlace, PaymentState};

use super::{Operation, Run, Step, USERS, orders, seeded};

/// Number of payments of each kind. A step that draws the number of an earlier payment repeats it.
const PAYMENTS: usize = 6;

const MIX: [Operation; 6] = [
    ("withdraw", 20, |_, user, draw| pay(Place::Hyperliquid, user, draw.below(PAYMENTS))),
    ("send", 12, |_, user, draw| pay(Place::HyperliquidSend, user, draw.below(PAYMENTS))),
    ("move", 8, |_, user, draw| pay(Place::HyperliquidOwn, user, draw.below(PAYMENTS))),
    ("withdraw, a", 20, |_, user, draw| pay(Place::Aster, user, draw.below(PAYMENTS))),
    ("transfer", 20, |_, user, draw| pay(Place::Chain, user, draw.below(PAYMENTS))),
    ("payments job", 10, |_, user, _| Call::payments_job(user)),
];

/// Returns the amount of a payment. It follows from the kind and the number, and no other payment of
/// the wallet has it.
fn amount(place: Place, number: usize) -> String {
    let kind = Place::ALL.iter().position(|known| *known == place).unwrap();
    format!("{}.{}", 2 + kind, 1 + number)
}

fn pay(place: Place, user: &str, number: usize) -> Call {
    let key = place.key(&number.to_string());
    Call::pay(place, user, &place.body(user, &amount(place, number))).keyed(key)
}

/// Runs many payments of wallets that may pay.
#[tokio::test(flavor = "multi_thread")]
async fn random_payments_execute_at_most_once() {
    let operations = if std::env::var_os("EVERY_CASE").is_some() { 1_000 } else { 200 };
    let mut draw = seeded();
    let approvers = Approvers::new();
    let h = start_for_many_with(400, |options| approvers.install(options)).await;
    approvers.allow(&h.app, "1000000", None).await;
    let mut tills = Vec::new();
    for user in USERS {
        tills.push(Till::open(&h.app, user).await);
    }
    let run = Run::new(h);
    let h = &run.h;
    let step = |_| Step::of(&MIX, &mut draw, orders::fault);
    run.take((0..operations).map(step).collect()).await;
    run.tally.print();
    h.app.clock.advance_ms(90_000);
    h.proxy.deliver_late().await;
    h.finish(&Call::payments_job(USERS[0]), ended::idle).await;
    let mut executed = 0;
    for till in &tills {
        for place in Place::ALL {
            for number in 0..PAYMENTS {
                executed += settled(h, till, place, number).await;
            }
        }
    }
    println!("{executed} payments executed");
    assert!(executed >= 20, "{executed}");
    assert_counted(h).await;
}

/// Finishes a payment as an honest client does, and compares its record with what was executed.
async fn settled(h: &Harness, till: &Till, place: Place, number: usize) -> usize {
    let (amount, call) = (amount(place, number), pay(place, &till.user, number));
    let mut reply = None;
    for _ in 0..6 {
        h.app.clock.advance_ms(61_000);
        let done = h.call(&h.proxy.process(), &call).await.unwrap();
        let is_over = matches!(done.status, 200 | 422);
        reply = Some(done);
        if is_over {
            break;
        }
    }
    let wallet = e2e::invariants::view(&h.app, &till.user).await.wallet;
    let (venue, stored) = match place {
        Place::Aster => ("aster".to_owned(), PaymentPlace::Aster),
        Place::Chain => (format!("evm:{BSC}"), PaymentPlace::Evm),
        _ => ("hyperliquid".to_owned(), PaymentPlace::Hyperliquid),
    };
    let account =
        PaymentAccount { tenant: Tenant::local(), wallet_id: wallet.wallet_id, place: stored };
    let key = call.key.as_deref().unwrap();
    let id = payment_id(&account.tenant, account.wallet_id, venue.parse().unwrap(), key).unwrap();
    let record = h.app.store().payment(&account, &id).await.unwrap();
    let executed = till.executed(&h.app, place, &amount);
    let what = format!("{} {place:?} {amount}: {reply:?}", till.user);
    let state = record.as_ref().map(|record| record.state);
    match state {
        Some(PaymentState::Completed) => assert_eq!(executed, 1, "{what}"),
        // Its bytes, its nonce or its approval came too late, or it was never signed. Aster may refuse
        // no repeat, so a request that may have been sent there is not sent again.
        Some(PaymentState::Refused | PaymentState::Accepted) | None => {
            assert_eq!(executed, 0, "{what}");
        }
        Some(PaymentState::Unknown) if place == Place::Aster => assert_eq!(executed, 0, "{what}"),
        _ => panic!("{what}: {record:?}"),
    }
    executed
}

/// Checks that the cosigner has counted each payment of its list once.
async fn assert_counted(h: &Harness) {
    let mut counted = 0;
    for asset in ["hyperliquid/USDC", "aster/USDT", "evm:56/USDT"] {
        counted += Counted::read(&h.app, None, asset).await.since(&Counted::default()).writes;
    }
    let items = h.app.scan(hyperdex_local::COSIGNER_TABLE).await;
    let is_listed = |item: &platform::items::Item| {
        item["pk"].as_s().unwrap() == "local#P"
            && item["sk"].as_s().unwrap().starts_with("payment#")
    };
    let listed = items.iter().filter(|item| is_listed(item)).count();
    assert_eq!(counted, u64::try_from(listed).unwrap());
}
