//! The halves of a side, encrypted to the transport key of a new stack.

use std::fs;

use hyperdex_recovery::check::Fault;
use hyperdex_recovery::error::RecoveryError;
use hyperdex_recovery::file::{self, Kind};
use hyperdex_recovery::transport;
use protocol::recovery::{OpeningKey, RecoveryRecord, Side};
use protocol::{Transport, TransportedHalf};

use crate::desk::{Desk, NOW_MS, new_keys, records_of};

/// Makes a transport key, and returns its fingerprint.
fn transport_of(stack: &OpeningKey) -> (Transport, String) {
    let to = Transport {
        side: Side::Endpoint,
        public_key: *stack.public(),
        sealed: "sealed".to_owned(),
        created_at_ms: NOW_MS,
    };
    let fingerprint = transport::grouped(&to.public_key.fingerprint());
    (to, fingerprint)
}

#[test]
fn open_takes_the_newest_pair_and_needs_the_fingerprint() {
    let desk = Desk::new();
    let (old, new, lone) = (desk.records(1, 1), desk.records(1, 2), desk.records(2, 5));
    let own = vec![old[0].clone(), new[0].clone(), lone[0].clone()];
    // The other side has the old version, the new one, and one more that this side lacks.
    let other = vec![old[1].clone(), new[1].clone(), desk.records(1, 3)[1].clone()];
    let stack = OpeningKey::generate().unwrap();
    let (to, shown) = transport_of(&stack);
    let (path, [key, _]) = (desk.path("halves"), &desk.keys);
    let wrong = transport::open(key, (&own, &other), (&to, "0123"), (&path, NOW_MS), |_, _| {});
    assert!(matches!(wrong, Err(RecoveryError::Fingerprint)), "{wrong:?}");
    let told = wrong.unwrap_err().to_string();
    assert!(!told.contains(&shown) && told.contains("do not continue"), "{told}");
    let opened = transport::open(key, (&own, &other), (&to, &shown), (&path, NOW_MS), |_, _| {});
    let opened = opened.unwrap();
    assert!(!opened.is_complete());
    assert_eq!((opened.halves, opened.alone), (1, vec![lone[0].wallet_id]));
    assert!(opened.faults.is_empty());
    let (header, halves) =
        file::read::<TransportedHalf>(&path, Kind::Halves, Side::Endpoint).unwrap();
    assert_eq!(header.transport, Some(stack.public().fingerprint()));
    assert_eq!(header.recovery_key, Some(key.key.public().id()));
    assert_eq!(halves[0].record, new[0]);
    let half = halves[0].record.open_transported(&stack, &halves[0].half).unwrap();
    assert!(new[0].hollow(&half).unwrap().is_hollow());
    // Another stack's key, and a half under another record.
    let strange = OpeningKey::generate().unwrap();
    assert!(halves[0].record.open_transported(&strange, &halves[0].half).is_err());
    assert!(old[0].open_transported(&stack, &halves[0].half).is_err());
    let file = desk.path("transport");
    transport::write(&file, &to).unwrap();
    assert_eq!(transport::read(&file, Side::Endpoint, NOW_MS).unwrap(), to);
    assert!(transport::read(&file, Side::Cosigner, NOW_MS).is_err());
    let week = 7 * 24 * 60 * 60 * 1_000;
    let expired = transport::read(&file, Side::Endpoint, NOW_MS + week + 1);
    assert!(matches!(expired, Err(RecoveryError::TransportExpired)), "{expired:?}");
    let day = 24 * 60 * 60 * 1_000;
    assert!(transport::read(&file, Side::Endpoint, NOW_MS - day).is_ok());
    let ahead = transport::read(&file, Side::Endpoint, NOW_MS - day - 1);
    assert!(matches!(ahead, Err(RecoveryError::TransportAhead)), "{ahead:?}");
}

#[test]
fn open_names_wallets_that_only_the_other_side_has() {
    let desk = Desk::new();
    let (one, two, three) = (desk.records(1, 1), desk.records(2, 1), desk.records(3, 1));
    let own = vec![one[0].clone()];
    let other = vec![one[1].clone(), two[1].clone(), three[1].clone()];
    let (to, shown) = transport_of(&OpeningKey::generate().unwrap());
    let (path, [key, _]) = (desk.path("halves"), &desk.keys);
    let (to, at) = ((&to, shown.as_str()), (path.as_path(), NOW_MS));
    let opened = transport::open(key, (&own, &other), to, at, |_, _| {}).unwrap();
    assert!(!opened.is_complete());
    assert_eq!((opened.halves, opened.alone), (1, vec![two[0].wallet_id, three[0].wallet_id]));
    // Nothing is never a success, whichever side it is.
    let at = (desk.path("none"), NOW_MS);
    let at = (at.0.as_path(), at.1);
    let none: &[RecoveryRecord] = &[];
    for (own, other, side) in
        [(none, other.as_slice(), Side::Endpoint), (own.as_slice(), none, Side::Cosigner)]
    {
        let empty = transport::open(key, (own, other), to, at, |_, _| {});
        assert!(matches!(empty, Err(RecoveryError::NoRecords(of)) if of == side), "{empty:?}");
    }
    assert_eq!(desk.names(), ["halves"]);
}

