use domain::intent::{
    AsterDeleteAgent, AsterLogin, AsterRegisterAgent, HyperliquidApproveAgent,
    HyperliquidRevokeAgent, MessageError,
};

use super::*;

const NOW: u64 = 1_790_000_000_000;
const DAY: u64 = 24 * 60 * 60 * 1_000;

fn wallet() -> Address {
    "0xe58B8D324dfbaC31E4c344a92100C75d7f9a2d81".parse().unwrap()
}

fn agent() -> Address {
    "0x410D9849b1089D6DB21dFDD1a0a946Ce1a2d53FA".parse().unwrap()
}

fn setting(aster_login: bool) -> Setting {
    Setting {
        hyperliquid_chain: HyperliquidChain::Mainnet,
        aster_chain: HyperliquidChain::Mainnet,
        aster_signature_chain_id: 56,
        aster_login,
    }
}

fn policy(aster_login: bool) -> Policy {
    Policy::default_for(setting(aster_login)).unwrap()
}

fn check(intent: &Intent) -> Result<(), String> {
    match policy(false).check(wallet(), intent, NOW) {
        Ok(()) => Ok(()),
        Err(Refusal::Policy(reason)) => Err(reason),
        Err(other) => panic!("{other}"),
    }
}

fn hyperliquid(change: impl FnOnce(&mut HyperliquidApproveAgent)) -> Result<(), String> {
    let mut intent = HyperliquidApproveAgent {
        chain: HyperliquidChain::Mainnet,
        agent: agent(),
        name: "hdx1abc".to_owned(),
        valid_until_ms: NOW + 180 * DAY - 60_000,
        nonce_ms: NOW,
    };
    change(&mut intent);
    check(&Intent::HyperliquidApproveAgent(intent))
}

fn aster(change: impl FnOnce(&mut AsterRegisterAgent)) -> Result<(), String> {
    let mut intent = AsterRegisterAgent {
        user: wallet(),
        nonce_us: NOW * 1_000,
        name: "hdx1abc".to_owned(),
        agent: agent(),
        expires_ms: NOW + 180 * DAY - 60_000,
        signature_chain_id: 56,
        can_spot_trade: true,
        can_perp_trade: true,
        ip_whitelist: None,
    };
    change(&mut intent);
    check(&Intent::AsterRegisterAgent(intent))
}

#[test]
fn honest_registrations_are_allowed() {
    assert_eq!(hyperliquid(|_| {}), Ok(()));
    assert_eq!(aster(|_| {}), Ok(()));
}

#[test]
fn altered_hyperliquid_approval_is_refused() {
    assert!(hyperliquid(|intent| intent.chain = HyperliquidChain::Testnet).is_err());
    assert!(hyperliquid(|intent| intent.agent = Address::ZERO).is_err());
    assert!(hyperliquid(|intent| intent.agent = wallet()).is_err());
    assert!(hyperliquid(|intent| intent.valid_until_ms = NOW + 180 * DAY + 1).is_err());
    assert!(hyperliquid(|intent| intent.valid_until_ms = NOW).is_err());
    assert!(hyperliquid(|intent| intent.nonce_ms = NOW + 6 * 60_000).is_err());
    assert!(hyperliquid(|intent| intent.nonce_ms = NOW - 6 * 60_000).is_err());
    for name in ["", "hdx", "bot", "hdx1 valid_until 9999999999999", "hdxabcdefghijklmn", "hdxA"] {
        assert!(hyperliquid(|intent| intent.name = name.to_owned()).is_err(), "{name}");
    }
}

#[test]
fn altered_aster_registration_is_refused() {
    assert!(aster(|intent| intent.user = agent()).is_err());
    assert!(aster(|intent| intent.agent = wallet()).is_err());
    assert!(aster(|intent| intent.agent = Address::ZERO).is_err());
    assert!(aster(|intent| intent.signature_chain_id = 1).is_err());
    assert!(aster(|intent| intent.expires_ms = NOW + 181 * DAY).is_err());
    assert!(aster(|intent| intent.nonce_us = NOW).is_err());
    assert!(aster(|intent| intent.name = "hdx1&canWithdraw=true".to_owned()).is_err());
}

fn revoke(change: impl FnOnce(&mut HyperliquidRevokeAgent)) -> Result<(), String> {
    let mut intent = HyperliquidRevokeAgent {
        chain: HyperliquidChain::Mainnet,
        name: "hdx1abc".to_owned(),
        nonce_ms: NOW,
    };
    change(&mut intent);
    check(&Intent::HyperliquidRevokeAgent(intent))
}

