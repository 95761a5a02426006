use alloy_primitives::Address;

use crate::support::{
    START, Wallet,
    aster::{Aster, said},
};

type Route = (&'static str, &'static str, &'static str);

const APPROVE: Route = ("POST", "/fapi/v3/approveAgent", "ApproveAgent");
const UPDATE: Route = ("POST", "/fapi/v3/updateAgent", "UpdateAgent");
const DELETE: Route = ("DELETE", "/fapi/v3/agent", "DelAgent");

const OK: &str = "200 success";
const SIGNATURE: &str = "-1000 Signature check failed";
const NONCE: &str = "-4225 Nonce Expired";

type Parameters = Vec<(&'static str, String)>;

fn user() -> Wallet {
    Wallet::number(1)
}

fn agent() -> Wallet {
    Wallet::number(9)
}

fn approval(aster: &Aster, name: &str, agent: Address) -> Parameters {
    vec![
        ("agentName", name.to_owned()),
        ("agentAddress", agent.to_string()),
        ("ipWhitelist", String::new()),
        ("expired", aster.in_a_month().to_string()),
        ("canSpotTrade", "false".to_owned()),
        ("canPerpTrade", "true".to_owned()),
        ("canWithdraw", "false".to_owned()),
        ("asterChain", "Mainnet".to_owned()),
        ("user", user().address().to_string()),
        ("nonce", aster.nonce().to_string()),
    ]
}

fn deletion(aster: &Aster, agent: Address) -> Parameters {
    vec![
        ("agentAddress", agent.to_string()),
        ("asterChain", "Mainnet".to_owned()),
        ("user", user().address().to_string()),
        ("nonce", aster.nonce().to_string()),
    ]
}

fn set(parameters: &mut Parameters, name: &str, value: &str) {
    let parameter = parameters.iter_mut().find(|(known, _)| *known == name).unwrap();
    value.clone_into(&mut parameter.1);
}

async fn with_agent() -> Aster {
    let aster = Aster::new();
    assert_eq!(aster.register(&user(), "bot", agent().address()).await, OK);
    aster
}

#[tokio::test]
async fn approval_for_unknown_account_is_refused() {
    let aster = Aster::new();
    let parameters = approval(&aster, "bot", agent().address());
    let unknown = "-1000 No aster user found";
    assert_eq!(aster.manage(&user(), APPROVE, &parameters).await, unknown);
    aster.exchange.deposit(user().address());
    assert_eq!(aster.manage(&user(), APPROVE, &parameters).await, OK);
    let agents = aster.exchange.agents_of(user().address());
    assert_eq!((agents[0].can_spot_trade, agents[0].can_perp_trade), (false, true));
}

#[tokio::test]
async fn approval_follows_registration_rules() {
    let aster = with_agent().await;
    let other = Wallet::number(8).address();
    let same_name = approval(&aster, "bot", other);
    assert_eq!(aster.manage(&user(), APPROVE, &same_name).await, "-1000 Illegal agentName");
    let mut short = approval(&aster, "bot2", other);
    set(&mut short, "expired", &START.to_string());
    let text = "-1000 Agent expired time too short";
    assert_eq!(aster.manage(&user(), APPROVE, &short).await, text);
    let mut withdrawing = approval(&aster, "bot2", other);
    set(&mut withdrawing, "canWithdraw", "true");
    let answer = aster.manage(&user(), APPROVE, &withdrawing).await;
    assert!(answer.starts_with("-1102 Mandatory parameter 'ipWhitelist'"), "{answer}");
}

#[tokio::test]
async fn approval_with_builder_is_refused() {
    let aster = with_agent().await;
    let mut parameters = approval(&aster, "bot2", Wallet::number(8).address());
    parameters.insert(7, ("builder", "0x12".to_owned()));
    let answer = aster.manage(&user(), APPROVE, &parameters).await;
    assert_eq!(answer, "-1000 Builder address:0x12 not registered in Aster");
}

#[tokio::test]
async fn agent_permissions_can_be_updated() {
    let aster = with_agent().await;
    let parameters = |agent: Address| {
        vec![
            ("agentAddress", agent.to_string()),
            ("ipWhitelist", "203.0.113.7".to_owned()),
            ("canSpotTrade", "false".to_owned()),
            ("canPerpTrade", "false".to_owned()),
            ("canWithdraw", "true".to_owned()),
            ("asterChain", "Mainnet".to_owned()),
            ("user", user().address().to_string()),
            ("nonce", aster.nonce().to_string()),
        ]
    };
    assert_eq!(aster.manage(&user(), UPDATE, &parameters(agent().address())).await, OK);
    let agents = aster.exchange.agents_of(user().address());
    assert!(!agents[0].can_spot_trade && !agents[0].can_perp_trade && agents[0].can_withdraw);
    assert_eq!(agents[0].ip_whitelist, "203.0.113.7");
    let unknown = parameters(Wallet::number(8).address());
    assert_eq!(aster.manage(&user(), UPDATE, &unknown).await, "-1000 No agent found");
}

#[tokio::test]
async fn deleted_agent_frees_its_name_and_address() {
    let aster = with_agent().await;
    let parameters = deletion(&aster, agent().address());
    assert_eq!(aster.manage(&user(), DELETE, &parameters).await, OK);
    assert!(aster.exchange.agents_of(user().address()).is_empty());
    let answer = aster.call("/fapi/v3/agent", user().address(), &agent()).await;
    assert_eq!(said(&answer), "-1000 No agent found");
    let again = deletion(&aster, agent().address());
    assert_eq!(aster.manage(&user(), DELETE, &again).await, "-1000 No agent found");
    assert_eq!(aster.register(&user(), "bot", agent().address()).await, OK);
}

#[tokio::test]
async fn management_requires_users_signature() {
    let aster = with_agent().await;
    let good = deletion(&aster, agent().address());
    assert_eq!(aster.manage(&agent(), DELETE, &good).await, SIGNATURE);
    let other_type = ("DELETE", "/fapi/v3/agent", "ApproveAgent");
    assert_eq!(aster.manage(&user(), other_type, &good).await, SIGNATURE);
    assert_eq!(aster.manage(&user(), DELETE, &good).await, OK);
}

#[tokio::test]
async fn management_requires_signed_chain_of_network() {
    let aster = with_agent().await;
    let mut other = deletion(&aster, agent().address());
    set(&mut other, "asterChain", "Testnet");
    assert_eq!(aster.manage(&user(), DELETE, &other).await, SIGNATURE);
    let mut without = deletion(&aster, agent().address());
    without.retain(|(name, _)| *name != "asterChain");
    assert_eq!(aster.manage(&user(), DELETE, &without).await, SIGNATURE);
}

#[tokio::test]
async fn address_letter_case_is_signed() {
    let aster = with_agent().await;
    let parameters = deletion(&aster, agent().address());
    let digest = exchange_sim::aster::signing::management_digest(
        56,
        "DelAgent",
        parameters.iter().map(|(name, value)| (*name, value.as_str())),
    );
    let signature = hex::encode(user().sign(digest.unwrap()));
    let pairs = parameters.iter().map(|(name, value)| format!("{name}={value}&"));
    let body = pairs.collect::<String>() + &format!("signature=0x{signature}&signatureChainId=56");
    let checksummed = agent().address().to_string();
    let lower = body.replace(&checksummed, &checksummed.to_lowercase());
    let (method, path, _) = DELETE;
    assert_eq!(said(&aster.form(method, path, &lower).await), SIGNATURE);
    assert_eq!(said(&aster.form(method, path, &body).await), OK);
}

#[tokio::test]
async fn undocumented_parameters_are_refused() {
    let aster = with_agent().await;
    let mut parameters = deletion(&aster, agent().address());
    parameters.push(("Evil)", "1".to_owned()));
    let body = parameters.iter().map(|(name, value)| format!("{name}={value}&"));
    let body = body.collect::<String>() + "signature=0x&signatureChainId=56";
    let answer = said(&aster.form("DELETE", "/fapi/v3/agent", &body).await);
    assert_eq!(answer, "-1101 Too many parameters; 'Evil)' is unknown or was sent twice.");
}

#[tokio::test]
async fn reused_management_nonce_is_refused() {
    let aster = with_agent().await;
    let mut parameters = deletion(&aster, Wallet::number(8).address());
    assert_eq!(aster.manage(&user(), DELETE, &parameters).await, "-1000 No agent found");
    assert_eq!(aster.manage(&user(), DELETE, &parameters).await, NONCE);
    set(&mut parameters, "nonce", &(START * 1_000 - 10_000_001).to_string());
    assert_eq!(aster.manage(&user(), DELETE, &parameters).await, NONCE);
}
