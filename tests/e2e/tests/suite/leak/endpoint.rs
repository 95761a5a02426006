//! A compromised cosigner that asks for the bits of party 1's correlation, one with each signature,
//! together with a tenant who sees the HTTP responses, over several processes of the endpoints.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test says what it found")]

use std::collections::HashMap;

use e2e::leak::{Cosigner, Scene, Seen, alternating, bits_learned, summary};
use e2e::proxy::{Crowd, Fate, Plan};
use serde_json::json;

use super::{MOST_BITS, PARTY, refused, rows, sets};

async fn attack(attack: &str, held: bool, no_freeze: bool) {
    let scene = Scene::start(PARTY).await;
    let correlation = scene.own_correlation().await;
    // More calls than all of them make on the way: nobody else will come.
    let crowd = if held { Crowd::of(rows()).patient(8 * rows()) } else { Crowd::of(0) };
    let asked = alternating(&correlation);
    let theirs = scene.their_share(1).await;
    let cosigner = Cosigner::start(theirs, asked, crowd.clone()).await;
    let plan = || -> Plan {
        let crowd = crowd.clone();
        Box::new(move |arrival| {
            crowd.passed();
            if no_freeze && sets(arrival, "frozen") { refused() } else { Fate::Pass }
        })
    };
    let parties = scene.endpoints(3, plan, &cosigner.url).await;
    let sign = async |nth: usize| {
        let url = format!("{}/api/wallets/victim/sign", parties[nth % parties.len()].url);
        let request = scene.app.request_to(&url).header("X-API-KEY", "tenant");
        let reply = scene.app.send(request.json(&json!({ "message": "hello" }))).await;
        crowd.leave();
        let id = reply.headers["x-request-id"].to_str().unwrap().to_owned();
        (id, format!("{} {}", reply.status, reply.text("/code")))
    };
    let replies: HashMap<String, String> =
        futures_util::future::join_all((0..rows()).map(sign)).await.into_iter().collect();
    let seen: Vec<Seen> = cosigner
        .opened()
        .into_iter()
        .map(|it| {
            let next = if it.continued { "call 2" } else { "no call 2" };
            let told = format!("{next}, {}", replies[&it.request_id]);
            Seen { session: it.session, bit: correlation[it.row], told }
        })
        .collect();
    let bits = bits_learned(&seen);
    println!("{attack}: {bits:.1} bits of {} attempts: {}", seen.len(), summary(&seen));
    // A message that passes asks for a bit that is 0.
    assert!(seen.iter().all(|it| !it.bit || it.told.starts_with("no")), "{}", summary(&seen));
    assert!(!seen.is_empty(), "{replies:?}");
    assert_eq!(scene.is_frozen().await, !no_freeze);
    if std::env::var_os("LEAK_REPORT").is_none() {
        assert!(bits < MOST_BITS, "{attack}: {bits:.1} bits: {}", summary(&seen));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bent_answers_leak_under_20_bits_and_freeze_the_wallet() {
    attack("cosigner's answers bent", false, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bent_answers_held_leak_under_20_bits_and_freeze_the_wallet() {
    attack("cosigner's answers bent and held", true, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bent_answers_held_without_a_freeze_leak_under_20_bits() {
    attack("cosigner's answers bent and held, freeze refused", true, true).await;
}
