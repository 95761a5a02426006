//! All wallets, a page at a time.

use std::vec::IntoIter;

use crate::{Client, Error, ListedWallet};

/// All wallets of a key. After an error it goes on with the page that failed.
#[derive(Debug)]
pub struct Wallets<'a> {
    client: &'a Client,
    limit: u8,
    page: IntoIter<ListedWallet>,
    /// Where the next page begins: `None` is at the end of all.
    next: Option<String>,
}

impl<'a> Wallets<'a> {
    pub(crate) fn new(client: &'a Client, limit: u8) -> Self {
        Self { client, limit, page: Vec::new().into_iter(), next: Some(String::new()) }
    }

    /// The next one; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<ListedWallet, Error>> {
        loop {
            if let Some(wallet) = self.page.next() {
                return Some(Ok(wallet));
            }
            // A page may be empty though it is not the last one.
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
