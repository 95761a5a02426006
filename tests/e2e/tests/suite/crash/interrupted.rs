//! Interrupts a signing session with the cosigner. The error requests a retry, nothing is
//! signed, and a retry signs.

#![expect(clippy::unwrap_used, reason = "a failing test panics")]

use domain::ids::Exchange;
use e2e::kill::{Call, Harness, ended};
use e2e::proxy::Fate;
use exchange_sim::faults::Fault;

const USER: &str = "user_1";

/// Runs the call in a process where the nth invocation of the cosigner fails, and checks the
/// response.
async fn interrupt(h: &Harness, call: &Call, status: u16, (nth, fault): (usize, Fault)) {
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
async fn interrupted_signature_returns_503_and_retry_signs() {
    let h = Harness::start().await;
    h.app.wallet(USER).await;
    for nth in [1, 2] {
        for fault in [Fault::Reset, Fault::Status(500, "{}".to_owned()), Fault::AppliedButLost] {
            interrupt(&h, &Call::sign(USER), 503, (nth, fault.clone())).await;
            // With an idempotency key too, because a retryable error is not stored.
            let keyed = Call::sign(USER).keyed(format!("{nth} {fault:?}").replace(' ', "-"));
            interrupt(&h, &keyed, 503, (nth, fault)).await;
            let signed = h.finish(&keyed, ended::done).await;
            assert_eq!(signed[0].status, 200, "{signed:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn registration_with_interrupted_signature_resumes() {
    let h = Harness::start().await;
    h.app.wallet(USER).await;
    for exchange in Exchange::ALL {
        let call = Call::register(exchange, USER);
        for nth in [1, 2] {
            // The contract uses 500 for every internal fault.
            interrupt(&h, &call, 500, (nth, Fault::Reset)).await;
            h.app.clock.advance_ms(2_000);
        }
        h.finish(&call, ended::registered).await;
        e2e::invariants::assert_one_active(&h.app, USER, exchange).await;
    }
}