#[test]
fn open_falls_back_to_an_older_pair_and_names_the_others() {
    let desk = Desk::new();
    // A rotation: another key's records, one wallet with an older record of this key.
    let new = new_keys();
    let (one, two) = (desk.records(1, 1), records_of("acme", &new, 1, 2));
    let (rotated, mut false_half) = (records_of("acme", &new, 2, 1), desk.records(3, 1));
    false_half[0].sealed = one[0].sealed.clone();
    let last = desk.records(4, 1);
    let wallets = [&one, &two, &rotated, &false_half, &last];
    let own: Vec<_> = wallets.iter().map(|records| records[0].clone()).collect();
    let other: Vec<_> = wallets.iter().map(|records| records[1].clone()).collect();
    let stack = OpeningKey::generate().unwrap();
    let (to, shown) = transport_of(&stack);
    let (path, [key, _]) = (desk.path("halves"), &desk.keys);
    let mut seen = Vec::new();
    let steps = |done, all| seen.push((done, all));
    let opened = transport::open(key, (&own, &other), (&to, &shown), (&path, NOW_MS), steps);
    let opened = opened.unwrap();
    assert_eq!(seen, [(1, 4), (2, 4), (3, 4), (4, 4)]);
    assert!(!opened.is_complete() && opened.alone.is_empty());
    let [Fault::Record(first, 1, _), Fault::Record(second, 1, _)] = opened.faults[..] else {
        panic!("{:?}", opened.faults);
    };
    assert_eq!([first, second], [rotated[0].wallet_id, false_half[0].wallet_id]);
    let (_, halves) = file::read::<TransportedHalf>(&path, Kind::Halves, Side::Endpoint).unwrap();
    let written: Vec<_> = halves.into_iter().map(|half| half.record).collect();
    assert_eq!(written, [one[0].clone(), last[0].clone()]);
    // A key that opens nothing writes no file.
    let path = desk.path("none");
    let [strange, _] = new_keys();
    let to = (&to, shown.as_str());
    let wrong = transport::open(&strange, (&own, &other), to, (&path, NOW_MS), |_, _| {});
    assert!(matches!(wrong, Err(RecoveryError::WrongKey(_))), "{wrong:?}");
    assert_eq!(desk.names(), ["halves"]);
}

#[test]
fn unfinished_halves_continue_with_the_same_records_only() {
    let desk = Desk::new();
    let wallets: Vec<_> = (1..=3).map(|number| desk.records(number, 1)).collect();
    let mut own: Vec<_> = wallets.iter().map(|records| records[0].clone()).collect();
    let other: Vec<_> = wallets.iter().map(|records| records[1].clone()).collect();
    // The first wallet has a false half, which every run reports.
    own[0].sealed = own[1].sealed.clone();
    let stack = OpeningKey::generate().unwrap();
    let (to, shown) = transport_of(&stack);
    let (path, [key, _]) = (desk.path("halves"), &desk.keys);
    let (to, at) = ((&to, shown.as_str()), (path.as_path(), NOW_MS));
    let first = transport::open(key, (&own, &other), to, at, |_, _| {}).unwrap();
    assert_eq!((first.halves, first.faults.len()), (2, 1));
    // The run was killed after the header and the half of the second wallet.
    let whole = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    fs::remove_file(&path).unwrap();
    fs::write(desk.path("halves.part"), lines[..2].concat()).unwrap();
    for records in [(&own[..2], &other[..]), (&own[..], &other[..2])] {
        let changed = transport::open(key, records, to, at, |_, _| {});
        assert!(matches!(changed, Err(RecoveryError::File { .. })), "{changed:?}");
    }
    let later = (path.as_path(), NOW_MS + 1);
    let second = transport::open(key, (&own, &other), to, later, |_, _| {}).unwrap();
    assert_eq!(second, first);
    let (_, halves) = file::read::<TransportedHalf>(&path, Kind::Halves, Side::Endpoint).unwrap();
    let written: Vec<_> = halves.into_iter().map(|half| half.record).collect();
    assert_eq!(written, own[1..]);
}
