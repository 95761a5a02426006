use exchange_sim::aster::{Agent, Rules};

use crate::support::{
    DAY_MS, START, Wallet,
    aster::{Aster, FORM, REGISTER, said, sign_text},
    send,
};

const OK: &str = "200 success";
const SIGNATURE: &str = "-1000 Signature check failed";
const NONCE: &str = "-4225 Nonce Expired";

fn user() -> Wallet {
    Wallet::number(1)
}

fn agent() -> Wallet {
    Wallet::number(9)
}

/// Returns the registration's text with one changed value.
fn with(aster: &Aster, name: &str, value: &str) -> String {
    let text = aster.registration(&user(), "bot", agent().address());
    let pairs = text.split('&').map(|pair| match pair.split_once('=') {
        Some((known, _)) if known == name => format!("{name}={value}"),
        _ => pair.to_owned(),
    });
    pairs.collect::<Vec<_>>().join("&")
}

/// Returns the registration's text without one parameter.
fn without(aster: &Aster, name: &str) -> String {
    let text = aster.registration(&user(), "bot", agent().address());
    let left = text.split('&').filter(|pair| !pair.starts_with(&format!("{name}=")));
    left.collect::<Vec<_>>().join("&")
}

#[tokio::test]
async fn registration_creates_account_and_agent() {
    let aster = Aster::new();
    let body = aster.registration(&user(), "bot", agent().address());
    let signature = sign_text(&user(), 56, &body);
    let answer = aster.form("POST", REGISTER, &format!("{body}&signature={signature}")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, r#"{"code":200,"msg":"success"}"#);
    assert_eq!(answer.headers["x-mbx-used-weight-1m"], "50");
    let expected = Agent {
        name: "bot".to_owned(),
        address: agent().address(),
        expired: START + 30 * DAY_MS,
        can_spot_trade: true,
        can_perp_trade: true,
        can_withdraw: false,
        ip_whitelist: String::new(),
    };
    assert_eq!(aster.exchange.agents_of(user().address()), [expected]);
}

#[tokio::test]
async fn registration_without_a_parameter_is_refused() {
    let names = [
        "user",
        "nonce",
        "agentName",
        "agentAddress",
        "expired",
        "signatureChainId",
        "canSpotTrade",
        "canPerpTrade",
        "canWithdraw",
    ];
    for name in names {
        let aster = Aster::new();
        let expected = format!(
            "-1102 Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
        );
        let text = without(&aster, name);
        assert_eq!(aster.register_text(&user(), &text).await, expected);
        let text = with(&aster, name, "");
        assert_eq!(aster.register_text(&user(), &text).await, expected);
    }
    let aster = Aster::new();
    let unsigned = aster.registration(&user(), "bot", agent().address());
    let answer = said(&aster.form("POST", REGISTER, &unsigned).await);
    assert!(answer.starts_with("-1102 Mandatory parameter 'signature'"), "{answer}");
}

#[tokio::test]
async fn registration_with_malformed_value_is_refused() {
    let values = [
        ("user", "0x12"),
        ("nonce", "+1790000000000000"),
        ("nonce", "99999999999999999999999"),
        ("agentAddress", "9999999999999999999999999999999999999999"),
        ("expired", "never"),
        ("signatureChainId", "1666"),
        ("signatureChainId", "0x38"),
        ("canSpotTrade", "True"),
        ("canPerpTrade", "1"),
        ("canWithdraw", "no"),
    ];
    for (name, value) in values {
        let aster = Aster::new();
        let text = with(&aster, name, value);
        let expected = format!("-1130 Data sent for parameter '{name}' is not valid.");
        assert_eq!(aster.register_text(&user(), &text).await, expected);
    }
    let aster = Aster::new();
    let twice = aster.registration(&user(), "bot", agent().address()) + "&agentName=bot";
    let answer = aster.register_text(&user(), &twice).await;
    assert_eq!(answer, "-1101 Too many parameters; 'agentName' is unknown or was sent twice.");
}

#[tokio::test]
async fn registration_requires_users_signature_over_text() {
    let aster = Aster::new();
    let text = aster.registration(&user(), "bot", agent().address());
    let good = sign_text(&user(), 56, &text);
    let forged = [
        sign_text(&agent(), 56, &text),
        sign_text(&user(), 1_666, &text),
        sign_text(&user(), 56, &format!("msg: {text}")),
        sign_text(&user(), 56, &text.to_lowercase()),
        good[2..].to_owned(),
        good[..130].to_owned(),
        format!("{}00", &good[..130]),
        format!("{}01", &good[..130]),
        "0x".to_owned(),
    ];
    for signature in forged {
        let body = format!("{text}&signature={signature}");
        assert_eq!(said(&aster.form("POST", REGISTER, &body).await), SIGNATURE);
    }
    // The failed requests used no nonce.
    let body = format!("{text}&signature={good}");
    assert_eq!(said(&aster.form("POST", REGISTER, &body).await), OK);
}

#[tokio::test]
async fn registration_changed_after_signing_is_refused() {
    let aster = Aster::new();
    let text = aster.registration(&user(), "bot", agent().address());
    let signature = sign_text(&user(), 56, &text);
    for (from, to) in [
        ("agentName=bot", "agentName=bob"),
        ("canSpotTrade=true", "canSpotTrade=false"),
        ("&signature=", "&ipWhitelist=203.0.113.7&signature="),
    ] {
        let body = format!("{text}&signature={signature}").replace(from, to);
        assert_eq!(said(&aster.form("POST", REGISTER, &body).await), SIGNATURE);
    }
    let body = format!("{text}&signature={signature}&ipWhitelist=203.0.113.7");
    assert_eq!(said(&aster.form("POST", REGISTER, &body).await), SIGNATURE);
}

#[tokio::test]
async fn reordered_body_is_verified_in_template_order() {
    let aster = Aster::new();
    let text = aster.registration(&user(), "bot", agent().address());
    let signature = sign_text(&user(), 56, &text);
    let mut pairs: Vec<_> = text.split('&').collect();
    pairs.reverse();
    let body = format!("signature={signature}&agentCode=69Ae1D&{}", pairs.join("&"));
    assert_eq!(said(&aster.form("POST", REGISTER, &body).await), OK);
}

#[tokio::test]
async fn body_without_form_content_type_is_ignored() {
    let aster = Aster::new();
    let text = aster.registration(&user(), "bot", agent().address());
    let body = format!("{text}&signature={}", sign_text(&user(), 56, &text));
    let missing = "-1102 Mandatory parameter 'user' was not sent, was empty/null, or malformed.";
    for content in [None, Some(("application/json", body.clone()))] {
        let answer = send(aster.exchange.router(), "POST", REGISTER, content).await;
        assert_eq!(said(&answer), missing);
    }
    let utf8 = format!("{FORM};charset=UTF-8");
    let answer = send(aster.exchange.router(), "POST", REGISTER, Some((&utf8, body))).await;
    assert_eq!(said(&answer), OK);
}

#[tokio::test]
async fn nonce_beyond_ten_seconds_is_refused() {
    for (offset_us, expected) in
        [(-10_000_001, NONCE), (-10_000_000, OK), (10_000_000, OK), (10_000_001, NONCE)]
    {
        let aster = Aster::new();
        let nonce = (START * 1_000).checked_add_signed(offset_us).unwrap();
        let text = with(&aster, "nonce", &nonce.to_string());
        assert_eq!(aster.register_text(&user(), &text).await, expected);
    }
    // A nonce in milliseconds is far in the past.
    let aster = Aster::new();
    let text = with(&aster, "nonce", &START.to_string());
    assert_eq!(aster.register_text(&user(), &text).await, NONCE);
}

#[tokio::test]
async fn reused_or_low_nonce_is_refused() {
    let aster = Aster::new();
    aster.exchange.set_rules(Rules { weight_per_minute: u32::MAX, ..Rules::default() });
    let text = aster.registration(&user(), "bot", agent().address());
    assert_eq!(aster.register_text(&user(), &text).await, OK);
    assert_eq!(aster.register_text(&user(), &text).await, NONCE);
    // Failed requests also use their nonces.
    for _ in 0..100 {
        let answer = aster.register(&user(), "bot", agent().address()).await;
        assert_eq!(answer, "-1000 Illegal agentName");
    }
    let forgotten = with(&aster, "nonce", &(START * 1_000 - 1).to_string());
    assert_eq!(aster.register_text(&user(), &forgotten).await, NONCE);
}

#[tokio::test]
async fn duplicate_agent_name_or_address_is_refused() {
    let aster = Aster::new();
    let (one, two) = (Wallet::number(8).address(), agent().address());
    assert_eq!(aster.register(&user(), "bot", one).await, OK);
    assert_eq!(aster.register(&user(), "bot", two).await, "-1000 Illegal agentName");
    assert_eq!(aster.register(&user(), "bot2", one).await, "-1000 Illegal agentAddress");
    let other = Wallet::number(2);
    assert_eq!(aster.register(&other, "bot", one).await, "-1000 Illegal agentAddress");
    assert_eq!(aster.register(&other, "bot", two).await, OK);
}

#[tokio::test]
async fn agent_over_account_limit_is_refused() {
    let aster = Aster::new();
    for number in 0..20 {
        let agent = Wallet::number(100 + number).address();
        assert_eq!(aster.register(&user(), &format!("bot{number}"), agent).await, OK);
    }
    let over = "-1000 Agent quantity over limit";
    assert_eq!(aster.register(&user(), "more", agent().address()).await, over);
    aster.exchange.set_rules(Rules { max_agents: 21, ..Rules::default() });
    assert_eq!(aster.register(&user(), "more", agent().address()).await, OK);
}

#[tokio::test]
async fn agent_expiring_within_seven_days_is_refused() {
    let aster = Aster::new();
    let too_short = with(&aster, "expired", &(START + 7 * DAY_MS - 1).to_string());
    let text = "-1000 Agent expired time too short";
    assert_eq!(aster.register_text(&user(), &too_short).await, text);
    let enough = with(&aster, "expired", &(START + 7 * DAY_MS).to_string());
    assert_eq!(aster.register_text(&user(), &enough).await, OK);
}

#[tokio::test]
async fn withdraw_permission_requires_addresses() {
    let aster = Aster::new();
    let text = with(&aster, "canWithdraw", "true");
    let missing =
        "-1102 Mandatory parameter 'ipWhitelist' was not sent, was empty/null, or malformed.";
    assert_eq!(aster.register_text(&user(), &text).await, missing);
    let empty = format!("{text}&ipWhitelist=");
    assert_eq!(aster.register_text(&user(), &empty).await, missing);
    let one = format!("{text}&ipWhitelist=203.0.113.7");
    assert_eq!(aster.register_text(&user(), &one).await, OK);
}

#[tokio::test]
async fn registrations_over_minute_weight_return_429() {
    let aster = Aster::new();
    let reader = agent();
    for number in 0..48 {
        let user = Wallet::number(1 + number);
        let agent = Wallet::number(100 + number).address();
        assert_eq!(aster.register(&user, "bot", agent).await, OK);
    }
    let refused = aster.call("/fapi/v3/balance", user().address(), &reader).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.body, r#"{"code":-1003,"msg":"Too many requests"}"#);
    assert_eq!(refused.headers["retry-after"], "60");
    aster.clock.advance(60_000);
    let answer = aster.call("/fapi/v3/balance", user().address(), &reader).await;
    assert_eq!(said(&answer), "-1000 No agent found");
    assert_eq!(answer.headers["x-mbx-used-weight-1m"], "5");
}