fn delete(change: impl FnOnce(&mut AsterDeleteAgent)) -> Result<(), String> {
    let mut intent = AsterDeleteAgent {
        agent: agent(),
        chain: HyperliquidChain::Mainnet,
        user: wallet(),
        nonce_us: NOW * 1_000,
        signature_chain_id: 56,
    };
    change(&mut intent);
    check(&Intent::AsterDeleteAgent(intent))
}

#[test]
fn altered_removal_is_refused() {
    assert_eq!(revoke(|_| {}), Ok(()));
    assert!(revoke(|intent| intent.chain = HyperliquidChain::Testnet).is_err());
    assert!(revoke(|intent| intent.nonce_ms = NOW + 6 * 60_000).is_err());
    for name in ["", "hdx", "bot", "hdx1 valid_until 9999999999999"] {
        assert!(revoke(|intent| intent.name = name.to_owned()).is_err(), "{name}");
    }
    assert_eq!(delete(|_| {}), Ok(()));
    assert!(delete(|intent| intent.user = agent()).is_err());
    assert!(delete(|intent| intent.chain = HyperliquidChain::Testnet).is_err());
    assert!(delete(|intent| intent.signature_chain_id = 1).is_err());
    assert!(delete(|intent| intent.nonce_us = NOW).is_err());
}

#[test]
fn aster_removal_on_another_network_is_refused() {
    let intent = |chain| {
        Intent::AsterDeleteAgent(AsterDeleteAgent {
            agent: agent(),
            chain,
            user: wallet(),
            nonce_us: NOW * 1_000,
            signature_chain_id: 56,
        })
    };
    let (mainnet, testnet) = (HyperliquidChain::Mainnet, HyperliquidChain::Testnet);
    for (hyperliquid_chain, aster_chain, other) in
        [(mainnet, testnet, mainnet), (testnet, mainnet, testnet), (testnet, testnet, mainnet)]
    {
        let setting = Setting { hyperliquid_chain, aster_chain, ..setting(false) };
        let policy = Policy::default_for(setting).unwrap();
        assert!(policy.check(wallet(), &intent(aster_chain), NOW).is_ok(), "{setting:?}");
        assert!(policy.check(wallet(), &intent(other), NOW).is_err(), "{setting:?}");
    }
}

#[test]
fn document_without_aster_chains_allows_hyperliquid_chains() {
    let old =
        DEFAULT.replacen("\"chains\": [\"Mainnet\", \"Testnet\"], \"signature", "\"signature", 1);
    assert_ne!(old, DEFAULT);
    let testnet = Setting { aster_chain: HyperliquidChain::Testnet, ..setting(false) };
    assert!(Policy::new(&old, testnet).is_ok());
    let narrow = old.replacen("[\"Mainnet\", \"Testnet\"]", "[\"Mainnet\"]", 1);
    assert!(Policy::new(&narrow, setting(false)).is_ok());
    assert!(Policy::new(&narrow, testnet).is_err());
}

#[test]
fn login_without_the_v1_setting_is_refused() {
    let login = |nonce: &str| Intent::AsterLogin(AsterLogin { nonce: nonce.to_owned() });
    assert_eq!(check(&login("111111")), Err("this intent is not allowed".to_owned()));
    let policy = policy(true);
    assert!(policy.check(wallet(), &login("111111"), NOW).is_ok());
    for nonce in ["", "1 and more", "0x1", &"1".repeat(33)] {
        assert!(policy.check(wallet(), &login(nonce), NOW).is_err(), "{nonce}");
    }
}

/// Returns the policy's verdict on a message that an endpoint sends without its own check.
fn message(text: &str) -> Result<(), String> {
    let bytes = postcard::to_stdvec(text).unwrap();
    check(&Intent::PersonalMessage(postcard::from_bytes(&bytes).unwrap()))
}

/// Asserts that the policy refuses a text of Lighter, in its exact spelling and in variants.
fn lighter_text_is_refused(beginning: &str) {
    let text = |last_line: &str| format!("{beginning}\n\nnonce: 0x0000000000000007\n{last_line}");
    assert_eq!(message(&text("chainId: 0x0000000000000130")), Ok(()), "without its last line");
    for last_line in [
        "Only sign this message for a trusted client!",
        "ONLY SIGN THIS MESSAGE FOR A TRUSTED CLIENT!",
        "Only\u{3000}sign th\u{200b}is message for a trusted client!",
        "Ｏｎｌｙ sign this message for a trusted client!",
    ] {
        let refused = message(&text(last_line)).unwrap_err();
        assert_eq!(refused, MessageError::Reserved.to_string(), "{last_line}");
    }
}

#[test]
fn lighter_transfer_is_refused() {
    lighter_text_is_refused("Transfer");
}

#[test]
fn lighter_integrator_approval_is_refused() {
    lighter_text_is_refused("Approve Integrator");
}

