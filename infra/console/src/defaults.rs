//! Defaults of the template's parameters from which the page computes when a job processes a
//! record.

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// `RenewWithinDays`: credentials that expire within this time are renewed, in milliseconds.
pub const RENEW_WITHIN_MS: u64 = 14 * DAY_MS;
/// `RefreshEveryDays`: the age at which a wallet's shares are refreshed, in milliseconds.
pub const REFRESH_EVERY_MS: u64 = 90 * DAY_MS;
