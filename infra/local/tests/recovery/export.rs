//! The export of one wallet under the tenant's policy.

use domain::eth::AgentKey;
use domain::ids::{Tenant, WalletRef};
use domain::policy::{
    Approval, Approver, Change, PolicyState, Proposal, Quorum, Signature, WalletExport, change_text,
};
use domain::random::Random;
use hyperdex_local::admin::{AdminReply, AdminRequest, PolicyRequest};
use hyperdex_local::approver::{APPROVER_KEY_FILE, ApproverKey, LOCAL_APPROVER};
use hyperdex_local::recoverer::{RecoveryReply, RecoveryRequest};
use hyperdex_local::{COSIGNER_TABLE, WALLETS_TABLE};
use hyperdex_recovery::error::RecoveryError;
use hyperdex_recovery::export::Export;
use protocol::recovery::{OpeningKey, RecoveryRecord, SealingKey, Side};
use protocol::{Imported, RecoveryAnswer, RecoveryCall, WalletKey};
use shared::store::WalletRecord;
use zeroize::Zeroizing;

use crate::drill::{Drill, new_keys};

async fn policy(drill: &Drill, request: PolicyRequest) -> AdminReply {
    let request = AdminRequest::Policy { tenant: Tenant::local(), request: Box::new(request) };
    drill.stack.admin.run(request).await.unwrap()
}

async fn state(drill: &Drill) -> PolicyState {
    match policy(drill, PolicyRequest::State).await {
        AdminReply::PolicyState(state) => *state,
        other => panic!("{other:?}"),
    }
}

/// Has the local stack's approver sign a change and submit it. Returns its number.
async fn changed(drill: &Drill, change: Change) -> u64 {
    let state = state(drill).await;
    let (seq, prev_hash) = (state.seq + 1, state.head_hash);
    let not_after_s = drill.stack.custody.clock.now_ms() / 1_000 + 3_600;
    let text =
        change_text(&state.chain_id, &Tenant::local(), seq, &prev_hash, &change, not_after_s);
    let key = ApproverKey::open(&drill.folder.path().join(APPROVER_KEY_FILE)).unwrap();
    let signature = Signature::Der(hex::encode(key.sign(&text).unwrap()));
    let approvals = vec![Approval { approver: LOCAL_APPROVER.to_owned(), signature }];
    let quorum = Quorum::Tenant;
    let proposal = Proposal { seq, prev_hash, change, not_after_s, quorum, approvals };
    match policy(drill, PolicyRequest::Propose(proposal)).await {
        AdminReply::PolicyChange(record) => record.seq,
        other => panic!("{other:?}"),
    }
}

fn export_of(drill: &Drill, wallet: &WalletRecord, recipient: SealingKey) -> Change {
    let export = WalletExport {
        wallet_id: wallet.wallet_id,
        address: wallet.address,
        share_version: wallet.key_version,
        recipient: recipient.to_string(),
        until_s: drill.stack.custody.clock.now_ms() / 1_000 + 7_200,
    };
    Change::ExportWallet { export }
}

