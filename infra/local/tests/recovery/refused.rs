//! Imports that must not succeed, and states from which a recovery must still succeed.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyperdex_local::{COSIGNER_TABLE, WALLETS_TABLE};
use protocol::recovery::{Half, RecoveryRecord, Side};
use protocol::{Imported, Transport, TransportedHalf};
use shared::wallets::{RefreshLimits, RefreshRequested, RefreshRun};

use crate::drill::{Drill, new_keys};

/// Runs the refresh job once.
async fn refresh_job(drill: &Drill) -> RefreshRun {
    let every_ms = 90 * 24 * 60 * 60 * 1_000;
    let limits = RefreshLimits { every_ms, limit: 10, run_time: Duration::from_mins(10) };
    drill.stack.refresh.refresh_aged(&limits).await.unwrap()
}

/// Returns a record with another half, which only HPKE's sender could make.
fn forged(record: &RecoveryRecord, transport: &Transport) -> TransportedHalf {
    let half = Half::from_bytes(&[7; 32]).unwrap();
    let mut value = serde_json::to_value(record).unwrap();
    value["point"] = STANDARD.encode(half.point()).into();
    let record: RecoveryRecord = serde_json::from_value(value).unwrap();
    let half = record.seal_for(&half, &transport.public_key).unwrap();
    TransportedHalf { record, half }
}

#[tokio::test]
async fn wrong_half_is_corrected_by_the_next_import() {
    let keys = new_keys();
    let drill = Drill::start(&keys).await;
    let alice = drill.wallet("alice").await;
    let records = [drill.records(Side::Endpoint).await, drill.records(Side::Cosigner).await];
    let transport = drill.begin(Side::Cosigner).await;
    drill.lose_table(COSIGNER_TABLE).await;
    let wrong = forged(&records[1][0], &transport);
    let imported = drill.import(Side::Cosigner, &transport, &[wrong]).await;
    assert_eq!(imported, [Imported::Restored]);
    assert!(drill.signs(&alice).await.is_err());
    let done = drill.recover(&keys[1], (&records[1], &records[0])).await;
    assert_eq!(done, [Imported::Restored]);
    drill.signs(&alice).await.unwrap();
    // A full share of the wallet is never replaced.
    for side in [Side::Cosigner, Side::Endpoint] {
        let late = drill.begin(side).await;
        let own = drill.records(side).await;
        let refused = drill.import(side, &late, &[forged(&own[0], &late)]).await;
        assert!(
            matches!(&refused[0], Imported::Refused(cause) if cause.contains("another key")),
            "{refused:?}"
        );
    }
    drill.signs(&alice).await.unwrap();
    drill.audited().await;
    drill.stop().await;
}

#[tokio::test]
async fn older_version_is_not_restored_after_a_newer_one() {
    let keys = new_keys();
    let drill = Drill::start(&keys).await;
    let alice = drill.wallet("alice").await;
    let old = [drill.records(Side::Endpoint).await, drill.records(Side::Cosigner).await];
    drill.stack.refresh.refresh(&alice.tenant, alice.wallet_id, None).await.unwrap();
    let new = [drill.records(Side::Endpoint).await, drill.records(Side::Cosigner).await];
    drill.lose_table(COSIGNER_TABLE).await;
    assert_eq!(drill.recover(&keys[1], (&new[1], &new[0])).await, [Imported::Restored]);
    let again = drill.recover(&keys[1], (&old[1], &old[0])).await;
    assert!(
        matches!(&again[0], Imported::Refused(cause) if cause.contains("newer version")),
        "{again:?}"
    );
    drill.signs(&alice).await.unwrap();
    drill.audited().await;
    drill.stop().await;
}

/// The cosigner uses version 2, and the endpoint side was restored from files with version 1.
#[tokio::test]
async fn older_version_is_replaced_by_a_newer_one_before_a_refresh() {
    let keys = new_keys();
    let drill = Drill::start(&keys).await;
    let alice = drill.wallet("alice").await;
    let old = [drill.records(Side::Endpoint).await, drill.records(Side::Cosigner).await];
    drill.stack.refresh.refresh(&alice.tenant, alice.wallet_id, None).await.unwrap();
    let new = [drill.records(Side::Endpoint).await, drill.records(Side::Cosigner).await];
    drill.lose_table(WALLETS_TABLE).await;
    assert_eq!(drill.recover(&keys[0], (&old[0], &old[1])).await, [Imported::Restored]);
    assert!(drill.signs(&alice).await.is_err());
    assert_eq!(drill.recover(&keys[0], (&new[0], &new[1])).await, [Imported::Restored]);
    assert_eq!(drill.recover(&keys[0], (&new[0], &new[1])).await, [Imported::Present]);
    let again = drill.recover(&keys[0], (&old[0], &old[1])).await;
    assert!(
        matches!(&again[0], Imported::Refused(cause) if cause.contains("newer version")),
        "{again:?}"
    );
    drill.signs(&alice).await.unwrap();
    drill.audited().await;
    drill.stop().await;
}

