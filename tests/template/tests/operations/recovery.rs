//! A recovery of the cosigner's side, and the export of a wallet.

use domain::ids::Tenant;
use http::Method;
use hyperdex_local::approver::ApproverKey;
use hyperdex_local::{COSIGNER_RECOVERY_TABLE, COSIGNER_TABLE};
use platform::items::{Item, from_item};
use protocol::recovery::{OpeningKey, RecoveryKey, RecoveryRecord, Side};
use protocol::{Imported, RecoveryAnswer, RecoveryCall, TransportedHalf, WalletKey};
use serde_json::json;

use super::{policies, sign};
use crate::cloud::Cloud;

/// The holders' keys of the endpoint side and of the cosigner.
pub(super) struct Holders([OpeningKey; 2]);

impl Holders {
    pub(super) fn new() -> Self {
        Self([(); 2].map(|()| OpeningKey::generate().unwrap()))
    }

    /// Returns the public keys, as the template's parameters have them.
    pub(super) fn public(&self) -> [String; 2] {
        let text = |side, at: usize| RecoveryKey { side, key: *self.0[at].public() }.to_string();
        [text(Side::Endpoint, 0), text(Side::Cosigner, 1)]
    }
}

async fn items(cloud: &Cloud, table: &str) -> Vec<Item> {
    let scan = cloud.app.stack.aws().dynamodb().scan().table_name(table).consistent_read(true);
    scan.into_paginator().items().send().collect::<Result<_, _>>().await.unwrap()
}

async fn wallet(cloud: &Cloud, user: &str) -> serde_json::Value {
    let path = format!("/api/wallets/{user}");
    cloud.send("get-wallet", (Method::GET, &path), None).await.1
}

/// Makes a transport key, and restores the cosigner's share of a wallet that is lost.
pub(super) async fn restored(cloud: &Cloud, holders: &Holders, user: &str) {
    let RecoveryAnswer::Begun(transport) = cloud.operate(RecoveryCall::Begin).await else {
        panic!("expected a transport key");
    };
    let wallet_id = wallet(cloud, user).await["walletId"].as_str().unwrap().to_owned();
    let partition = format!("{}#W#{wallet_id}", Tenant::local());
    let is_its = |item: &Item, sort: &str| {
        let starts = |name: &str, text: &str| item[name].as_s().unwrap().starts_with(text);
        starts("pk", &partition) && starts("sk", sort)
    };
    let records = items(cloud, COSIGNER_RECOVERY_TABLE).await.into_iter();
    let records = records.filter(|item| is_its(item, "recovery#"));
    let records = records.map(|item| from_item::<RecoveryRecord>("recovery record", item).unwrap());
    let record = records.max_by_key(|record| record.key_version).unwrap();
    let shares = items(cloud, COSIGNER_TABLE).await.into_iter();
    let shares = shares.filter(|it| is_its(it, "share#") && it.contains_key("sealed"));
    for mut item in shares {
        item.retain(|name, _| name == "pk" || name == "sk");
        let delete = cloud.app.stack.aws().dynamodb().delete_item().table_name(COSIGNER_TABLE);
        delete.set_key(Some(item)).send().await.unwrap();
    }
    let half = record.open(&holders.0[1]).unwrap();
    let half = record.seal_for(&half, &transport.public_key).unwrap();
    let halves = vec![TransportedHalf { record, half }];
    let call = RecoveryCall::Import { transport, halves };
    let RecoveryAnswer::Imported(done) = cloud.operate(call).await else {
        panic!("expected an import");
    };
    assert_eq!(done, [Imported::Restored]);
    assert_eq!(sign(cloud, user).await, 200);
}

/// Exports the cosigner's half of a wallet's key under an approved change.
pub(super) async fn exported(cloud: &Cloud, key: &ApproverKey, user: &str) {
    let wallet = wallet(cloud, user).await;
    let wallet_id: uuid::Uuid = wallet["walletId"].as_str().unwrap().parse().unwrap();
    let recipient = *OpeningKey::generate().unwrap().public();
    let shares = items(cloud, COSIGNER_TABLE).await.into_iter();
    let live = shares.filter(|it| {
        it["pk"].as_s().unwrap().ends_with(&wallet_id.to_string()) && it.contains_key("sealed")
    });
    let versions =
        live.filter_map(|it| it["sk"].as_s().unwrap().strip_prefix("share#")?.parse().ok());
    let share_version: u32 = versions.max().unwrap();
    let until_s = (cloud.app.clock.now_ms() + 3 * e2e::DAY_MS) / 1_000;
    let change = json!({ "type": "exportWallet", "export": {
        "walletId": wallet_id, "address": wallet["address"], "shareVersion": share_version,
        "recipient": recipient.to_string(), "untilS": until_s } });
    policies::made(cloud, key, change).await;
    // Without any seal, payments would be off after two days.
    cloud.run("seal-audit").await;
    cloud.app.clock.advance_ms(e2e::DAY_MS + 60_000);
    let (_, policy) = cloud.send("get-policy", (Method::GET, "/api/policy"), None).await;
    let change = policy["data"]["exports"][0]["change"].as_u64();
    let change = change.unwrap_or_else(|| panic!("{policy}"));
    let key = WalletKey { tenant: Tenant::local(), wallet_id, key_version: share_version };
    let call = RecoveryCall::Export { key, change, recipient, released: None };
    let answer = cloud.operate(call).await;
    assert!(matches!(answer, RecoveryAnswer::Exported(_)), "{answer:?}");
}
