//! The files: complete or refused, continued after an interruption, and never replaced.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use hyperdex_recovery::error::RecoveryError;
use hyperdex_recovery::file::{self, Header, Kind, Writer};
use hyperdex_recovery::new_file::NewFile;
use protocol::TransportedHalf;
use protocol::recovery::{RecoveryRecord, Side};

use crate::desk::{Desk, NOW_MS, read};

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

#[test]
fn incomplete_or_changed_file_is_refused() {
    let desk = Desk::new();
    let records: Vec<_> = (1..=3).map(|number| desk.records(number, 1)[0].clone()).collect();
    let path = desk.file("records", Side::Endpoint, &records);
    assert_eq!(read(&path, Side::Endpoint).unwrap(), records);
    let wrong = read(&path, Side::Cosigner);
    assert!(matches!(wrong, Err(RecoveryError::WrongSide { .. })), "{wrong:?}");
    let wrong = wrong.unwrap_err().to_string();
    assert!(wrong.contains(&path.display().to_string()), "{wrong}");
    let halves = file::read::<TransportedHalf>(&path, Kind::Halves, Side::Endpoint);
    assert!(halves.unwrap_err().to_string().contains("another kind"));
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let cut = desk.path("cut");
    fs::write(&cut, lines[..lines.len() - 1].concat()).unwrap();
    assert!(read(&cut, Side::Endpoint).unwrap_err().to_string().contains("incomplete"));
    for (name, changed) in [
        ("left out", [lines[0], lines[1], lines[3], lines[4]].concat()),
        ("swapped", [lines[0], lines[2], lines[1], lines[3], lines[4]].concat()),
        ("edited", text.replacen("acme", "acmf", 1)),
    ] {
        fs::write(&cut, changed).unwrap();
        let cause = read(&cut, Side::Endpoint).unwrap_err().to_string();
        assert!(cause.contains("changed"), "{name}: {cause}");
    }
    fs::write(&cut, text.replacen("\"version\":1", "\"version\":2", 1)).unwrap();
    assert!(read(&cut, Side::Endpoint).unwrap_err().to_string().contains("version 1"));
}

#[test]
fn interrupted_file_is_continued_after_its_last_whole_line() {
    let desk = Desk::new();
    let records: Vec<_> = (1..=3).map(|number| desk.records(number, 1)[0].clone()).collect();
    let path = desk.path("records");
    let header = Header::new(Kind::Records, Side::Endpoint, NOW_MS);
    let (mut writer, _) = Writer::open::<RecoveryRecord>(&path, &header).unwrap();
    records[..2].iter().for_each(|record| writer.entry(record).unwrap());
    drop(writer);
    let part = desk.path("records.part");
    let torn = fs::read_to_string(&part).unwrap();
    fs::write(&part, &torn[..torn.len() - 40]).unwrap();
    let other = Header::new(Kind::Records, Side::Cosigner, NOW_MS);
    assert!(Writer::open::<RecoveryRecord>(&path, &other).is_err());
    let later = Header::new(Kind::Records, Side::Endpoint, NOW_MS + 1);
    let (mut writer, last) = Writer::open::<RecoveryRecord>(&path, &later).unwrap();
    assert_eq!(last.as_ref(), Some(&records[0]));
    records[1..].iter().for_each(|record| writer.entry(record).unwrap());
    assert_eq!(writer.finish().unwrap(), 3);
    assert_eq!(read(&path, Side::Endpoint).unwrap(), records);
    assert!(!part.exists());
    assert!(matches!(
        Writer::open::<RecoveryRecord>(&path, &header),
        Err(RecoveryError::Exists(_))
    ));
}

#[test]
fn file_with_its_end_gets_its_name_in_the_next_run() {
    let desk = Desk::new();
    let records: Vec<_> = (1..=2).map(|number| desk.records(number, 1)[0].clone()).collect();
    let path = desk.file("records", Side::Endpoint, &records);
    let (whole, part) = (fs::read_to_string(&path).unwrap(), desk.path("records.part"));
    // The run was killed between its last line and the new name.
    fs::rename(&path, &part).unwrap();
    let header = Header::new(Kind::Records, Side::Endpoint, NOW_MS + 1);
    let (mut writer, last) = Writer::open::<RecoveryRecord>(&path, &header).unwrap();
    assert_eq!((writer.is_complete(), writer.entries()), (true, 2));
    assert_eq!(last.as_ref(), Some(&records[1]));
    assert!(writer.entry(&records[0]).is_err());
    assert_eq!(writer.finish().unwrap(), 2);
    assert_eq!(fs::read_to_string(&path).unwrap(), whole);
    assert_eq!(desk.names(), ["records"]);
    // A changed file with an end, and one that continues after its end.
    for changed in [whole.replacen("acme", "acmf", 1), format!("{whole}{{")] {
        let other = desk.path("other");
        fs::write(desk.path("other.part"), changed).unwrap();
        let refused = Writer::open::<RecoveryRecord>(&other, &header);
        assert!(matches!(refused, Err(RecoveryError::File { .. })), "{refused:?}");
    }
}

