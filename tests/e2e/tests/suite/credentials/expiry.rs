//! An expired agent: on Aster it keeps its slot and cannot speak for itself any more.

use domain::ids::Exchange;
use e2e::kill::{Call, Harness, ended};
use e2e::{DAY_MS, invariants};
use exchange_sim::faults::Fault;

const USER: &str = "user_1";

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_agent_whose_removal_never_arrived_is_removed_later() {
    let h = Harness::start().await;
    h.app.wallet(USER).await;
    let register = Call::register(Exchange::Aster, USER);
    for fault in [Fault::Hang, Fault::Garbage, Fault::Status(500, String::new()), Fault::Reset] {
        h.finish(&register, ended::registered).await;
        h.app.clock.advance_ms(181 * DAY_MS);
        h.app.stack.aster_sim.fail_next("deleteAgent", fault.clone());
        let replies = h.finish(&register, ended::registered).await;
        assert_eq!(replies.last().map(|reply| reply.status), Some(200));
        h.finish(&Call::renewal(USER), ended::idle).await;
        invariants::one_that_works(&h.app, USER, Exchange::Aster).await;

        // The same when the expired credential is deleted.
        h.app.clock.advance_ms(181 * DAY_MS);
        h.app.stack.aster_sim.fail_next("deleteAgent", fault);
        h.finish(&Call::delete(Exchange::Aster, USER), ended::deleted).await;
        invariants::nothing(&h.app, USER, Exchange::Aster).await;
    }
}
