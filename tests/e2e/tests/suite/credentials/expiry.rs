//! Tests an expired agent. On Aster it keeps its slot but can no longer sign requests.

use domain::ids::Exchange;
use e2e::kill::{Call, Harness, ended};
use e2e::{DAY_MS, invariants};
use exchange_sim::faults::Fault;

const USER: &str = "user_1";

#[tokio::test(flavor = "multi_thread")]
async fn expired_agent_with_lost_removal_is_removed_later() {
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
        invariants::assert_one_active(&h.app, USER, Exchange::Aster).await;

        // The same with a deletion of the expired credential.
        h.app.clock.advance_ms(181 * DAY_MS);
        h.app.stack.aster_sim.fail_next("deleteAgent", fault);
        h.finish(&Call::delete(Exchange::Aster, USER), ended::deleted).await;
        invariants::assert_none_left(&h.app, USER, Exchange::Aster).await;
    }
}
