//! A rendezvous for calls.

use std::sync::Arc;

use tokio::sync::watch;

/// Holds calls until every running attempt has one waiting here, or until enough other calls have
/// passed. After that, it holds nothing. Clones share it.
#[derive(Clone)]
pub struct Rendezvous(Arc<watch::Sender<Waiting>>);

#[derive(Clone, Copy)]
struct Waiting {
    /// The number of attempts that have not ended.
    live: usize,
    held: usize,
    /// The number of other calls since the last one was held.
    others: usize,
    /// The number of other calls after which it opens.
    max_others: usize,
    open: bool,
}

impl Rendezvous {
    /// Creates a rendezvous for this many attempts.
    #[must_use]
    pub fn of(live: usize) -> Self {
        let max_others = usize::MAX;
        Self(Arc::new(watch::Sender::new(Waiting {
            live,
            held: 0,
            others: 0,
            max_others,
            open: live == 0,
        })))
    }

    /// Opens after this many other calls since the last held one.
    #[must_use]
    pub fn open_after(self, calls: usize) -> Self {
        self.change(|it| it.max_others = calls);
        self
    }

    fn change(&self, change: impl FnOnce(&mut Waiting)) {
        self.0.send_modify(|it| {
            change(it);
            it.open |= it.held >= it.live || it.others >= it.max_others;
        });
    }

    /// Waits until the rendezvous opens.
    pub async fn wait(&self) {
        self.change(|it| (it.held, it.others) = (it.held + 1, 0));
        let _ = self.0.subscribe().wait_for(|it| it.open).await;
    }

    /// Waits until this many calls are held.
    pub async fn held(&self, count: usize) {
        let _ = self.0.subscribe().wait_for(|it| it.held >= count).await;
    }

    /// Marks one attempt as ended.
    pub fn leave(&self) {
        self.change(|it| it.live = it.live.saturating_sub(1));
    }

    /// Counts another call.
    pub fn passed(&self) {
        self.change(|it| it.others += 1);
    }
}

impl std::fmt::Debug for Rendezvous {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let it = *self.0.borrow();
        write!(f, "Rendezvous({} of {})", it.held, it.live)
    }
}

impl PartialEq for Rendezvous {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Rendezvous {}
