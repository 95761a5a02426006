//! Iteration over all wallets, page by page.

use std::vec::IntoIter;

use crate::{Client, Error, ListedWallet};

/// All wallets of a tenant. After an error it resumes with the page that failed.
#[derive(Debug)]
pub struct Wallets<'a> {
    client: &'a Client,
    limit: u8,
    page: IntoIter<ListedWallet>,
    /// Cursor of the next page; `None` at the end.
    next: Option<String>,
}

impl<'a> Wallets<'a> {
    pub(crate) fn new(client: &'a Client, limit: u8) -> Self {
        Self { client, limit, page: Vec::new().into_iter(), next: Some(String::new()) }
    }

    /// Returns the next wallet; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<ListedWallet, Error>> {
        loop {
            if let Some(wallet) = self.page.next() {
                return Some(Ok(wallet));
            }
            // A page may be empty even if it is not the last one.
            let cursor = self.next.as_deref()?;
            let cursor = (!cursor.is_empty()).then_some(cursor);
            match self.client.list_wallets(Some(self.limit), cursor).await {
                Ok(answer) => {
                    let page = answer.into_value();
                    self.page = page.wallets.into_iter();
                    self.next = page.next_cursor;
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
