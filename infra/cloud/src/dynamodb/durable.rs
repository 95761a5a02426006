//! Makes writes durable without holding the database's lock.
//!
//! The database has one connection behind one lock. If each commit waited for the disk, every other
//! call would wait as well. The build therefore sets SQLite's default for a write-ahead log to
//! `synchronous=NORMAL` (`.cargo/config.toml`): a commit writes the log, and does not flush it. This
//! module flushes the log after the commit and before the response. One flush serves all calls that
//! wait for it. A read waits for the writes of its own partitions only.
//!
//! A checkpoint, which copies the log into the database's file, flushes both. SQLite makes one
//! inside the commit that fills the log, under the database's lock. A second connection therefore
//! makes them earlier, and the build raises the limit of the log (`.cargo/config.toml`). Sources:
//! "Write-Ahead Logging", `PRAGMA synchronous` and `PRAGMA wal_checkpoint` in SQLite's documentation.
//! Decision: `docs/decisions/0062-local-flush.md`.

use std::fs::File;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};
use tokio::sync::Mutex;
use tokio::time::MissedTickBehavior;

use super::partitions::{NUMBERS, Partitions};

/// Interval of the checkpoints.
const CHECKPOINT: Duration = Duration::from_millis(500);

/// The write-ahead log of a database, and what is flushed of it. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Log(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    database: PathBuf,
    file: PathBuf,
    writes: std::sync::Mutex<Writes>,
    /// Number of flushes that have begun.
    flushes: AtomicU64,
    /// The writes that ended up to this number are on the disk.
    flushed: AtomicU64,
    /// After a failure the operating system may drop the data and report the next flush as
    /// successful. No later call may rely on it.
    failed: AtomicBool,
    /// Number of the last flush that ended.
    last: Mutex<u64>,
}

/// The writes of the partitions.
#[derive(Debug)]
struct Writes {
    /// Number of writes that have committed or failed.
    ended: u64,
    of: Vec<State>,
    /// Of the writes that name no partition.
    of_any: State,
    in_progress: u64,
}

/// The writes of one partition.
#[derive(Clone, Copy, Default, Debug)]
struct State {
    in_progress: u64,
    /// Number of the last one that ended.
    newest: u64,
}

impl Writes {
    fn change(&mut self, partitions: &Partitions, change: impl Fn(&mut State)) {
        match partitions {
            Partitions::Some(numbers) => {
                for number in numbers {
                    self.of.get_mut(*number).into_iter().for_each(&change);
                }
            }
            Partitions::All => change(&mut self.of_any),
        }
    }

    /// Returns the number of the last write that ended in these partitions; `None` while one of
    /// them is written, because that write may have committed.
    fn newest(&self, partitions: &Partitions) -> Option<u64> {
        match partitions {
            Partitions::All => (self.in_progress == 0).then_some(self.ended),
            Partitions::Some(numbers) => {
                let states = numbers.iter().filter_map(|number| self.of.get(*number));
                states.chain([&self.of_any]).try_fold(0, |newest, state| {
                    (state.in_progress == 0).then_some(newest.max(state.newest))
                })
            }
        }
    }
}

/// A write in progress.
pub(super) struct Write<'a>(&'a Shared, &'a Partitions);

impl Drop for Write<'_> {
    fn drop(&mut self) {
        let mut writes = self.0.writes();
        writes.ended += 1;
        writes.in_progress -= 1;
        let ended = writes.ended;
        writes.change(self.1, |state| {
            state.in_progress -= 1;
            state.newest = ended;
        });
    }
}

impl Shared {
    fn writes(&self) -> MutexGuard<'_, Writes> {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    /// Returns the log of the database in this file.
    pub(super) fn of(database: &Path) -> Self {
        let mut name = database.as_os_str().to_owned();
        name.push("-wal");
        let of = vec![State::default(); NUMBERS];
        Self(Arc::new(Shared {
            database: database.to_owned(),
            file: name.into(),
            writes: std::sync::Mutex::new(Writes {
                ended: 0,
                of,
                of_any: State::default(),
                in_progress: 0,
            }),
            flushes: AtomicU64::new(0),
            flushed: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            last: Mutex::default(),
        }))
    }

