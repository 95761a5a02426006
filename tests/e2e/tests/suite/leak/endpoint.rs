//! Attacks by a compromised cosigner that probes the bits of party 1's correlation, one with each
//! signature, together with a tenant who sees the HTTP responses, over several endpoint processes.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests report what they measure")]

use std::collections::HashMap;

use e2e::leak::{Cosigner, Observation, Scene, alternating, bits_learned, summary};
use e2e::proxy::{Fate, Plan, Rendezvous};
use serde_json::json;

use super::{MAX_BITS, PARTY, refused, rows, sets};

async fn attack(attack: &str, held: bool, no_freeze: bool) {
    let scene = Scene::start(PARTY).await;
    let correlation = scene.own_correlation().await;
    // The limit exceeds the number of calls before the held one, so nothing else can arrive.
    let rendezvous =
        if held { Rendezvous::of(rows()).open_after(8 * rows()) } else { Rendezvous::of(0) };
    let probed_rows = alternating(&correlation);
    let share = scene.cosigner_share(1).await;
    let cosigner = Cosigner::start(share, probed_rows, rendezvous.clone()).await;
    let plan = || -> Plan {
        let rendezvous = rendezvous.clone();
        Box::new(move |arrival| {
            rendezvous.passed();
            if no_freeze && sets(arrival, "frozen") { refused() } else { Fate::Pass }
        })
    };
    let parties = scene.endpoints(3, plan, &cosigner.url).await;
    let sign = async |nth: usize| {
        let url = format!("{}/api/wallets/victim/sign", parties[nth % parties.len()].url);
        let request = scene.app.request_to(&url).header("X-API-KEY", "tenant");
        let reply = scene.app.send(request.json(&json!({ "message": "hello" }))).await;
        rendezvous.leave();
        let id = reply.headers["x-request-id"].to_str().unwrap().to_owned();
        (id, format!("{} {}", reply.status, reply.text("/code")))
    };
    let replies: HashMap<String, String> =
        futures_util::future::join_all((0..rows()).map(sign)).await.into_iter().collect();
    let seen: Vec<Observation> = cosigner
        .opened()
        .into_iter()
        .map(|it| {
            let next = if it.continued { "call 2" } else { "no call 2" };
            let outcome = format!("{next}, {}", replies[&it.request_id]);
            Observation { session: it.session, bit: correlation[it.row], outcome }
        })
        .collect();
    let bits = bits_learned(&seen);
    println!("{attack}: {bits:.1} bits of {} attempts: {}", seen.len(), summary(&seen));
    // A message that passes shows that the bit is 0.
    assert!(seen.iter().all(|it| !it.bit || it.outcome.starts_with("no")), "{}", summary(&seen));
    assert!(!seen.is_empty(), "{replies:?}");
    assert_eq!(scene.is_frozen().await, !no_freeze);
    if std::env::var_os("LEAK_REPORT").is_none() {
        assert!(bits < MAX_BITS, "{attack}: {bits:.1} bits: {}", summary(&seen));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tampered_answers_freeze_and_leak_under_20_bits() {
    attack("cosigner's answers tampered", false, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tampered_held_answers_freeze_leak_under_20_bits() {
    attack("cosigner's answers tampered and held", true, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tampered_answers_no_freeze_leak_under_20_bits() {
    attack("cosigner's answers tampered and held, freeze refused", true, true).await;
}
