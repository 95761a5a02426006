//! Tests of proposals, limits and delays.

use domain::policy::{Approval, AssetLimit, GENESIS};
use protocol::recovery::OpeningKey;

use super::*;

#[test]
fn destination_is_usable_after_last_approval_and_delay() {
    let mut world = World::new();
    let first = world.propose(&add(), &["alice"]).unwrap();
    assert!(!first.is_final && first.threshold == 2 && first.change.effective_at_ms.is_none());
    world.after(HOUR_MS / 2);
    let second = world.approve(1, "bob").unwrap();
    assert_eq!(second.change.effective_at_ms, Some(world.now_ms + DAY_MS));
    assert_eq!(world.now().destinations()[0].active_from_ms, world.now_ms + DAY_MS);
    world.after(DAY_MS - 1);
    assert!(!world.is_listed());
    world.after(1);
    assert!(world.is_listed());
    assert_eq!(world.now().destinations()[0].change, 1);
    assert_eq!(world.propose(&add(), &["alice"]), Err(PolicyFault::DestinationExists));
}

#[test]
fn approvers_below_the_threshold_change_nothing() {
    let mut world = World::new();
    world.propose(&add(), &["alice"]).unwrap();
    // The same key again, also under another name, does not count as a second approver.
    world.approve(1, "alice").unwrap();
    let pending = world.chain.pending(1).unwrap().clone();
    let text = change_text(
        CHAIN,
        &world.tenant,
        1,
        &pending.prev_hash,
        &pending.change,
        pending.not_after_s,
    );
    let forged = Approval { approver: "bob".to_owned(), ..world.signer("alice").sign(&text) };
    let refused = world.act(&Action::Approve { seq: 1, approval: forged });
    assert_eq!(refused, Err(PolicyFault::BadApproval { approver: "bob".to_owned() }));
    world.after(30 * DAY_MS);
    assert!(!world.is_listed() && world.now().pending.is_empty());
}

#[test]
fn unsigned_or_wrongly_signed_proposal_does_not_enter() {
    let mut world = World::new();
    let honest = world.proposal(&add(), &["alice"]);
    let sign_other = |text: String| vec![world.signer("alice").sign(&text)];
    let not_after_s = honest.not_after_s;
    let texts = [
        // Another deployment, another tenant, another number, another predecessor, another time.
        change_text(
            "ff112233445566778899aabbccddeeff",
            &world.tenant,
            1,
            GENESIS,
            &add(),
            not_after_s,
        ),
        change_text(CHAIN, &"other".parse().unwrap(), 1, GENESIS, &add(), not_after_s),
        change_text(CHAIN, &world.tenant, 2, GENESIS, &add(), not_after_s),
        change_text(CHAIN, &world.tenant, 1, &"1".repeat(64), &add(), not_after_s),
        change_text(CHAIN, &world.tenant, 1, GENESIS, &add(), not_after_s + 1),
        change_text(CHAIN, &world.tenant, 1, GENESIS, &limit("1"), not_after_s),
    ];
    let bad = || PolicyFault::BadApproval { approver: "alice".to_owned() };
    let replayed: Vec<_> = texts.map(sign_other).into_iter().collect();
    for approvals in replayed {
        let proposal = Proposal { approvals, ..honest.clone() };
        assert_eq!(world.act(&Action::Propose(proposal)), Err(bad()));
    }
    let none = Proposal { approvals: Vec::new(), ..honest.clone() };
    assert!(matches!(world.act(&Action::Propose(none)), Err(PolicyFault::BadApproval { .. })));
    let eve = Signer::new("eve").sign(&world.text(&honest));
    let by_eve = Proposal { approvals: vec![eve], ..honest.clone() };
    let unknown = PolicyFault::UnknownApprover { approver: "eve".to_owned() };
    assert_eq!(world.act(&Action::Propose(by_eve)), Err(unknown));
    assert_eq!(world.chain.seq, 0);
    world.act(&Action::Propose(honest)).unwrap();
}

#[test]
fn used_sequence_number_is_refused() {
    let mut world = World::new();
    let first = world.proposal(&add(), &["alice", "bob"]);
    let racing = world.proposal(&limit("1"), &["alice", "bob"]);
    world.act(&Action::Propose(first.clone())).unwrap();
    let head_hash = world.chain.hash.clone();
    for late in [racing, first] {
        let refused = world.act(&Action::Propose(late));
        let head_hash = head_hash.clone();
        assert_eq!(refused, Err(PolicyFault::WrongSequence { next_seq: 2, head_hash }));
    }
}

