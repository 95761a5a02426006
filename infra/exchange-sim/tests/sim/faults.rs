use std::time::{Duration, Instant};

use exchange_sim::{faults::Fault, hyperliquid::Chain};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::support::{
    Wallet,
    aster::{Aster, REGISTER, said, sign_text},
    hyperliquid::{Hyperliquid, approval},
};

const SHORT: Duration = Duration::from_millis(50);

fn owner() -> Wallet {
    Wallet::number(1)
}

fn agent() -> Wallet {
    Wallet::number(9)
}

/// Sends a request to `/info`, and returns the status and the body.
async fn ask(hyperliquid: &Hyperliquid) -> (u16, String) {
    let question = serde_json::json!({"type": "extraAgents", "user": owner().address()});
    let answer = hyperliquid.post("/info", &question).await;
    (answer.status.as_u16(), answer.body)
}

#[tokio::test]
async fn faults_apply_in_order_to_path_or_kind() {
    let hyperliquid = Hyperliquid::new();
    let exchange = &hyperliquid.exchange;
    exchange.fail_next("/exchange", Fault::Status(500, "elsewhere".to_owned()));
    exchange.fail_next("userRole", Fault::Status(500, "elsewhere".to_owned()));
    exchange.fail_next("/info", Fault::Status(503, "first".to_owned()));
    exchange.fail_next("extraAgents", Fault::Garbage);
    assert_eq!(ask(&hyperliquid).await, (503, "first".to_owned()));
    let (status, garbage) = ask(&hyperliquid).await;
    assert_eq!(status, 200);
    assert!(serde_json::from_str::<serde_json::Value>(&garbage).is_err());
    assert_eq!(ask(&hyperliquid).await, (200, "[]".to_owned()));
}

#[tokio::test]
async fn rate_limit_fault_has_exchanges_error_format() {
    let (hyperliquid, aster) = (Hyperliquid::new(), Aster::new());
    let limited = Fault::RateLimited { retry_after_s: 7 };
    hyperliquid.exchange.fail_next("/info", limited.clone());
    assert_eq!(ask(&hyperliquid).await, (429, "null".to_owned()));
    aster.exchange.fail_next("balance", limited);
    let answer = aster.call("/fapi/v3/balance", owner().address(), &agent()).await;
    assert_eq!((answer.status.as_u16(), answer.json()["code"].as_i64()), (429, Some(-1003)));
    assert_eq!(answer.headers["retry-after"], "7");
}

#[tokio::test]
async fn applied_faults_change_state_and_others_do_not() {
    for (fault, applied) in [
        (Fault::Status(500, String::new()), false),
        (Fault::Garbage, false),
        (Fault::Hang, false),
        (Fault::RateLimited { retry_after_s: 1 }, false),
        (Fault::AppliedButLost, true),
        (Fault::AppliedThenHang, true),
    ] {
        let hangs = matches!(fault, Fault::Hang | Fault::AppliedThenHang);
        let patience = if hangs { SHORT } else { Duration::from_secs(60) };
        let aster = Aster::new();
        aster.exchange.fail_next("registerAndApproveAgent", fault.clone());
        let text = aster.registration(&owner(), "bot", agent().address());
        let signature = sign_text(&owner(), 56, &text);
        let body = format!("{text}&signature={signature}");
        let register = aster.form("POST", REGISTER, &body);
        assert_eq!(timeout(patience, register).await.is_err(), hangs, "{fault:?}");
        let agents = aster.exchange.agents_of(owner().address());
        assert_eq!(!agents.is_empty(), applied, "{fault:?}");
        let requests = aster.exchange.requests();
        assert_eq!((requests.len(), requests[0].accepted), (1, applied));
    }
}

#[tokio::test]
async fn response_can_be_lost_after_request_is_applied() {
    let hyperliquid = Hyperliquid::new();
    hyperliquid.exchange.fail_next("approveAgent", Fault::AppliedButLost);
    let body = approval(Chain::Mainnet, &owner(), "bot", agent().address(), hyperliquid.nonce());
    let answer = hyperliquid.post("/exchange", &body).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (502, "Bad Gateway"));
    // A retry finds its nonce used. The role shows that the first request was applied.
    let said = hyperliquid.exchange(&body).await;
    assert!(said.starts_with("Invalid nonce: duplicate nonce"), "{said}");
    let role = hyperliquid.info("userRole", agent().address()).await;
    assert_eq!(role["role"], "agent");
}

#[tokio::test]
async fn connection_can_break_before_response() {
    let aster = Aster::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(axum::serve(listener, aster.exchange.router()).into_future());
    for expect_answer in [false, true] {
        if !expect_answer {
            aster.exchange.fail_next("time", Fault::Reset);
        }
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = b"GET /fapi/v3/time HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        // The stream may end or be reset. In both cases nothing was received.
        let _ = stream.read_to_end(&mut answer).await;
        assert_eq!(answer.starts_with(b"HTTP/1.1 200"), expect_answer);
        assert_eq!(!answer.is_empty(), expect_answer);
    }
    server.abort();
}

#[tokio::test]
async fn latency_delays_every_response() {
    let aster = Aster::new();
    aster.exchange.set_latency(SHORT);
    let before = Instant::now();
    assert_eq!(
        said(&aster.call("/fapi/v3/agent", owner().address(), &agent()).await),
        "-1000 No agent found"
    );
    assert!(before.elapsed() >= SHORT);
}
