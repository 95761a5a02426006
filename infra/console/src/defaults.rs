//! The defaults of the template's parameters by which the page tells when a job works on what.

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// `RenewWithinDays`: credentials that expire within this are renewed, in milliseconds.
pub const RENEW_WITHIN_MS: u64 = 14 * DAY_MS;
/// `RefreshEveryDays`: how old a wallet's shares become, in milliseconds.
pub const REFRESH_EVERY_MS: u64 = 90 * DAY_MS;
