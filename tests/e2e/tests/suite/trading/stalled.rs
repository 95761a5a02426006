//! Requests that are held up for longer than their lease, while another request places the same
//! order.

use domain::ids::Exchange;
use e2e::proxy::{Arrival, Fate, Rendezvous};
use shared::trading::ledger::READ_LAG_MS;

use super::{Desk, LEASE_MS, RESTING};

/// Holds the first call that places an order.
fn held_first(name: &'static str, rendezvous: &Rendezvous) -> e2e::proxy::Plan {
    let held = rendezvous.clone();
    Box::new(move |arrival: Arrival<'_>| {
        if arrival.name == name && arrival.nth_of_name == 1 {
            return Fate::Hold(held.clone());
        }
        Fate::Pass
    })
}

/// The other request proves the first bytes dead, and signs the order again. The exchange then
/// refuses the first bytes, which says nothing about the order.
#[tokio::test(flavor = "multi_thread")]
async fn refusal_of_a_late_send_does_not_hide_the_placed_order() {
    let desk = Desk::open(Exchange::Hyperliquid).await;
    let rendezvous = Rendezvous::of(2);
    let process = desk.proxy.process_with(held_first(desk.send_name(), &rendezvous));
    let other = async {
        rendezvous.held(1).await;
        desk.app.clock.advance_ms(LEASE_MS + READ_LAG_MS);
        let placed = desk.place(&desk.process(), "late", RESTING).await;
        rendezvous.leave();
        placed.unwrap()
    };
    let (late, (placed, _)) = tokio::join!(desk.place(&process, "late", RESTING), other);
    let (late, _) = late.unwrap();
    assert_eq!((&late.order_id, late.status), (&placed.order_id, placed.status));
    assert_eq!(desk.accepted("late"), 1);
    assert_eq!(desk.record("late").await.unwrap().generation, 1);
}
