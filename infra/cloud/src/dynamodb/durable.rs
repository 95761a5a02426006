//! Makes writes durable without holding the database's lock.
//!
//! The database has one connection behind one lock. If each commit waited for the disk, every other
//! call would wait as well. The build therefore sets SQLite's default for a write-ahead log to
//! `synchronous=NORMAL` (`.cargo/config.toml`): a commit writes the log, and does not flush it. This
//! module flushes the log after the commit and before the response. One flush serves all calls that
//! wait for it. Source: "Write-Ahead Logging" and `PRAGMA synchronous` in SQLite's documentation.
//! Decision: `docs/decisions/0062-local-flush.md`.

use std::fs::File;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use tokio::sync::Mutex;

/// The write-ahead log of a database, and what is flushed of it. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Log(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    file: PathBuf,
    /// Number of writes that have begun.
    begun: AtomicU64,
    /// Number of writes that have committed or failed.
    ended: AtomicU64,
    /// Number of flushes that have begun.
    flushes: AtomicU64,
    last: Mutex<Last>,
}

/// The last flush that ended.
#[derive(Debug, Default)]
struct Last {
    number: u64,
    /// Number of writes that had ended when it began.
    ended: u64,
    /// After a failure the operating system may drop the data and report the next flush as
    /// successful. No later call may rely on it.
    failed: bool,
}

/// A write in progress.
pub(super) struct Write<'a>(&'a Shared);

impl Drop for Write<'_> {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, SeqCst);
    }
}

impl Log {
    /// Returns the log of the database in this file.
    pub(super) fn of(database: &Path) -> Self {
        let mut name = database.as_os_str().to_owned();
        name.push("-wal");
        Self(Arc::new(Shared {
            file: name.into(),
            begun: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            flushes: AtomicU64::new(0),
            last: Mutex::default(),
        }))
    }

    /// Begins a write, which ends when the returned value is dropped.
    pub(super) fn begin(&self) -> Write<'_> {
        self.0.begun.fetch_add(1, SeqCst);
        Write(&self.0)
    }

    /// Waits until every commit that the caller has made or seen is on the disk. A read calls this
    /// too, because it may have seen a commit that is not flushed.
    ///
    /// # Errors
    /// When the log cannot be flushed, now or earlier. The caller must not report success.
    pub(super) async fn flush(&self) -> Result<(), Error> {
        let Shared { file, begun, ended, flushes, last } = &*self.0;
        let (before, ended_before, begun_before) =
            (flushes.load(SeqCst), ended.load(SeqCst), begun.load(SeqCst));
        let mut last = last.lock().await;
        if last.failed {
            return Err(Error::other("an earlier flush of the database failed"));
        }
        // A write in progress may have committed without having ended.
        let is_quiet = begun_before == ended_before;
        if (is_quiet && last.ended >= ended_before) || last.number > before {
            return Ok(());
        }
        let number = flushes.fetch_add(1, SeqCst) + 1;
        let ended = ended.load(SeqCst);
        let file = file.clone();
        let synced = tokio::task::spawn_blocking(move || match File::open(file) {
            Ok(log) => log.sync_data(),
            // Without a log, all commits are in the database, flushed by a checkpoint.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        });
        match synced.await.map_err(Error::other).flatten() {
            Ok(()) => {
                (last.number, last.ended) = (number, ended);
                Ok(())
            }
            Err(error) => {
                last.failed = true;
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn flushes_after(log: &Log) -> u64 {
        log.flush().await.unwrap();
        log.0.flushes.load(SeqCst)
    }

    #[tokio::test]
    async fn read_flushes_only_what_is_not_flushed() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::of(&folder.path().join("data.sqlite"));
        std::fs::write(folder.path().join("data.sqlite-wal"), "log").unwrap();
        assert_eq!(flushes_after(&log).await, 0, "nothing was written");
        let write = log.begin();
        assert_eq!(flushes_after(&log).await, 1, "the write may have committed");
        drop(write);
        assert_eq!(flushes_after(&log).await, 2, "the flush began before the write ended");
        assert_eq!(flushes_after(&log).await, 2);
    }

    #[tokio::test]
    async fn waiting_calls_share_one_flush() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::of(&folder.path().join("data.sqlite"));
        let held = log.0.last.lock().await;
        let waiting: Vec<_> = (0..8)
            .map(|_| {
                let log = log.clone();
                async move {
                    drop(log.begin());
                    log.flush().await
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
        drop(log.begin());
        assert!(log.flush().await.is_err());
        assert!(log.flush().await.is_err());
    }
}