#[test]
fn approval_after_not_after_is_refused() {
    let mut world = World::new();
    world.propose(&add(), &["alice"]).unwrap();
    world.after(HOUR_MS + 1_000);
    assert_eq!(world.approve(1, "bob"), Err(PolicyFault::NotPending { seq: 1 }));
    let mut late = world.proposal(&add(), &["alice"]);
    late.not_after_s = world.now_ms / 1_000 - 1;
    assert_eq!(world.act(&Action::Propose(late)), Err(PolicyFault::Expired));
    let mut far = world.proposal(&add(), &["alice"]);
    far.not_after_s = world.now_ms / 1_000 + 31 * 86_400;
    assert_eq!(world.act(&Action::Propose(far)), Err(PolicyFault::NotAfterTooFar));
}

#[test]
fn stolen_key_takes_two_pending_slots_only() {
    let mut world = World::new();
    world.propose(&limit("1"), &["alice"]).unwrap();
    world.propose(&limit("2"), &["alice"]).unwrap();
    assert_eq!(world.propose(&limit("3"), &["alice"]), Err(PolicyFault::TooManyPending));
    // Other approvers still propose, and complete proposals still enter.
    world.propose(&add(), &["bob"]).unwrap();
    world.propose(&limit("4"), &["alice", "carol"]).unwrap();
}

#[test]
fn full_slots_do_not_stop_a_freeze_or_a_cancellation() {
    let mut world = World::of(1, &["alice", "bob"]);
    for amount in 1..=8 {
        world.propose(&limit(&amount.to_string()), &["alice"]).unwrap();
    }
    assert_eq!(world.propose(&limit("9"), &["alice"]), Err(PolicyFault::TooManyPending));
    assert!(world.propose(&Change::Freeze {}, &["bob"]).unwrap().is_final);
    assert!(world.propose(&Change::Cancel { seq: 3 }, &["bob"]).unwrap().is_final);
    world.propose(&limit("9"), &["alice"]).unwrap();
    // The root authority has slots of its own.
    let only_bob = authority(1, &[world.signer("bob")]);
    world.propose(&replace(only_bob), &["root"]).unwrap();
}

#[test]
fn tightening_takes_effect_at_once_with_one_signature() {
    let mut world = World::new();
    world.propose(&limit("10"), &["alice", "bob"]).unwrap();
    world.propose(&add(), &["alice", "bob"]).unwrap();
    world.after(DAY_MS);
    let asset = "evm:56/USDT".parse().unwrap();
    assert!(world.propose(&limit("9"), &["carol"]).unwrap().is_final);
    let Change::SetLimit { limit: lower } = limit("9") else { unreachable!() };
    assert_eq!(world.now().state.limit(&asset).unwrap().limit, lower);
    // A limit that is higher in any part is loosening.
    let raised = world.propose(&limit("9.1"), &["carol"]).unwrap();
    assert!(!raised.is_final && raised.threshold == 2);
    let remove = change(&json!(
        { "type": "removeDestination", "venue": "evm:56", "address": TREASURY }));
    assert!(world.propose(&remove, &["carol"]).unwrap().is_final);
    assert!(!world.is_listed());
    assert!(world.propose(&Change::Freeze {}, &["carol"]).unwrap().is_final);
    assert!(world.now().state.frozen);
    assert_eq!(world.propose(&Change::Freeze {}, &["bob"]), Err(PolicyFault::NothingToDo));
    let unfreeze = world.propose(&Change::Unfreeze {}, &["carol", "bob"]).unwrap();
    assert_eq!(unfreeze.change.effective_at_ms, Some(world.now_ms + DAY_MS));
    assert!(world.now().state.frozen);
    let none = change(&json!({ "type": "removeLimit", "asset": "evm:56/USDT" }));
    assert!(world.propose(&none, &["carol"]).unwrap().is_final);
    assert!(world.now().state.limit(&asset).is_none());
}

#[test]
fn removed_destination_is_not_added_by_a_running_delay() {
    let mut world = World::new();
    world.propose(&add(), &["alice", "bob"]).unwrap();
    let remove = change(&json!(
        { "type": "removeDestination", "venue": "evm:56", "address": TREASURY }));
    world.propose(&remove, &["carol"]).unwrap();
    world.after(2 * DAY_MS);
    assert!(!world.is_listed() && world.now().destinations().is_empty());
}

