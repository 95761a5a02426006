//! What is stored: items of every kind in DynamoDB's JSON, the audit log, seals, the policy.

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

/// The setting that policies are read for.
pub(crate) const SETTING: Setting = Setting {
    hyperliquid_chain: HyperliquidChain::Mainnet,
    aster_chain: HyperliquidChain::Mainnet,
    aster_signature_chain_id: 56,
    aster_login: true,
};

/// The same item as each of them.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut verifier = Verifier::default();
    for line in text.lines() {
        verifier.line(line);
    }
    drop(verifier.finish());
    if let Ok(policy) = Policy::new(text, SETTING) {
        let again = Policy::new(text, SETTING).expect("it is read once more");
        assert_eq!(policy.version(), again.version());
    }
    if let Ok(seal) = serde_json::from_str::<Seal>(text) {
        let written = serde_json::to_string(&seal).expect("it is written");
        assert_eq!(serde_json::from_str::<Seal>(&written).ok(), Some(seal));
    }
    let Ok(item) = serde_json::from_str::<serde_dynamo::Item>(text) else { return };
    let item: Item = item.into();
    again::<WalletRecord>(&item);
    again::<ShareRecord>(&item);
    again::<Nonces>(&item);
    again::<CredentialRecord>(&item);
    again::<RequestRecord>(&item);
    again::<SessionRecord>(&item);
    again::<ShareItem>(&item);
    again::<Record>(&item);
    again::<Sealed>(&item);
    let _ = from_item::<ListedWallet>("wallet", item);
}

/// What is read is written as what is read as the same, and shown without what is sealed.
fn again<T: Debug + DeserializeOwned + Serialize>(item: &Item) {
    let Ok(record) = from_item::<T>("item", item.clone()) else { return };
    let schema = Item::from([("schema".to_owned(), item["schema"].clone())]);
    let once = to_record(schema.clone(), &record).expect("it is written");
    let read: T = from_item("item", once.clone()).expect("it is read again");
    assert_eq!(to_record(schema, &read).expect("it is written again"), once);
    assert_eq!(format!("{record:?}"), format!("{read:?}"));
}
