//! Reads of the tables of a local stack or a deployment.

pub(crate) mod audit;
pub(crate) mod decisions;
pub(crate) mod overview;
pub(crate) mod payments;
pub(crate) mod schedule;
pub(crate) mod search;
pub(crate) mod settings;
mod unknown;
pub(crate) mod wallets;

use std::sync::Arc;

use domain::clock::Clock;
use shared::store::Store;

use audit::Audit;
use decisions::Decisions;
use overview::Counted;
use payments::Payments;

/// State of the reads.
#[derive(Clone)]
pub(crate) struct Reads {
    pub(crate) store: Store,
    /// `None` if the cosigner's table is unknown.
    pub(crate) decisions: Option<Arc<Decisions>>,
    /// `None` if the cosigner's table is unknown.
    pub(crate) audit: Option<Arc<Audit>>,
    /// `None` if the cosigner's table is unknown.
    pub(crate) payments: Option<Arc<Payments>>,
    pub(crate) counted: Arc<Counted>,
    pub(crate) clock: Clock,
    pub(crate) renew_within_ms: u64,
    pub(crate) refresh_every_ms: u64,
}

/// Returns a value of the query: `?name=text`.
pub(crate) fn in_query(uri: &http::Uri, name: &str) -> Option<String> {
    let pairs = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let mut found = pairs.filter(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    found.next().filter(|value| !value.is_empty())
}