#[test]
fn lighter_sub_account_is_refused() {
    lighter_text_is_refused("Create Lighter Sub Account");
}

#[test]
fn lighter_airdrop_allocation_is_refused() {
    lighter_text_is_refused("Airdrop Allocation");
}

#[test]
fn login_as_a_personal_message_is_refused() {
    assert_eq!(message("hello"), Ok(()));
    for text in [
        "You are signing into Astherus 111111",
        "you  are signing\ninto Aster DEX 1",
        "Register Lighter Account\n\npubkey: 0x00",
        "",
    ] {
        assert!(message(text).is_err(), "{text:?}");
    }
}

/// The document decides. An invalid document prevents the start.
#[test]
fn document_narrows_the_policy() {
    let change = |from: &str, to: &str| {
        assert!(DEFAULT.contains(from), "{from}");
        Policy::new(&DEFAULT.replacen(from, to, 1), setting(false))
    };
    let message = Intent::PersonalMessage(PersonalMessage::parse("hello you").unwrap());
    assert!(policy(false).check(wallet(), &message, NOW).is_ok());
    for (from, to) in [
        ("\"PersonalMessage\",", ""),
        ("\"maxBytes\": 8192", "\"maxBytes\": 8"),
        ("\"You are signing into\"", "\"HELLO  you\""),
    ] {
        assert!(change(from, to).unwrap().check(wallet(), &message, NOW).is_err(), "{to}");
    }
    let login = "You are signing into Astherus 1";
    let login = postcard::from_bytes(&postcard::to_stdvec(login).unwrap()).unwrap();
    let login = Intent::PersonalMessage(login);
    let open = change("\"You are signing into\", ", "").unwrap();
    assert!(open.check(wallet(), &login, NOW).is_err(), "the service's own list applies");
    for (from, to) in [
        ("[\"Mainnet\", \"Testnet\"]", "[\"Testnet\"]"),
        ("\"aster\": { \"chains\": [\"Mainnet\", ", "\"aster\": { \"chains\": ["),
        ("[56]", "[1]"),
        ("\"PersonalMessage\"", "\"RawDigest\""),
        ("\"maxValidityDays\": 180", "\"maxValidityDays\": 181"),
        ("\"maxBytes\"", "\"maxBites\""),
        ("\"perDay\": 10000 ", ""),
    ] {
        assert!(change(from, to).is_err(), "{to}");
    }
    // An empty prefix would refuse every message.
    for empty in ["\"\"", "\" !\\u200b\""] {
        assert!(change("\"You are signing into\"", empty).is_err(), "{empty}");
    }
    assert_ne!(policy(false).version(), change("8192", "8191").unwrap().version());
}

/// Returns the built-in document with another section of payments.
fn with_payments(change: impl FnOnce(&mut serde_json::Value)) -> String {
    let mut document: serde_json::Value = serde_json::from_str(DEFAULT).unwrap();
    change(&mut document["payments"]);
    document.to_string()
}

#[test]
fn document_with_ambiguous_payments_is_refused() {
    let changes: [fn(&mut serde_json::Value); 8] = [
        // The same name with another id is another token.
        |it| {
            let mut other = it["hyperliquid"]["tokens"][0].clone();
            other["token"] = format!("USDC:0x{}", "0".repeat(32)).into();
            it["hyperliquid"]["tokens"].as_array_mut().unwrap().push(other);
        },
        |it| it["evm"][0]["tokens"][0]["symbol"] = "native".into(),
        |it| it["evm"][0]["tokens"][0]["symbol"] = "usdt".into(),
        |it| it["evm"][0]["tokens"][0]["contract"] = it["evm"][0]["tokens"][1]["contract"].clone(),
        |it| it["evm"][0]["chainId"] = 56.into(),
        // Money would arrive where no payment can leave.
        |it| {
            it["evm"].as_array_mut().unwrap().retain(|chain| chain["chainId"] != 56);
        },
        |it| it["aster"][0]["asset"] = "USDC".into(),
        |it| it["evm"][0]["minFeePerGas"] = 200_000_000_001_u64.into(),
    ];
    assert!(Policy::new(&with_payments(|_| {}), setting(false)).is_ok());
    for (place, change) in changes.into_iter().enumerate() {
        assert!(Policy::new(&with_payments(change), setting(false)).is_err(), "{place}");
    }
    // A document from before there were minimums.
    let old = with_payments(|it| {
        let row = it["evm"][2].as_object_mut().unwrap();
        row.remove("minFeePerGas");
        row.remove("extraFee");
        it["hyperliquid"].as_object_mut().unwrap().remove("activationFee");
    });
    assert!(Policy::new(&old, setting(false)).is_ok());
}