#[test]
fn shorter_delay_waits_for_the_longer_one() {
    let mut world = World::new();
    let short = Change::SetDelay { seconds: 3_600 };
    let below = world.propose(&Change::SetDelay { seconds: 3_599 }, &["alice", "bob"]);
    assert_eq!(below, Err(PolicyFault::BelowMinimumDelay { seconds: 3_600 }));
    world.propose(&short, &["alice", "bob"]).unwrap();
    let soon = world.propose(&add(), &["alice", "bob"]).unwrap();
    assert_eq!(soon.change.effective_at_ms, Some(world.now_ms + DAY_MS));
    world.after(DAY_MS);
    let next = world.propose(&limit("1"), &["alice", "bob"]).unwrap();
    assert_eq!(next.change.effective_at_ms, Some(world.now_ms + HOUR_MS));
    // The deployment's minimum holds for a delay that was set before.
    world.rules.min_delay_s = 7_200;
    assert_eq!(world.now().delay_s(&world.rules), 7_200);
}

#[test]
fn limit_above_the_hard_cap_is_refused() {
    let mut world = World::new();
    let Change::SetLimit { limit: cap } = limit("100") else { unreachable!() };
    world.rules.caps = vec![AssetLimit { approve_above: None, ..cap }];
    assert_eq!(world.propose(&limit("100.1"), &["alice", "bob"]), Err(PolicyFault::AboveHardCap));
    world.propose(&limit("100"), &["alice", "bob"]).unwrap();
}

#[test]
fn limit_that_changes_nothing_is_refused() {
    let mut world = World::new();
    world.propose(&limit("10"), &["alice", "bob"]).unwrap();
    world.after(DAY_MS);
    assert_eq!(world.propose(&limit("10"), &["carol"]), Err(PolicyFault::NothingToDo));
}

#[test]
fn lowered_limit_is_not_undone_by_a_running_raise() {
    let mut world = World::new();
    let asset = "evm:56/USDT".parse().unwrap();
    let amount = |world: &World| {
        world.now().state.limit(&asset).map(|known| known.limit.wallet.amount.to_string())
    };
    world.propose(&limit("10"), &["alice", "bob"]).unwrap();
    world.after(DAY_MS);
    world.propose(&limit("100"), &["alice", "bob"]).unwrap();
    world.propose(&limit("50"), &["alice"]).unwrap();
    assert!(world.propose(&limit("9"), &["carol"]).unwrap().is_final);
    assert!(world.now().pending.is_empty());
    world.after(2 * DAY_MS);
    assert_eq!(amount(&world).as_deref(), Some("9"));
    world.propose(&limit("100"), &["alice", "bob"]).unwrap();
    let none = change(&json!({ "type": "removeLimit", "asset": "evm:56/USDT" }));
    world.propose(&none, &["carol"]).unwrap();
    world.after(2 * DAY_MS);
    assert_eq!(amount(&world), None);
}

#[test]
fn freeze_is_not_undone_by_a_running_unfreeze() {
    let mut world = World::new();
    world.propose(&Change::Freeze {}, &["carol"]).unwrap();
    world.propose(&Change::Unfreeze {}, &["alice", "bob"]).unwrap();
    world.after(DAY_MS - HOUR_MS);
    world.propose(&Change::Freeze {}, &["carol"]).unwrap();
    world.after(HOUR_MS);
    assert!(world.now().state.frozen && world.now().pending.is_empty());
    assert_eq!(world.propose(&Change::Freeze {}, &["carol"]), Err(PolicyFault::NothingToDo));
    // The operator's freeze ends it as well.
    world.propose(&Change::Unfreeze {}, &["alice", "bob"]).unwrap();
    world.act(&Action::Freeze {}).unwrap();
    world.after(2 * DAY_MS);
    assert!(world.now().state.frozen);
}

/// A recovery by the root authority ends what stolen keys have approved, also an authority that would
/// replace the new one.
#[test]
fn new_authority_ends_the_changes_of_the_old_keys() {
    let mut world = World::new();
    let recovered = authority(1, &[&Signer::new("new")]);
    world.propose(&replace(recovered.clone()), &["root"]).unwrap();
    world.after(7 * DAY_MS - HOUR_MS);
    let thief = authority(1, &[&Signer::new("thief")]);
    world.propose(&replace(thief), &["alice", "bob"]).unwrap();
    world.propose(&add(), &["alice", "bob"]).unwrap();
    world.after(30 * DAY_MS);
    let now = world.now();
    assert_eq!((now.state.authority, now.pending.len()), (Some(recovered), 0));
    assert!(now.state.destinations.is_empty());
}

