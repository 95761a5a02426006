use exchange_sim::aster::Network;
use serde_json::json;

use crate::support::{
    DAY_MS, START, Wallet,
    aster::{Aster, said, sign_text},
    send,
};

const AGENTS: &str = "/fapi/v3/agent";
const BALANCE: &str = "/fapi/v3/balance";
const SIGNATURE: &str = "-1000 Signature check failed";
const NO_AGENT: &str = "-1000 No agent found";

fn user() -> Wallet {
    Wallet::number(1)
}

fn agent() -> Wallet {
    Wallet::number(9)
}

async fn with_agent(network: Network) -> Aster {
    let aster = Aster::of(network, START);
    assert_eq!(aster.register(&user(), "bot", agent().address()).await, "200 success");
    aster
}

#[tokio::test]
async fn agent_lists_agents_of_its_account() {
    let aster = with_agent(Network::Mainnet).await;
    let answer = aster.call(AGENTS, user().address(), &agent()).await;
    let listed = json!([{
        "agentAddress": agent().address().to_string(),
        "agentName": "bot",
        "ipWhitelist": "",
        "expired": START + 30 * DAY_MS,
        "source": "",
        "canRead": true,
        "canSpotTrade": true,
        "canPerpTrade": true,
        "canWithdraw": false,
    }]);
    assert_eq!((answer.status.as_u16(), answer.json()), (200, listed));
}

#[tokio::test]
async fn agent_reads_balance_of_its_account() {
    for network in [Network::Mainnet, Network::Testnet] {
        let aster = with_agent(network).await;
        let answer = aster.call(BALANCE, user().address(), &agent()).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json()[0]["asset"], "USDT");
    }
}

#[tokio::test]
async fn balance_requires_deposit_but_agent_list_does_not() {
    let aster = with_agent(Network::Mainnet).await;
    aster.exchange.require_deposit(true);
    let answer = aster.call(BALANCE, user().address(), &agent()).await;
    assert_eq!(said(&answer), "-5050 This function can only be used after deposit");
    assert_eq!(aster.call(AGENTS, user().address(), &agent()).await.status, 200);
    let other = Wallet::number(8).address();
    assert_eq!(aster.register(&user(), "bot2", other).await, "200 success");
    aster.exchange.deposit(user().address());
    assert_eq!(aster.call(BALANCE, user().address(), &agent()).await.status, 200);
}

#[tokio::test]
async fn call_of_expired_or_foreign_agent_is_refused() {
    let aster = with_agent(Network::Mainnet).await;
    for path in [AGENTS, BALANCE] {
        let stranger = aster.call(path, user().address(), &Wallet::number(8)).await;
        assert_eq!(said(&stranger), NO_AGENT);
        let other_account = aster.call(path, Wallet::number(2).address(), &agent()).await;
        assert_eq!(said(&other_account), NO_AGENT);
        let main_wallet = aster.call(path, user().address(), &user()).await;
        assert_eq!(said(&main_wallet), NO_AGENT);
    }
    aster.clock.advance(30 * DAY_MS);
    let expired = aster.call(AGENTS, user().address(), &agent()).await;
    assert_eq!(said(&expired), NO_AGENT);
    // An expired agent keeps its name until it is deleted.
    let other = Wallet::number(8).address();
    assert_eq!(aster.register(&user(), "bot", other).await, "-1000 Illegal agentName");
}

#[tokio::test]
async fn signature_covers_exact_query_string() {
    let aster = with_agent(Network::Mainnet).await;
    let (user, signer) = (user().address(), agent().address());
    let text = format!("nonce={}&user={user}&signer={signer}", aster.nonce());
    let good = sign_text(&agent(), 1_666, &text);
    let sorted = format!("signer={signer}&{}", text.rsplit_once('&').unwrap().0);
    let forged = [
        text.clone(),
        format!("{text}&signature="),
        format!("{text}&signature={}", sign_text(&agent(), 714, &text)),
        format!("{text}&signature={}", sign_text(&agent(), 56, &text)),
        format!("{text}&signature={}", sign_text(&Wallet::number(1), 1_666, &text)),
        format!("{sorted}&signature={good}"),
        format!("{text}&recvWindow=1&signature={good}"),
        format!("{text}&signature={good}&recvWindow=1"),
        format!("signature={good}&{text}"),
    ];
    for query in forged {
        assert_eq!(said(&aster.get(BALANCE, &query).await), SIGNATURE, "{query}");
    }
    assert_eq!(aster.get(BALANCE, &format!("{text}&signature={good}")).await.status, 200);
}

#[tokio::test]
async fn call_without_user_signer_or_nonce_is_refused() {
    let aster = with_agent(Network::Mainnet).await;
    let (user, signer) = (user().address(), agent().address());
    let texts = [
        ("user", format!("nonce={}&signer={signer}", aster.nonce())),
        ("signer", format!("nonce={}&user={user}", aster.nonce())),
        ("nonce", format!("user={user}&signer={signer}")),
    ];
    for (missing, text) in texts {
        let answer = said(&aster.call_text(BALANCE, &agent(), &text).await);
        let expected = format!("-1102 Mandatory parameter '{missing}'");
        assert!(answer.starts_with(&expected), "{answer}");
    }
}

#[tokio::test]
async fn reused_agent_nonce_is_refused() {
    let aster = with_agent(Network::Mainnet).await;
    let text =
        format!("nonce={}&user={}&signer={}", aster.nonce(), user().address(), agent().address());
    assert_eq!(aster.call_text(AGENTS, &agent(), &text).await.status, 200);
    let again = aster.call_text(BALANCE, &agent(), &text).await;
    assert_eq!(said(&again), "-4225 Nonce Expired");
}

#[tokio::test]
async fn time_endpoint_requires_no_signature() {
    let aster = Aster::new();
    aster.clock.advance(7);
    let answer = send(aster.exchange.router(), "GET", "/fapi/v3/time", None).await;
    assert_eq!(answer.body, format!("{{\"serverTime\":{}}}", START + 7));
}
