//! The errors of Lighter's keys and accounts.

use domain::ids::Exchange;
use platform::items::StoreError;
use shared::api::error::ApiError;
use shared::api::trading::{
    Action, key_in_query_refused, lighter_account_errors, two_lighter_keys,
};
use shared::exchanges::lighter::CredentialFault;
use shared::exchanges::trade::TradeCode;
use shared::orders::TradeError;

use super::trading;

fn of(error: TradeError) -> ApiError {
    ApiError::trade(Exchange::Lighter, Action::Credentials, error)
}

/// Returns the errors of the parts of a key.
fn parts() -> Vec<ApiError> {
    [CredentialFault::Key, CredentialFault::Slot, CredentialFault::Account]
        .iter()
        .map(|fault| ApiError::bad_request(fault.to_string()))
        .chain([ApiError::missing("apiKeyPrivateKey")])
        .collect()
}

/// Returns the errors of a request that gives a key.
pub(crate) fn keys() -> Vec<ApiError> {
    let mut errors = parts();
    errors.extend([two_lighter_keys(), key_in_query_refused()]);
    errors.push(ApiError::bad_request("apiKeyPrivateKey must be given once"));
    // The key of a body without its slot is looked up.
    errors.push(of(TradeError::KeyNotListed));
    errors
}

/// Returns the errors of the name of an account.
pub(crate) fn accounts() -> Vec<ApiError> {
    let mut errors = lighter_account_errors().to_vec();
    errors.push(ApiError::bad_request(CredentialFault::Account.to_string()));
    errors.extend([ApiError::unreadable_path(), ApiError::no_route()]);
    errors
}

/// Returns the errors of storing a key.
pub(crate) fn store() -> Vec<ApiError> {
    let mut errors = parts();
    errors.extend(trading::all(
        Exchange::Lighter,
        Action::Credentials,
        vec![TradeError::KeyNotListed],
    ));
    errors
}

/// Returns the refusals of every call of Lighter, and none of another exchange.
pub(super) fn of_call(exchange: Exchange) -> Vec<TradeError> {
    if exchange != Exchange::Lighter {
        return Vec::new();
    }
    vec![
        trading::refused(TradeCode::RegionBlocked, "restricted jurisdiction"),
        trading::refused(TradeCode::SignerOutdated, "client needs an upgrade"),
    ]
}

fn stored() -> Vec<ApiError> {
    vec![
        ApiError::bad_request(CredentialFault::Account.to_string()),
        ApiError::missing("accountIndex"),
        of(TradeError::Store(StoreError::Busy(String::new()))),
    ]
}

/// Returns the errors of reading a stored key.
pub(crate) fn describe() -> Vec<ApiError> {
    let mut errors = stored();
    errors.push(shared::api::trading::lighter_key_not_stored());
    errors
}

/// Returns the errors of deleting a stored key.
pub(crate) fn delete() -> Vec<ApiError> {
    stored()
}