/// Nothing in the wallets' table shows that the cosigner's share was restored.
#[tokio::test]
async fn requested_refresh_completes_shares_restored_at_the_cosigner() {
    let keys = new_keys();
    let drill = Drill::start(&keys).await;
    let alice = drill.wallet("alice").await;
    let records = [drill.records(Side::Endpoint).await, drill.records(Side::Cosigner).await];
    drill.lose_table(COSIGNER_TABLE).await;
    // Without the cosigner's share the refresh fails, and the wallet rests.
    let request = || drill.stack.refresh.request_refresh(&alice.tenant, alice.wallet_id);
    assert_eq!(request().await.unwrap(), RefreshRequested::Noted);
    let run = refresh_job(&drill).await;
    assert_eq!((run.refreshed, run.failed), (0, 1));
    assert_eq!(drill.recover(&keys[1], (&records[1], &records[0])).await, [Imported::Restored]);
    assert_eq!(refresh_job(&drill).await.refreshed, 0);
    assert_eq!(request().await.unwrap(), RefreshRequested::Noted);
    assert_eq!(refresh_job(&drill).await.refreshed, 1);
    // The failed attempt has used version 2.
    assert_eq!(drill.versions(Side::Cosigner).await, [3]);
    drill.signs(&alice).await.unwrap();
    let unknown = drill.stack.refresh.request_refresh(&alice.tenant, uuid::Uuid::nil()).await;
    assert_eq!(unknown.unwrap(), RefreshRequested::NotFound);
    drill.audited().await;
    drill.stop().await;
}

#[tokio::test]
async fn unfinished_retirement_does_not_block_a_restored_share() {
    let keys = new_keys();
    let drill = Drill::start(&keys).await;
    let alice = drill.wallet("alice").await;
    drill.stack.refresh.refresh(&alice.tenant, alice.wallet_id, None).await.unwrap();
    // As if the endpoint had died between the switch and the end of the retirement.
    for mut item in drill.items(WALLETS_TABLE).await {
        if let Some(AttributeValue::M(refresh)) = item.get_mut("refresh") {
            refresh.insert("retire".to_owned(), AttributeValue::Bool(true));
            drill.put(WALLETS_TABLE, item).await;
        }
    }
    let records = [drill.records(Side::Endpoint).await, drill.records(Side::Cosigner).await];
    drill.lose_table(COSIGNER_TABLE).await;
    let done = drill.recover(&keys[1], (&records[1], &records[0])).await;
    assert_eq!(done, [Imported::Restored]);
    drill.signs(&alice).await.unwrap();
    assert_eq!(drill.versions(Side::Cosigner).await, [3]);
    drill.audited().await;
    drill.stop().await;
}

#[tokio::test]
async fn wallet_without_its_share_item_is_restored() {
    let keys = new_keys();
    let drill = Drill::start(&keys).await;
    let (alice, bob) = (drill.wallet("alice").await, drill.wallet("bob").await);
    let records = [drill.records(Side::Endpoint).await, drill.records(Side::Cosigner).await];
    for item in drill.items(WALLETS_TABLE).await {
        let is_hers = item["pk"].as_s().unwrap().ends_with(&alice.wallet_id.to_string());
        if is_hers && item["sk"].as_s().unwrap() == "share" {
            drill.delete(WALLETS_TABLE, item).await;
        }
    }
    assert!(drill.signs(&alice).await.is_err());
    let mut done = drill.recover(&keys[0], (&records[0], &records[1])).await;
    done.sort_by_key(|imported| *imported == Imported::Present);
    assert_eq!(done, [Imported::Restored, Imported::Present]);
    for wallet in [&alice, &bob] {
        drill.signs(wallet).await.unwrap();
    }
    drill.stop().await;
}