    /// Begins a write of these partitions, which ends when the returned value is dropped.
    pub(super) fn begin<'a>(&'a self, partitions: &'a Partitions) -> Write<'a> {
        let mut writes = self.0.writes();
        writes.in_progress += 1;
        writes.change(partitions, |state| state.in_progress += 1);
        drop(writes);
        Write(&self.0, partitions)
    }

    /// Waits until every commit that the caller has made or seen in these partitions is on the disk.
    /// A read calls this too, because it may have seen a commit that is not flushed.
    ///
    /// # Errors
    /// When the log cannot be flushed, now or earlier. The caller must not report success.
    pub(super) async fn flush(&self, partitions: &Partitions) -> Result<(), Error> {
        let Shared { file, flushes, flushed, failed, last, .. } = &*self.0;
        let earlier = || match failed.load(SeqCst) {
            true => Err(Error::other("an earlier flush of the database failed")),
            false => Ok(()),
        };
        let before = flushes.load(SeqCst);
        let newest = self.0.writes().newest(partitions);
        let is_flushed = || newest.is_some_and(|newest| newest <= flushed.load(SeqCst));
        earlier()?;
        if is_flushed() {
            return Ok(());
        }
        let mut last = last.lock().await;
        earlier()?;
        if is_flushed() || *last > before {
            return Ok(());
        }
        let number = flushes.fetch_add(1, SeqCst) + 1;
        let ended = self.0.writes().ended;
        let file = file.clone();
        let synced = tokio::task::spawn_blocking(move || match File::open(file) {
            Ok(log) => log.sync_data(),
            // Without a log, all commits are in the database, flushed by a checkpoint.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        });
        match synced.await.map_err(Error::other).flatten() {
            Ok(()) => {
                *last = number;
                flushed.store(ended, SeqCst);
                Ok(())
            }
            Err(error) => {
                failed.store(true, SeqCst);
                Err(error)
            }
        }
    }

    /// Makes a checkpoint at every interval, without the database's lock, until the task is aborted.
    /// After a failure it makes no more, and every call fails, as after a failed flush.
    pub(super) async fn keep_short(self) {
        let mut connection = None;
        let mut ticks = tokio::time::interval(CHECKPOINT);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let database = self.0.database.clone();
            let made = tokio::task::spawn_blocking(move || {
                let connection = match connection {
                    Some(connection) => connection,
                    None => Connection::open(database)?,
                };
                checkpoint(&connection).map(|()| connection)
            });
            match made.await {
                Ok(Ok(open)) => connection = Some(open),
                Ok(Err(error)) => {
                    tracing::error!(%error, "cannot write the local database: restart the stack");
                    self.0.failed.store(true, SeqCst);
                    return;
                }
                // The runtime ends.
                Err(_) => return,
            }
        }
    }
}

/// Copies what it can of the log into the database's file, next to readers and writers. If another
/// connection makes a checkpoint now, this one makes none.
fn checkpoint(connection: &Connection) -> rusqlite::Result<()> {
    match connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(()),
        made => made,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Partitions = Partitions::All;

    fn only(number: usize) -> Partitions {
        Partitions::Some(vec![number])
    }

    async fn flushes_after(log: &Log, partitions: &Partitions) -> u64 {
        log.flush(partitions).await.unwrap();
        log.0.flushes.load(SeqCst)
    }

    fn log_in(folder: &Path) -> Log {
        std::fs::write(folder.join("data.sqlite-wal"), "log").unwrap();
        Log::of(&folder.join("data.sqlite"))
    }

    #[tokio::test]
    async fn read_flushes_only_what_is_not_flushed() {
        let folder = tempfile::tempdir().unwrap();
        let log = log_in(folder.path());
        for (written, read) in [(ALL, ALL), (only(7), only(7)), (only(7), ALL), (ALL, only(7))] {
            let log = log_in(folder.path());
            assert_eq!(flushes_after(&log, &read).await, 0, "nothing was written");
            let write = log.begin(&written);
            assert_eq!(flushes_after(&log, &read).await, 1, "the write may have committed");
            drop(write);
            assert_eq!(flushes_after(&log, &read).await, 2, "the flush began before its end");
            assert_eq!(flushes_after(&log, &read).await, 2);
        }
        let (write, other) = (only(7), only(8));
        let write = log.begin(&write);
        assert_eq!(flushes_after(&log, &other).await, 0, "another partition is written");
        drop(write);
        assert_eq!(flushes_after(&log, &other).await, 0);
        let both = Partitions::Some(vec![8, 7]);
        assert_eq!(flushes_after(&log, &both).await, 1);
    }

    /// A read of a flushed partition does not wait for the flush of another one.
    #[tokio::test]
    async fn read_does_not_wait_for_a_flush_in_progress() {
        let folder = tempfile::tempdir().unwrap();
        let log = log_in(folder.path());
        let written = only(7);
        drop(log.begin(&written));
        let flush = log.0.last.lock().await;
        assert!(futures_util::poll!(Box::pin(log.flush(&only(8)))).is_ready());
        assert!(futures_util::poll!(Box::pin(log.flush(&written))).is_pending());
        drop(flush);
    }

    #[tokio::test]
    async fn waiting_calls_share_one_flush() {
        let folder = tempfile::tempdir().unwrap();
        let log = log_in(folder.path());
        let held = log.0.last.lock().await;
        let waiting: Vec<_> = (0..8)
            .map(|number| {
                let log = log.clone();
                async move {
                    let written = only(number);
                    drop(log.begin(&written));
                    log.flush(&written).await
                }
            })
            .collect();
        let all = futures_util::future::join_all(waiting);
        tokio::pin!(all);
        // Each call has written, and waits.
        assert!(futures_util::poll!(&mut all).is_pending());
        drop(held);
        assert!(all.await.iter().all(Result::is_ok));
        assert_eq!(log.0.flushes.load(SeqCst), 1);
    }

    #[tokio::test]
    async fn failed_flush_fails_all_later_calls() {
        let folder = tempfile::tempdir().unwrap();
        // The database's folder is a file, so the log cannot be opened.
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let log = Log::of(&file.join("data.sqlite"));
        drop(log.begin(&only(7)));
        for partitions in [only(7), only(8), ALL] {
            assert!(log.flush(&partitions).await.is_err());
        }
    }

    fn number(connection: &Connection, pragma: &str) -> i64 {
        connection.pragma_query_value(None, pragma, |row| row.get(0)).unwrap()
    }

    #[test]
    fn commits_neither_flush_nor_make_checkpoints() {
        let folder = tempfile::tempdir().unwrap();
        let connection = Connection::open(folder.path().join("data.sqlite")).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        connection.execute_batch("CREATE TABLE written (one INTEGER)").unwrap();
        assert_eq!(number(&connection, "synchronous"), 1, "`NORMAL`: see .cargo/config.toml");
        assert_eq!(number(&connection, "wal_autocheckpoint"), 16_000);
    }

    #[test]
    fn checkpoint_copies_the_log_beside_a_reader() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("data.sqlite");
        let writer = Connection::open(&file).unwrap();
        writer.pragma_update(None, "journal_mode", "WAL").unwrap();
        writer.execute_batch("CREATE TABLE written (one INTEGER)").unwrap();
        let reader = Connection::open(&file).unwrap();
        reader.execute_batch("BEGIN; SELECT * FROM sqlite_schema").unwrap();

        checkpoint(&Connection::open(&file).unwrap()).unwrap();

        let copy = folder.path().join("copy.sqlite");
        std::fs::copy(&file, &copy).unwrap();
        let copy = Connection::open(copy).unwrap();
        copy.query_row("SELECT count(*) FROM written", [], |_| Ok(())).unwrap();
    }

    #[tokio::test]
    async fn failed_checkpoint_fails_all_later_calls() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::of(folder.path());
        log.clone().keep_short().await;
        assert!(log.flush(&ALL).await.is_err());
    }
}
