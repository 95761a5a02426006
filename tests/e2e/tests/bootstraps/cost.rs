//! Measures the processor time that a request costs each function. The memory sizes of the
//! templates are based on these numbers (docs/guides/operations.md). The test reports the numbers
//! without judging them, because they depend on the machine.

use std::time::Duration;

use serde_json::{Value, json};

use crate::create_event;
use crate::event::{credential, get, post, scheduled};
use crate::lambda::{Function, Invoked, JOBS, Lambda, cloud};

/// The number of wallets to create and to register with each exchange.
const WALLETS: u32 = 10;
/// The number of requests of other kinds.
const REQUESTS: u32 = 40;

/// Sends events to a warm function and returns the cost of one event for it and for the cosigner.
async fn cost(
    what: &str,
    function: &mut Function,
    cosigner: &Function,
    events: Vec<Value>,
) -> String {
    let count = u32::try_from(events.len()).unwrap();
    let before = (function.used(), cosigner.used());
    for event in &events {
        let reply = function.call(event).await;
        assert!(reply.status < 500, "{what}: {reply:?}");
    }
    let ms = |used: Duration| format!("{:.1} ms", used.as_secs_f64() * 1_000.0 / f64::from(count));
    format!(
        "processor time of {what}: {}, cosigner {}; {}",
        ms(function.used() - before.0),
        ms(cosigner.used() - before.1),
        function.peak(),
    )
}

fn users(count: u32) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("user_{number}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn request_costs_are_reported() {
    let ((stack, _data), lambda) = tokio::join!(cloud(), Lambda::start());
    let cosigner = lambda.function("cosigner", &stack).started();
    // A call that is refused opens no connection but loads the code.
    let warm = async |name| {
        let mut function = lambda.function(name, &stack);
        assert_eq!(function.call(&get("/api/nothing")).await.status, 404);
        function
    };
    let mut create = warm("create-wallet").await;
    let creations = users(WALLETS).map(|user| create_event(&user)).collect();
    println!("{}", cost("a new wallet", &mut create, &cosigner, creations).await);
    let again = users(WALLETS).map(|user| create_event(&user)).collect();
    println!("{}", cost("a wallet that exists", &mut create, &cosigner, again).await);
    let mut find = warm("get-wallet").await;
    let finds = vec![get("/api/wallets/user_1"); REQUESTS as usize];
    println!("{}", cost("finding a wallet", &mut find, &cosigner, finds).await);
    let mut list = warm("list-wallets").await;
    let pages = vec![get("/api/wallets?limit=100"); REQUESTS as usize];
    println!("{}", cost("a page of the list", &mut list, &cosigner, pages).await);
    let mut sign = warm("sign-message").await;
    let signing = post("/api/wallets/user_1/sign", &json!({ "message": "hello" }));
    println!(
        "{}",
        cost("a signature", &mut sign, &cosigner, vec![signing; REQUESTS as usize]).await
    );
    for (exchange, name) in [("aster", "register-aster"), ("hyperliquid", "register-hyperliquid")] {
        let mut register = warm(name).await;
        let path = format!("/api/trading/{exchange}/apikey");
        let bodies = users(WALLETS).map(|user| json!({ "walletIdOrAddress": user }));
        let registrations = bodies.map(|body| post(&path, &body)).collect();
        let what = format!("a registration with {exchange}");
        println!("{}", cost(&what, &mut register, &cosigner, registrations).await);
    }
    let mut see = warm("get-apikey").await;
    let seen = vec![credential("GET", "aster", "user_1"); REQUESTS as usize];
    println!("{}", cost("reading a key", &mut see, &cosigner, seen).await);
    let mut rotate = warm("rotate-apikey").await;
    let bodies = users(WALLETS).map(|user| json!({ "walletIdOrAddress": user }));
    let rotations = bodies.map(|body| post("/api/trading/hyperliquid/apikey/rotate", &body));
    println!("{}", cost("a rotation", &mut rotate, &cosigner, rotations.collect()).await);
    let mut delete = warm("delete-apikey").await;
    let deletions = users(WALLETS).map(|user| credential("DELETE", "aster", &user)).collect();
    println!("{}", cost("a deletion", &mut delete, &cosigner, deletions).await);
    let mut health = warm("health").await;
    let asked = vec![get("/api/health"); REQUESTS as usize];
    println!("{}", cost("a health check", &mut health, &cosigner, asked).await);
    let mut guide = warm("exchange-guidance").await;
    let asked = vec![post("/api/trading/lighter/apikey", &json!({})); REQUESTS as usize];
    println!("{}", cost("an exchange's guidance", &mut guide, &cosigner, asked).await);
    println!("{}", cosigner.peak());
    for name in JOBS {
        let mut job = lambda.function(name, &stack);
        let done = job.invoke(scheduled().to_string()).await;
        assert!(matches!(done, Invoked::Answered(_)), "{name}: {done:?}");
        println!(
            "processor time of {name}, cold, with its due work: {:?}; {}",
            job.used(),
            job.peak()
        );
    }
}
