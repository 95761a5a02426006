//! Recovery drills: each part of the stack that can be lost, and the wallets afterwards.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot continue fails")]

mod commands;
mod drill;
mod export;
mod refused;

use domain::eth::AgentKey;
use domain::ids::WalletRef;
use hyperdex_local::{COSIGNER_TABLE, RECOVERY_TABLE, WALLETS_TABLE};
use hyperdex_recovery::check;
use protocol::Imported;
use protocol::recovery::{Side, private_key};
use shared::wallets::ShareUse;

use drill::{Drill, new_keys};

#[tokio::test]
async fn lost_endpoint_table_is_restored() {
    let keys = new_keys();
    let drill = Drill::start(&keys).await;
    let (alice, bob) = (drill.wallet("alice").await, drill.wallet("bob").await);
    drill.signs(&alice).await.unwrap();
    let old = drill.stack.custody.share(&alice).await.unwrap();
    let (own, other) = (drill.records(Side::Endpoint).await, drill.records(Side::Cosigner).await);
    assert_eq!((own.len(), other.len()), (2, 2));
    drill.lose_table(WALLETS_TABLE).await;
    assert!(drill.signs(&alice).await.is_err());
    let done = drill.recover(&keys[0], (&own, &other)).await;
    assert_eq!(done, [Imported::Restored, Imported::Restored]);
    // A repeat changes nothing.
    assert_eq!(drill.recover(&keys[0], (&own, &other)).await, vec![Imported::Present; 2]);
    for wallet in [&alice, &bob] {
        drill.signs(wallet).await.unwrap();
        drill.signs(wallet).await.unwrap();
    }
    // The first signature has refreshed the shares, so the old ones are retired.
    assert_eq!(drill.signs_with(&alice, &old).await, "RETIRED");
    assert_eq!(drill.versions(Side::Endpoint).await, [2, 2]);
    assert_eq!(drill.versions(Side::Cosigner).await, [2, 2]);
    drill.audited().await;
    drill.stop().await;
}

#[tokio::test]
async fn lost_cosigner_table_is_restored() {
    let keys = new_keys();
    let drill = Drill::start(&keys).await;
    let alice = drill.wallet("alice").await;
    let old = drill.stack.custody.share(&alice).await.unwrap();
    let (other, own) = (drill.records(Side::Endpoint).await, drill.records(Side::Cosigner).await);
    drill.lose_table(COSIGNER_TABLE).await;
    assert!(drill.signs(&alice).await.is_err());
    assert_eq!(drill.recover(&keys[1], (&own, &other)).await, [Imported::Restored]);
    assert_eq!(drill.recover(&keys[1], (&own, &other)).await, [Imported::Present]);
    // A hollow share signs nothing before its refresh.
    assert_eq!(drill.signs_with(&alice, &old).await, "WORN");
    drill.signs(&alice).await.unwrap();
    assert_eq!(drill.signs_with(&alice, &old).await, "RETIRED");
    assert!(drill.audited().await >= 6);
    drill.stop().await;
}

#[tokio::test]
async fn lost_kms_keys_are_survived() {
    let keys = new_keys();
    let drill = Drill::start(&keys).await;
    let alice = drill.wallet("alice").await;
    let records = [drill.records(Side::Endpoint).await, drill.records(Side::Cosigner).await];
    for (at, side) in [(0, Side::Endpoint), (1, Side::Cosigner)] {
        let records = if at == 0 {
            records.clone()
        } else {
            [drill.records(Side::Endpoint).await, drill.records(Side::Cosigner).await]
        };
        drill.lose_key(side).await;
        assert!(drill.signs(&alice).await.is_err(), "{side}");
        let done = drill.recover(&keys[at], (&records[at], &records[1 - at])).await;
        assert_eq!(done, [Imported::Restored], "{side}");
        drill.signs(&alice).await.unwrap();
    }
    drill.audited().await;
    drill.stop().await;
}

#[tokio::test]
async fn both_sides_lost_are_restored_in_a_new_stack() {
    let keys = new_keys();
    let lost = Drill::start(&keys).await;
    let (alice, bob) = (lost.wallet("alice").await, lost.wallet("bob").await);
    // One of them has been refreshed, so its newest version is another.
    lost.stack.refresh.refresh(&bob.tenant, bob.wallet_id, None).await.unwrap();
    let records = [lost.records(Side::Endpoint).await, lost.records(Side::Cosigner).await];
    assert_eq!(lost.versions(Side::Cosigner).await, [1, 2]);
    lost.stop().await;
    let new = Drill::start(&keys).await;
    for at in [0, 1] {
        let done = new.recover(&keys[at], (&records[at], &records[1 - at])).await;
        assert_eq!(done, vec![Imported::Restored; 2]);
    }
    for wallet in [&alice, &bob] {
        new.signs(wallet).await.unwrap();
        let name = WalletRef::Address(wallet.address);
        let found = new.stack.custody.store.find(&wallet.tenant, &name);
        assert_eq!(found.await.unwrap().unwrap().wallet.user_id, wallet.user_id);
    }
    // The records of the new shares are those of the new stack, and the old ones are gone.
    assert_eq!(new.versions(Side::Endpoint).await, [2, 3]);
    assert_eq!(new.versions(Side::Cosigner).await, [2, 3]);
    new.audited().await;
    new.stop().await;
}

