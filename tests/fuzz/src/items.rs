//! Target for stored data: items in DynamoDB's JSON, the audit log, seals and the policy.

use std::fmt::Debug;

use cosigner::audit::Record;
use cosigner::audit::verify::Verifier;
use cosigner::{Policy, SessionRecord, Setting, ShareItem};
use domain::intent::HyperliquidChain;
use platform::items::{Item, from_item, to_record};
use seal_audit::seal::{Seal, Sealed};
use serde::Serialize;
use serde::de::DeserializeOwned;
use shared::store::{
    CredentialRecord, ListedWallet, Nonces, RequestRecord, ShareRecord, WalletRecord,
};

/// The setting of the policies.
pub(crate) const SETTING: Setting = Setting {
    hyperliquid_chain: HyperliquidChain::Mainnet,
    aster_chain: HyperliquidChain::Mainnet,
    aster_signature_chain_id: 56,
    aster_login: true,
};

/// Parses the bytes as each kind of item.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut verifier = Verifier::default();
    for line in text.lines() {
        verifier.line(line);
    }
    drop(verifier.finish());
    if let Ok(policy) = Policy::new(text, SETTING) {
        let again = Policy::new(text, SETTING).expect("a valid policy");
        assert_eq!(policy.version(), again.version());
    }
    if let Ok(seal) = serde_json::from_str::<Seal>(text) {
        let written = serde_json::to_string(&seal).expect("a serialized value");
        assert_eq!(serde_json::from_str::<Seal>(&written).ok(), Some(seal));
    }
    let Ok(item) = serde_json::from_str::<serde_dynamo::Item>(text) else { return };
    let item: Item = item.into();
    assert_round_trip::<WalletRecord>(&item);
    assert_round_trip::<ShareRecord>(&item);
    assert_round_trip::<Nonces>(&item);
    assert_round_trip::<CredentialRecord>(&item);
    assert_round_trip::<RequestRecord>(&item);
    assert_round_trip::<SessionRecord>(&item);
    assert_round_trip::<ShareItem>(&item);
    assert_round_trip::<Record>(&item);
    assert_round_trip::<Sealed>(&item);
    let _ = from_item::<ListedWallet>("wallet", item);
}

/// Checks that a parsed item survives a round trip and that its debug output does not depend on
/// sealed data.
fn assert_round_trip<T: Debug + DeserializeOwned + Serialize>(item: &Item) {
    let Ok(record) = from_item::<T>("item", item.clone()) else { return };
    let schema = Item::from([("schema".to_owned(), item["schema"].clone())]);
    let once = to_record(schema.clone(), &record).expect("a serialized value");
    let read: T = from_item("item", once.clone()).expect("a readable item");
    assert_eq!(to_record(schema, &read).expect("a serialized value"), once);
    assert_eq!(format!("{record:?}"), format!("{read:?}"));
}