#[test]
fn second_name_of_a_complete_file_is_removed() {
    let desk = Desk::new();
    let records = [desk.records(1, 1)[0].clone()];
    let path = desk.file("records", Side::Endpoint, &records);
    // The run was killed between the new name and the removal of the old one.
    fs::hard_link(&path, desk.path("records.part")).unwrap();
    let header = Header::new(Kind::Records, Side::Endpoint, NOW_MS);
    let again = Writer::open::<RecoveryRecord>(&path, &header);
    assert!(matches!(again, Err(RecoveryError::Exists(_))), "{again:?}");
    assert_eq!(desk.names(), ["records"]);
    // The complete file was moved away: the next run begins a new file and leaves it alone.
    fs::hard_link(&path, desk.path("records.part")).unwrap();
    fs::rename(&path, desk.path("moved")).unwrap();
    let (writer, last) = Writer::open::<RecoveryRecord>(&path, &header).unwrap();
    assert_eq!((writer.entries(), last), (0, None));
    writer.finish().unwrap();
    assert_eq!(read(&desk.path("moved"), Side::Endpoint).unwrap(), records);
}

#[test]
fn unfinished_file_of_yesterday_is_refused() {
    let desk = Desk::new();
    let path = desk.path("records");
    let header = Header::new(Kind::Records, Side::Endpoint, NOW_MS);
    drop(Writer::open::<RecoveryRecord>(&path, &header).unwrap());
    let last_moment = Header::new(Kind::Records, Side::Endpoint, NOW_MS + DAY_MS);
    drop(Writer::open::<RecoveryRecord>(&path, &last_moment).unwrap());
    let late = Header::new(Kind::Records, Side::Endpoint, NOW_MS + DAY_MS + 1);
    let refused = Writer::open::<RecoveryRecord>(&path, &late).unwrap_err().to_string();
    assert!(refused.contains("24 hours") && refused.contains("remove it"), "{refused}");
}

#[test]
fn unfinished_file_of_another_table_is_refused() {
    let desk = Desk::new();
    let path = desk.path("records");
    let mut header = Header::new(Kind::Records, Side::Endpoint, NOW_MS);
    header.source = Some("table one in eu-west-1".to_owned());
    drop(Writer::open::<RecoveryRecord>(&path, &header).unwrap());
    drop(Writer::open::<RecoveryRecord>(&path, &header).unwrap());
    for source in [None, Some("table two in eu-west-1".to_owned())] {
        let other = Header { source, ..header.clone() };
        let refused = Writer::open::<RecoveryRecord>(&path, &other).unwrap_err().to_string();
        assert!(refused.contains("another") && refused.contains("remove it"), "{refused}");
    }
    // A complete file without a source, as earlier versions wrote it, is still read.
    let plain = desk.file("plain", Side::Endpoint, &[desk.records(1, 1)[0].clone()]);
    assert!(!fs::read_to_string(&plain).unwrap().contains("source"));
    assert_eq!(read(&plain, Side::Endpoint).unwrap().len(), 1);
}

#[test]
fn new_file_appears_whole_or_not_at_all() {
    let desk = Desk::new();
    let path = desk.path("new");
    let reserved = NewFile::reserve(&path).unwrap();
    assert!(!path.exists());
    // Another command is faster: its file stays.
    NewFile::reserve(&path).unwrap().write(b"first").unwrap();
    let refused = reserved.write(b"second");
    assert!(matches!(refused, Err(RecoveryError::Exists(_))), "{refused:?}");
    assert!(matches!(NewFile::reserve(&path), Err(RecoveryError::Exists(_))));
    assert_eq!(fs::read(&path).unwrap(), b"first");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    drop(NewFile::reserve(&desk.path("dropped")).unwrap());
    assert_eq!(desk.names(), ["new"]);
    let nowhere = NewFile::reserve(&desk.path("no/folder")).unwrap_err();
    assert_eq!(
        nowhere.to_string(),
        format!("the directory {} does not exist", desk.path("no").display())
    );
    let header = Header::new(Kind::Records, Side::Endpoint, NOW_MS);
    let nowhere = Writer::open::<RecoveryRecord>(&desk.path("no/folder"), &header);
    assert!(matches!(nowhere, Err(RecoveryError::NoDirectory(_))), "{nowhere:?}");
}