#[tokio::test]
async fn refresh_job_completes_restored_shares() {
    let keys = new_keys();
    let drill = Drill::start(&keys).await;
    let alice = drill.wallet("alice").await;
    let (own, other) = (drill.records(Side::Endpoint).await, drill.records(Side::Cosigner).await);
    drill.lose_table(WALLETS_TABLE).await;
    drill.recover(&keys[0], (&own, &other)).await;
    drill.stack.scheduled.run(hyperdex_local::jobs::JobName::Refresh).await.unwrap();
    let name = WalletRef::Wallet(alice.wallet_id);
    let view = drill.stack.custody.store.find(&alice.tenant, &name).await.unwrap().unwrap();
    assert_eq!(view.wallet.key_version, 2);
    let share = drill.stack.custody.share_for(&view.wallet, ShareUse::Sign).await.unwrap();
    assert!(!share.is_hollow());
    drill.signs(&alice).await.unwrap();
    drill.stop().await;
}

#[tokio::test]
async fn records_follow_the_shares_of_a_refresh() {
    let keys = new_keys();
    // A wallet that exists before the keys.
    let before = Drill::start(&[]).await;
    let alice = before.wallet("alice").await;
    assert!(before.items(RECOVERY_TABLE).await.is_empty());
    let folder = before.stop().await;
    // Only the cosigner has a key: its old record would be worthless alone, so it is kept.
    let half = Drill::start_in(folder, &keys[1..]).await;
    for _ in 0..2 {
        half.stack.refresh.refresh(&alice.tenant, alice.wallet_id, None).await.unwrap();
    }
    assert_eq!(half.versions(Side::Endpoint).await, [0_u32; 0]);
    assert_eq!(half.versions(Side::Cosigner).await, [2, 3]);
    let folder = half.stop().await;
    let both = Drill::start_in(folder, &keys).await;
    both.stack.refresh.refresh(&alice.tenant, alice.wallet_id, None).await.unwrap();
    let records = [both.records(Side::Endpoint).await, both.records(Side::Cosigner).await];
    assert_eq!(both.versions(Side::Endpoint).await, [4]);
    assert_eq!(both.versions(Side::Cosigner).await, [4]);
    for (at, key) in keys.iter().enumerate() {
        let other = Some(&*records[1 - at]);
        let report = check::verify(key, &records[at], other, None, |_| {}).unwrap();
        assert_eq!((report.good, report.faults.len()), (1, 0));
    }
    let halves = [0, 1].map(|at: usize| records[at][0].open(&keys[at].key).unwrap());
    let key = private_key(&halves[0], &halves[1], alice.address).unwrap();
    assert_eq!(AgentKey::from_bytes(&*key).unwrap().address(), alice.address);
    both.stop().await;
}

#[tokio::test]
async fn import_refuses_what_does_not_fit() {
    let keys = new_keys();
    let drill = Drill::start(&keys).await;
    let (alice, bob) = (drill.wallet("alice").await, drill.wallet("bob").await);
    let records = [drill.records(Side::Endpoint).await, drill.records(Side::Cosigner).await];
    let transport = drill.begin(Side::Cosigner).await;
    let of = |side: usize, id| records[side].iter().find(|it| it.wallet_id == id).unwrap();
    let (one, two) = (of(1, alice.wallet_id), of(1, bob.wallet_id));
    let half = one.open(&keys[1].key).unwrap();
    let sealed = one.seal_for(&half, &transport.public_key).unwrap();
    let half_of = |record: &protocol::recovery::RecoveryRecord| protocol::TransportedHalf {
        record: record.clone(),
        half: sealed.clone(),
    };
    drill.lose_table(COSIGNER_TABLE).await;
    // A half under another wallet's record, and one of the other side.
    let wrong = [half_of(two), half_of(of(0, alice.wallet_id))];
    for imported in drill.import(Side::Cosigner, &transport, &wrong).await {
        assert!(matches!(imported, Imported::Refused(_)), "{imported:?}");
    }
    assert!(drill.items(COSIGNER_TABLE).await.is_empty());
    assert_eq!(
        drill.import(Side::Cosigner, &transport, &[half_of(one)]).await,
        [Imported::Restored]
    );
    // After the refresh, the old version is not restored again.
    drill.signs(&alice).await.unwrap();
    let again = drill.import(Side::Cosigner, &transport, &[half_of(one)]).await;
    assert!(
        matches!(&again[0], Imported::Refused(cause) if cause.contains("retired")),
        "{again:?}"
    );
    drill.signs(&alice).await.unwrap();
    drill.stop().await;
}