#[test]
fn new_authority_keeps_changes_that_it_would_approve() {
    let mut world = World::new();
    world.propose(&replace(world.first_authority()), &["alice", "bob"]).unwrap();
    world.after(HOUR_MS);
    world.propose(&add(), &["bob", "carol"]).unwrap();
    world.after(DAY_MS);
    assert!(world.is_listed());
}

/// What was approved before the restored moment may have been cancelled after it.
#[test]
fn restored_table_puts_no_change_into_effect() {
    let mut world = World::new();
    world.propose(&add(), &["alice", "bob"]).unwrap();
    world.found.table_id = "table-2".to_owned();
    world.after(2 * DAY_MS);
    let head_hash = world.chain.hash.clone();
    world.propose(&Change::Resume { head_hash }, &["root"]).unwrap();
    assert!(!world.is_listed() && world.now().pending.is_empty() && world.now().state.frozen);
}

/// Four stolen keys of an authority of five fill the slots of proposals, and not those of approved
/// changes.
#[test]
fn proposals_keep_no_approved_change_out() {
    let mut world = World::of(5, &["alice", "bob", "carol", "dave", "erin"]);
    for thief in ["bob", "carol", "dave", "erin"] {
        for number in [1, 2] {
            let destination = json!({ "venue": "evm:56", "assets": ["evm:56/USDT"], "label": "",
                "address": format!("0x{number:038x}{}", hex::encode([thief.as_bytes()[0]])) });
            let adds = change(&json!({ "type": "addDestination", "destination": destination }));
            world.propose(&adds, &[thief]).unwrap();
        }
    }
    assert_eq!(world.propose(&add(), &["alice"]), Err(PolicyFault::TooManyPending));
    world.propose(&add(), &["alice", "bob", "carol", "dave", "erin"]).unwrap();
    world.after(DAY_MS);
    assert!(world.is_listed());
}

#[test]
fn stolen_key_makes_twenty_records_in_an_hour() {
    let mut world = World::new();
    let add_to = |number: u32| {
        change(&json!({ "type": "addDestination", "destination": { "venue": "evm:56",
            "address": format!("0x{number:040x}"), "assets": ["evm:56/USDT"], "label": "" } }))
    };
    // Its own proposals, and their cancellations.
    for number in 0..10 {
        world.propose(&add_to(number + 1), &["alice"]).unwrap();
        let seq = world.chain.seq;
        world.propose(&Change::Cancel { seq }, &["alice"]).unwrap();
    }
    let refused = world.propose(&add_to(99), &["alice"]);
    assert_eq!(refused, Err(PolicyFault::TooManyRecords));
    // Others still act, and a freeze is always possible.
    world.propose(&add_to(99), &["bob"]).unwrap();
    assert!(world.propose(&Change::Freeze {}, &["alice"]).unwrap().is_final);
    world.after(HOUR_MS);
    world.propose(&add_to(98), &["alice"]).unwrap();
}

#[test]
fn more_approvals_than_approvers_are_refused() {
    let mut world = World::new();
    let mut twice = world.proposal(&add(), &["alice", "alice"]);
    let repeated = PolicyFault::Invalid("approver alice has more than one approval".to_owned());
    assert_eq!(world.act(&Action::Propose(twice.clone())), Err(repeated));
    twice.approvals = (0..17)
        .map(|number| Approval { approver: format!("a{number}"), ..twice.approvals[0].clone() })
        .collect();
    assert!(matches!(world.act(&Action::Propose(twice)), Err(PolicyFault::Invalid(_))));
}

#[test]
fn export_that_ends_too_early_or_too_late_is_refused() {
    let mut world = World::new();
    let recipient = OpeningKey::generate().unwrap().public().to_string();
    let export = |until_s: u64| {
        change(&json!({ "type": "exportWallet", "export": {
            "walletId": "29dd4dc0-1ff9-4df6-a19f-936f997cbc5a", "address": TREASURY,
            "shareVersion": 1, "recipient": recipient, "untilS": until_s } }))
    };
    let from_s = (world.now_ms + DAY_MS) / 1_000;
    let last_s = from_s + 30 * DAY_MS / 1_000;
    for until_s in [1, from_s, last_s + 1] {
        let refused = world.propose(&export(until_s), &["alice"]).unwrap_err();
        assert_eq!(refused.reason(), "INVALID");
        assert!(refused.to_string().contains("30 days"), "{refused}");
    }
    world.propose(&export(from_s + 1), &["alice", "bob"]).unwrap();
    world.propose(&export(last_s), &["alice", "bob"]).unwrap();
}
