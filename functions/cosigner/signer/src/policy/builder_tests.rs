use domain::intent::{AsterApproveBuilder, HyperliquidApproveBuilder};

use super::*;

const NOW: u64 = 1_790_000_000_000;
const BUILDER: &str = "0x8c967E73E7B15087c42A10D344cFf4c96D877f1D";
const WALLET: &str = "0xe58B8D324dfbaC31E4c344a92100C75d7f9a2d81";

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn setting() -> Setting {
    Setting {
        hyperliquid_chain: HyperliquidChain::Mainnet,
        aster_chain: HyperliquidChain::Testnet,
        aster_signature_chain_id: 56,
        aster_login: false,
    }
}

/// Returns the built-in document with these builders.
fn document(hyperliquid: &str, aster: &str) -> String {
    let none = r#"{ "hyperliquid": [], "aster": [] }"#;
    let changed = format!(r#"{{ "hyperliquid": [{hyperliquid}], "aster": [{aster}] }}"#);
    assert!(DEFAULT.contains(none));
    DEFAULT.replace(none, &changed)
}

fn entry(address: &str, fee: u16) -> String {
    format!(r#"{{ "address": "{address}", "fee": {fee} }}"#)
}

fn hyperliquid(change: impl FnOnce(&mut HyperliquidApproveBuilder)) -> Intent {
    let mut intent = HyperliquidApproveBuilder {
        chain: HyperliquidChain::Mainnet,
        builder: address(BUILDER),
        max_fee: 50.try_into().unwrap(),
        nonce_ms: NOW,
    };
    change(&mut intent);
    Intent::HyperliquidApproveBuilder(intent)
}

fn aster(change: impl FnOnce(&mut AsterApproveBuilder)) -> Intent {
    let mut intent = AsterApproveBuilder {
        is_update: false,
        builder: address(BUILDER),
        max_fee: 50.try_into().unwrap(),
        chain: HyperliquidChain::Testnet,
        user: address(WALLET),
        nonce_us: NOW * 1_000,
        signature_chain_id: 56,
    };
    change(&mut intent);
    Intent::AsterApproveBuilder(intent)
}

fn verdict(document: &str, intent: &Intent) -> Result<(), Refusal> {
    Policy::new(document, setting()).unwrap().check(address(WALLET), intent, NOW)
}

fn refused(reason: &str) -> Result<(), Refusal> {
    Err(Refusal::Policy(reason.to_owned()))
}

#[test]
fn builder_is_refused_by_default() {
    for intent in [hyperliquid(|_| {}), aster(|_| {})] {
        assert_eq!(verdict(DEFAULT, &intent), refused("this builder is not allowed"));
    }
}

/// A document from before there were builders names neither the intents nor the rules.
#[test]
fn builder_is_refused_by_an_earlier_document() {
    let mut old: serde_json::Value = serde_json::from_str(DEFAULT).unwrap();
    assert!(old.as_object_mut().unwrap().remove("builders").is_some());
    let intents = old["intents"].as_array_mut().unwrap();
    intents.retain(|name| !name.as_str().unwrap().ends_with("ApproveBuilder"));
    let old = old.to_string();
    assert!(!old.contains("uilder"), "{old}");
    for intent in [hyperliquid(|_| {}), aster(|_| {})] {
        assert_eq!(verdict(&old, &intent), refused("this intent is not allowed"));
    }
}

#[test]
fn named_builder_is_allowed_up_to_its_fee() {
    let both = document(&entry(BUILDER, 50), &entry(&BUILDER.to_lowercase(), 50));
    let lower = |tenths: u16| tenths.try_into().unwrap();
    for intent in [hyperliquid(|_| {}), hyperliquid(|it| it.max_fee = lower(1))] {
        assert_eq!(verdict(&both, &intent), Ok(()));
    }
    for intent in
        [aster(|_| {}), aster(|it| it.is_update = true), aster(|it| it.max_fee = lower(1))]
    {
        assert_eq!(verdict(&both, &intent), Ok(()));
    }
    let above = "the builder's fee is above the maximum";
    assert_eq!(verdict(&both, &hyperliquid(|it| it.max_fee = lower(51))), refused(above));
    assert_eq!(verdict(&both, &aster(|it| it.max_fee = lower(51))), refused(above));
}

#[test]
fn builder_of_the_other_exchange_is_refused() {
    let only = document(&entry(BUILDER, 50), "");
    assert_eq!(verdict(&only, &hyperliquid(|_| {})), Ok(()));
    assert_eq!(verdict(&only, &aster(|_| {})), refused("this builder is not allowed"));
}

#[test]
fn altered_approval_of_a_builder_is_refused() {
    let both = document(&entry(BUILDER, 50), &entry(BUILDER, 50));
    let other = address("0xc2af13e1B1de3A015252A115309A0F9DEEDCFa0A");
    for intent in [
        hyperliquid(|it| it.builder = other),
        hyperliquid(|it| it.builder = Address::ZERO),
        hyperliquid(|it| it.builder = address(WALLET)),
        hyperliquid(|it| it.chain = HyperliquidChain::Testnet),
        hyperliquid(|it| it.nonce_ms = NOW + 6 * 60_000),
        aster(|it| it.builder = other),
        aster(|it| it.builder = address(WALLET)),
        aster(|it| it.user = other),
        aster(|it| it.chain = HyperliquidChain::Mainnet),
        aster(|it| it.signature_chain_id = 1_666),
        aster(|it| it.nonce_us = NOW),
    ] {
        assert!(verdict(&both, &intent).is_err(), "{intent:?}");
    }
}

#[test]
fn document_with_an_invalid_builder_is_refused() {
    let zero = "0x0000000000000000000000000000000000000000";
    let twice = format!("{}, {}", entry(BUILDER, 50), entry(&BUILDER.to_lowercase(), 1));
    for list in [entry(BUILDER, 0), entry(BUILDER, 101), entry("0x12", 1), entry(zero, 1), twice] {
        assert!(Policy::new(&document(&list, ""), setting()).is_err(), "{list}");
        assert!(Policy::new(&document("", &list), setting()).is_err(), "{list}");
    }
}
