//! Tests of approvers, the root authority, the operator, and cancellation.

use domain::policy::GENESIS;

use super::*;

#[test]
fn cancelled_change_never_takes_effect() {
    let mut world = World::new();
    world.propose(&add(), &["alice", "bob"]).unwrap();
    world.after(HOUR_MS);
    // Two stolen keys: the third approver cancels within the delay.
    assert!(world.propose(&Change::Cancel { seq: 1 }, &["carol"]).unwrap().is_final);
    world.after(2 * DAY_MS);
    assert!(!world.is_listed());
    let again = world.propose(&Change::Cancel { seq: 1 }, &["carol"]);
    assert_eq!(again, Err(PolicyFault::NotPending { seq: 1 }));
}

#[test]
fn operator_cancels_without_a_signature() {
    let mut world = World::new();
    world.propose(&add(), &["alice", "bob"]).unwrap();
    assert!(world.act(&Action::Cancel { seq: 1 }).unwrap().is_final);
    world.after(2 * DAY_MS);
    assert!(!world.is_listed());
    assert_eq!(world.act(&Action::Cancel { seq: 1 }), Err(PolicyFault::NotPending { seq: 1 }));
}

#[test]
fn removed_approver_cannot_cancel_but_can_freeze() {
    let mut world = World::new();
    let without_carol = authority(1, &[world.signer("alice"), world.signer("bob")]);
    world.propose(&replace(without_carol), &["alice", "bob"]).unwrap();
    let cancel = Change::Cancel { seq: 1 };
    assert_eq!(world.propose(&cancel, &["carol"]), Err(PolicyFault::OwnRemoval));
    assert!(world.propose(&Change::Freeze {}, &["carol"]).unwrap().is_final);
    // A new key under the old name is a removal as well.
    let mut renamed = world.first_authority();
    renamed.approvers[2].public_key = Signer::new("carol").approver.public_key;
    world.propose(&replace(renamed), &["alice", "bob"]).unwrap();
    let seq = world.chain.seq;
    let refused = world.propose(&Change::Cancel { seq }, &["carol"]);
    assert_eq!(refused, Err(PolicyFault::OwnRemoval));
    // An approver that stays, the root authority and the operator can cancel.
    world.propose(&cancel, &["bob"]).unwrap();
    world.propose(&Change::Cancel { seq }, &["root"]).unwrap();
    world.after(DAY_MS);
    assert_eq!(world.now().state.authority, Some(world.first_authority()));
}

#[test]
fn approvals_of_a_removed_approver_do_not_count() {
    let mut world = World::new();
    let Change::SetAuthority { authority: next } =
        replace(authority(2, &[world.signer("bob"), world.signer("carol")]))
    else {
        unreachable!()
    };
    world.propose(&replace(next), &["alice", "bob"]).unwrap();
    world.after(DAY_MS - HOUR_MS / 2);
    world.propose(&add(), &["alice"]).unwrap();
    world.after(HOUR_MS / 2);
    let second = world.approve(2, "bob").unwrap();
    assert_eq!(second.change.effective_at_ms, None);
    let third = world.approve(2, "carol").unwrap();
    assert_eq!(third.change.effective_at_ms, Some(world.now_ms + DAY_MS));
}

#[test]
fn root_authority_replaces_lost_approvers_after_seven_days() {
    let mut world = World::new();
    let fresh = Signer::new("dave");
    let change = replace(authority(1, &[&fresh]));
    let replaced = world.propose(&change, &["root"]).unwrap();
    assert_eq!(replaced.change.effective_at_ms, Some(world.now_ms + 7 * DAY_MS));
    // A thief of the old keys cannot stop it.
    let refused = world.propose(&Change::Cancel { seq: 1 }, &["alice"]);
    assert_eq!(refused, Err(PolicyFault::OwnRemoval));
    world.after(7 * DAY_MS);
    assert_eq!(world.now().state.authority, Some(authority(1, &[&fresh])));
    let old = world.propose(&Change::Freeze {}, &["alice"]);
    assert_eq!(old, Err(PolicyFault::UnknownApprover { approver: "alice".to_owned() }));
}

