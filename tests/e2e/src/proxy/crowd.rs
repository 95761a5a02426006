//! Calls that wait for each other.

use std::sync::Arc;

use tokio::sync::watch;

/// Holds calls until every attempt that is still under way has one waiting here, or enough other
/// calls have passed meanwhile. From then on it holds nothing. Clones share it.
#[derive(Clone)]
pub struct Crowd(Arc<watch::Sender<Waiting>>);

#[derive(Clone, Copy)]
struct Waiting {
    /// Attempts that have not ended.
    live: usize,
    held: usize,
    /// Other calls since the last one was held.
    others: usize,
    /// So many are enough.
    patience: usize,
    open: bool,
}

impl Crowd {
    /// For so many attempts.
    #[must_use]
    pub fn of(live: usize) -> Self {
        let patience = usize::MAX;
        Self(Arc::new(watch::Sender::new(Waiting {
            live,
            held: 0,
            others: 0,
            patience,
            open: live == 0,
        })))
    }

    /// One that opens after so many calls elsewhere, since the last one was held.
    #[must_use]
    pub fn patient(self, calls: usize) -> Self {
        self.change(|it| it.patience = calls);
        self
    }

    fn change(&self, change: impl FnOnce(&mut Waiting)) {
        self.0.send_modify(|it| {
            change(it);
            it.open |= it.held >= it.live || it.others >= it.patience;
        });
    }

    /// Waits until the crowd opens.
    pub async fn wait(&self) {
        self.change(|it| (it.held, it.others) = (it.held + 1, 0));
        let _ = self.0.subscribe().wait_for(|it| it.open).await;
    }

    /// Returns when so many calls are held.
    pub async fn held(&self, count: usize) {
        let _ = self.0.subscribe().wait_for(|it| it.held >= count).await;
    }

    /// An attempt has ended.
    pub fn leave(&self) {
        self.change(|it| it.live = it.live.saturating_sub(1));
    }

    /// Another call has passed.
    pub fn passed(&self) {
        self.change(|it| it.others += 1);
    }
}

impl std::fmt::Debug for Crowd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let it = *self.0.borrow();
        write!(f, "Crowd({} of {})", it.held, it.live)
    }
}

impl PartialEq for Crowd {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Crowd {}
