//! A signature whose run with the cosigner is cut off: the caller is told to come back in a moment,
//! nothing was signed, and a repeat signs.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so and ends")]

use domain::ids::Exchange;
use e2e::kill::{Call, Harness, ended};
use e2e::proxy::Fate;
use exchange_sim::faults::Fault;

const USER: &str = "user_1";

/// The call's process, of whose invocations of the cosigner this one fails. It answers so.
async fn cut_off(h: &Harness, call: &Call, status: u16, (nth, fault): (usize, Fault)) {
    let plan = move |arrival: e2e::proxy::Arrival<'_>| {
        let here = arrival.name == "Lambda.Invoke" && arrival.nth_of_name == nth;
        if here { Fate::Fail(fault.clone()) } else { Fate::Pass }
    };
    let process = h.proxy.process_with(Box::new(plan));
    let reply = h.call(&process, call).await.unwrap();
    assert_eq!((reply.status, reply.text("/code")), (status, "SIGNER_UNAVAILABLE"), "{reply:?}");
    assert_eq!(reply.headers["retry-after"], "1");
    let fields = ["code", "error", "message", "retryAfterSeconds", "success", "timestamp"];
    assert_eq!(reply.fields(""), fields);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_that_is_cut_off_may_be_repeated() {
    let h = Harness::start().await;
    h.app.wallet(USER).await;
    for nth in [1, 2] {
        for fault in [Fault::Reset, Fault::Status(500, "{}".to_owned()), Fault::AppliedButLost] {
            cut_off(&h, &Call::sign(USER), 503, (nth, fault.clone())).await;
            // With a key for its answer, too: an answer that says "again" is not kept.
            let keyed = Call::sign(USER).keyed(format!("{nth} {fault:?}").replace(' ', "-"));
            cut_off(&h, &keyed, 503, (nth, fault)).await;
            let signed = h.finish(&keyed, ended::done).await;
            assert_eq!(signed[0].status, 200, "{signed:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_whose_signature_is_cut_off_goes_on() {
    let h = Harness::start().await;
    h.app.wallet(USER).await;
    for exchange in Exchange::ALL {
        let call = Call::register(exchange, USER);
        for nth in [1, 2] {
            // The contract has 500 for whatever is our fault.
            cut_off(&h, &call, 500, (nth, Fault::Reset)).await;
            h.app.clock.advance_ms(2_000);
        }
        h.finish(&call, ended::registered).await;
        e2e::invariants::one_that_works(&h.app, USER, exchange).await;
    }
}