#[test]
fn root_authority_cannot_let_money_out() {
    let mut world = World::new();
    for change in [add(), limit("1"), Change::Unfreeze {}, Change::SetDelay { seconds: 3_600 }] {
        assert_eq!(world.propose(&change, &["root"]), Err(PolicyFault::WrongQuorum));
    }
    let resume = Change::Resume { head_hash: GENESIS.to_owned() };
    assert_eq!(world.propose(&resume, &["alice", "bob"]), Err(PolicyFault::WrongQuorum));
    world.propose(&Change::Freeze {}, &["root"]).unwrap();
}

#[test]
fn first_key_through_the_endpoint_is_not_trusted() {
    let mut world = World::new();
    world.chain.state.authority = None;
    let eve = Signer::new("eve");
    let mut proposal = world.proposal(&replace(authority(1, &[&eve])), &["alice"]);
    proposal.approvals = vec![eve.sign(&world.text(&proposal))];
    let refused = world.act(&Action::Propose(proposal.clone()));
    assert_eq!(refused, Err(PolicyFault::NoAuthority));
    proposal.quorum = Quorum::Root;
    let refused = world.act(&Action::Propose(proposal));
    assert_eq!(refused, Err(PolicyFault::UnknownApprover { approver: "eve".to_owned() }));
    // The root authority names the first approvers, after the usual delay.
    let first = world.propose(&replace(authority(1, &[&eve])), &["root"]).unwrap();
    assert_eq!(first.change.effective_at_ms, Some(world.now_ms + DAY_MS));
    world.rules.root = None;
    assert_eq!(world.propose(&Change::Freeze {}, &["root"]), Err(PolicyFault::NoAuthority));
}

#[test]
fn authority_with_an_impossible_key_is_refused() {
    let mut world = World::new();
    let mut wrong = world.first_authority();
    wrong.approvers[0].public_key = format!("04{}", "ab".repeat(64));
    let refused = world.propose(&replace(wrong), &["alice", "bob"]);
    assert!(matches!(refused, Err(PolicyFault::Invalid(_))));
}

#[test]
fn resume_names_the_newest_hash_and_accepts_the_table() {
    let mut world = World::new();
    world.propose(&add(), &["alice", "bob"]).unwrap();
    world.found = Place { table_id: "table-2".to_owned(), accepted_seal: Some("seal".to_owned()) };
    let wrong = Change::Resume { head_hash: "0".repeat(64) };
    assert_eq!(world.propose(&wrong, &["root"]), Err(PolicyFault::WrongHead));
    let right = Change::Resume { head_hash: world.chain.hash.clone() };
    assert!(world.propose(&right, &["root"]).unwrap().is_final);
    assert_eq!(world.chain.place, world.found);
    // The counts since the restored moment are gone: only the approvers let payments continue.
    assert!(world.now().state.frozen);
    let unfreeze = world.propose(&Change::Unfreeze {}, &["alice", "bob"]).unwrap();
    assert_eq!(unfreeze.change.effective_at_ms, Some(world.now_ms + DAY_MS));
}

#[test]
fn operator_freezes_without_a_signature_or_a_number() {
    let mut world = World::new();
    world.propose(&add(), &["alice"]).unwrap();
    let frozen = world.act(&Action::Freeze {}).unwrap();
    assert!(frozen.is_final && world.now().state.frozen && world.now().pending.len() == 1);
    assert_eq!(world.act(&Action::Freeze {}), Err(PolicyFault::NothingToDo));
}

#[test]
fn key_of_both_authorities_signs_for_neither() {
    let mut world = World::new();
    let both = authority(2, &[world.signer("alice"), world.signer("root")]);
    let refused = world.propose(&replace(both.clone()), &["alice", "bob"]);
    assert!(matches!(refused, Err(PolicyFault::Invalid(_))), "{refused:?}");
    // The document may name such a key later.
    world.chain.state.authority = Some(both);
    let mut proposal = world.proposal(&Change::Freeze {}, &["root"]);
    for quorum in [Quorum::Tenant, Quorum::Root] {
        proposal.quorum = quorum;
        let refused = world.act(&Action::Propose(proposal.clone()));
        assert!(matches!(refused, Err(PolicyFault::Invalid(_))), "{refused:?}");
    }
    world.propose(&Change::Freeze {}, &["alice"]).unwrap();
}