async fn asked(
    drill: &Drill,
    side: Side,
    (key, change, recipient): (&WalletKey, u64, SealingKey),
    released: Option<Box<RecoveryRecord>>,
) -> Result<Box<RecoveryRecord>, String> {
    let call = RecoveryCall::Export { key: key.clone(), change, recipient, released };
    let request = Box::new(RecoveryRequest::Call(call));
    match drill.stack.admin.run(AdminRequest::Recovery { side, request }).await.unwrap() {
        AdminReply::Recovery(reply) => match *reply {
            RecoveryReply::Answer(RecoveryAnswer::Exported(record)) => Ok(record),
            RecoveryReply::Answer(RecoveryAnswer::NotAllowed(cause)) => Err(cause),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn approved_export_opens_at_its_recipient_alone() {
    let drill = Drill::start_with(&[], |options| options.payment_delay_s = 0).await;
    let (alice, bob) = (drill.wallet("alice").await, drill.wallet("bob").await);
    let (recipient, stranger) = (OpeningKey::generate().unwrap(), OpeningKey::generate().unwrap());
    let to = *recipient.public();
    let change = changed(&drill, export_of(&drill, &alice, to)).await;
    let key = alice.key();
    // Another wallet, version, change or recipient, and the endpoint before the cosigner.
    let newer = WalletKey { key_version: 2, ..key.clone() };
    let elsewhere = WalletKey { tenant: "acme".parse().unwrap(), ..key.clone() };
    for (asking, cause) in [
        ((&bob.key(), change, to), "another wallet"),
        ((&key, change + 1, to), "no export of this change"),
        ((&key, change, *stranger.public()), "another recipient"),
        ((&newer, change, to), "no such share"),
        ((&elsewhere, change, to), "no such share"),
    ] {
        let refused = asked(&drill, Side::Cosigner, asking, None).await.unwrap_err();
        assert!(refused.contains(cause), "{refused}");
    }
    assert!(asked(&drill, Side::Endpoint, (&key, change, to), None).await.is_err());
    let released = asked(&drill, Side::Cosigner, (&key, change, to), None).await.unwrap();
    for asking in [(&key, change, *stranger.public()), (&newer, change, to)] {
        let own = asked(&drill, Side::Endpoint, asking, Some(released.clone())).await;
        assert!(own.is_err(), "{own:?}");
    }
    let name = WalletRef::Wallet(alice.wallet_id);
    let store = &drill.stack.custody.store;
    let before = store.find(&alice.tenant, &name).await.unwrap().unwrap().wallet;
    assert!(before.exported.is_none());
    let own = asked(&drill, Side::Endpoint, (&key, change, to), Some(released.clone())).await;
    let own = own.unwrap();
    let after = store.find(&alice.tenant, &name).await.unwrap().unwrap().wallet;
    assert_eq!(after.exported.unwrap().change, change);
    // The file opens with the recipient's key alone, and the keystore's key is the wallet's.
    let path = drill.folder.path().join("export");
    Export::write(&path, *own, *released).unwrap();
    let export = Export::read(&path).unwrap();
    let (out, secret) =
        (drill.folder.path().join("keystore"), Zeroizing::new("correct horse battery".to_owned()));
    let opened = export.open(&stranger, (&out, &secret), &Random::system());
    assert!(matches!(opened, Err(RecoveryError::Record { .. })), "{opened:?}");
    let address = export.open(&recipient, (&out, &secret), &Random::system()).unwrap();
    assert_eq!(address, alice.address);
    let halves = [&export.endpoint, &export.cosigner].map(|it| it.open(&recipient).unwrap());
    let private = protocol::recovery::private_key(&halves[0], &halves[1], alice.address).unwrap();
    assert_eq!(AgentKey::from_bytes(&*private).unwrap().address(), alice.address);
    // The wallet still signs, and both logs verify.
    drill.signs(&alice).await.unwrap();
    drill.audited().await;
    drill.stop().await;
}

#[tokio::test]
async fn export_waits_for_its_delay_and_stops_with_a_freeze() {
    let drill = Drill::start_with(&[], |options| options.payment_delay_s = 3_600).await;
    let alice = drill.wallet("alice").await;
    let to = *OpeningKey::generate().unwrap().public();
    let change = changed(&drill, export_of(&drill, &alice, to)).await;
    let early = asked(&drill, Side::Cosigner, (&alice.key(), change, to), None).await;
    let early = early.unwrap_err();
    assert!(early.starts_with(&format!("change {change} takes effect at 20")), "{early}");
    drill.stop().await;

    let drill = Drill::start_with(&[], |options| options.payment_delay_s = 0).await;
    let alice = drill.wallet("alice").await;
    let change = changed(&drill, export_of(&drill, &alice, to)).await;
    changed(&drill, Change::Freeze {}).await;
    let frozen = asked(&drill, Side::Cosigner, (&alice.key(), change, to), None).await;
    assert_eq!(frozen.unwrap_err(), "the tenant's policy is frozen");
    changed(&drill, Change::Unfreeze {}).await;
    let change = changed(&drill, export_of(&drill, &alice, to)).await;
    // A refresh ends the permission: the old shares are retired.
    drill.stack.refresh.refresh(&alice.tenant, alice.wallet_id, None).await.unwrap();
    let next = WalletKey { key_version: 2, ..alice.key() };
    let moved = asked(&drill, Side::Cosigner, (&next, change, to), None).await;
    assert_eq!(moved.unwrap_err(), "the change allows the export of another share version");
    drill.audited().await;
    drill.stop().await;
}

#[tokio::test]
async fn new_approvers_and_a_freeze_end_permitted_exports() {
    for ends in [false, true] {
        let drill = Drill::start_with(&[], |options| options.payment_delay_s = 0).await;
        let alice = drill.wallet("alice").await;
        let to = *OpeningKey::generate().unwrap().public();
        let change = changed(&drill, export_of(&drill, &alice, to)).await;
        assert_eq!(state(&drill).await.exports.len(), 1);
        if ends {
            changed(&drill, Change::Freeze {}).await;
            changed(&drill, Change::Unfreeze {}).await;
        } else {
            let mut authority = state(&drill).await.authority.unwrap();
            let public_key = OpeningKey::generate().unwrap().public().to_string();
            let second = Approver { id: "second".to_owned(), public_key, webauthn: None };
            authority.approvers.push(second);
            changed(&drill, Change::SetAuthority { authority }).await;
        }
        assert!(state(&drill).await.exports.is_empty());
        let refused = asked(&drill, Side::Cosigner, (&alice.key(), change, to), None).await;
        assert_eq!(refused.unwrap_err(), "no export of this change is in effect");
        drill.audited().await;
        drill.stop().await;
    }
}

#[tokio::test]
async fn mark_of_an_export_outlives_both_tables() {
    let keys = new_keys();
    let drill = Drill::start_with(&keys, |options| options.payment_delay_s = 0).await;
    let alice = drill.wallet("alice").await;
    let records = [drill.records(Side::Endpoint).await, drill.records(Side::Cosigner).await];
    let to = *OpeningKey::generate().unwrap().public();
    let change = changed(&drill, export_of(&drill, &alice, to)).await;
    let key = alice.key();
    let released = asked(&drill, Side::Cosigner, (&key, change, to), None).await.unwrap();
    asked(&drill, Side::Endpoint, (&key, change, to), Some(released)).await.unwrap();
    drill.lose_table(WALLETS_TABLE).await;
    drill.lose_table(COSIGNER_TABLE).await;
    for at in [0, 1] {
        let done = drill.recover(&keys[at], (&records[at], &records[1 - at])).await;
        assert_eq!(done, [Imported::Restored]);
    }
    drill.signs(&alice).await.unwrap();
    let name = WalletRef::Wallet(alice.wallet_id);
    let view = drill.stack.custody.store.find(&alice.tenant, &name).await.unwrap().unwrap();
    assert_eq!(view.wallet.exported.unwrap().change, change);
    let heads = drill.items(COSIGNER_TABLE).await.into_iter();
    let mut heads = heads.filter(|item| item["sk"].as_s().is_ok_and(|sort| sort == "audit"));
    assert!(heads.all(|head| head["exported"].as_bool() == Ok(&true)));
    drill.stop().await;
}
