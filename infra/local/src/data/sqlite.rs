//! SQLite files of the data directory: complete, and marked with the directory's id.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use crate::identity::Fault;

/// First bytes of a SQLite file.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Verifies a file with SQLite's own integrity check, and returns the id it is marked with. Changes
/// nothing.
pub(super) fn check(path: &Path, file: &'static str) -> Result<Option<String>, Fault> {
    let corrupt = |cause: String| Fault::Corrupt { file, cause };
    let mut head = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAGIC.len() as u64).read_to_end(&mut head))
        .map_err(|error| corrupt(error.to_string()))?;
    if head.is_empty() {
        return Err(Fault::Empty(file));
    }
    if head != MAGIC {
        return Err(corrupt("it is not a SQLite file".to_owned()));
    }
    let checked = || -> rusqlite::Result<(String, Option<String>)> {
        let connection = open(path)?;
        let found = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        Ok((found, id(&connection)?))
    };
    let (found, id) = checked().map_err(|error| corrupt(error.to_string()))?;
    if found == "ok" { Ok(id) } else { Err(corrupt(found.replace('\n', " "))) }
}

/// Opens an existing file.
fn open(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(Duration::from_secs(5))?;
    Ok(connection)
}

fn id(connection: &Connection) -> rusqlite::Result<Option<String>> {
    const KNOWN: &str =
        "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'hyperdex_identity'";
    let known: i64 = connection.query_row(KNOWN, [], |row| row.get(0))?;
    if known == 0 {
        return Ok(None);
    }
    connection.query_row("SELECT id FROM hyperdex_identity", [], |row| row.get(0)).optional()
}

/// Marks a file with the directory's id.
pub(super) fn mark(path: &Path, id: &str) -> rusqlite::Result<()> {
    let mut connection = open(path)?;
    let transaction = connection.transaction()?;
    transaction.execute_batch("CREATE TABLE IF NOT EXISTS hyperdex_identity (id TEXT NOT NULL)")?;
    transaction.execute("DELETE FROM hyperdex_identity", [])?;
    transaction.execute("INSERT INTO hyperdex_identity (id) VALUES (?1)", [id])?;
    transaction.commit()
}

/// Copies files as of one moment, while other processes write to them.
pub(super) fn copy(files: &[(PathBuf, PathBuf)]) -> rusqlite::Result<()> {
    // Begin every read before the first copy, so that references between the files stay valid.
    let mut sources = Vec::new();
    for (from, _) in files {
        let source = open(from)?;
        source.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema;")?;
        sources.push(source);
    }
    for (source, (_, to)) in sources.iter().zip(files) {
        let mut copy = Connection::open(to)?;
        // Copy all pages in one step: a concurrent write would restart a stepwise backup.
        Backup::new(source, &mut copy)?.run_to_completion(
            i32::MAX,
            Duration::from_millis(10),
            None,
        )?;
        // Store one file, without a write-ahead log.
        copy.pragma_update(None, "journal_mode", "DELETE")?;
    }
    Ok(())
}
