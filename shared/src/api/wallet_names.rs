//! The names of a wallet in a request: in its path, its query and its body.

use domain::ids::{Tenant, WalletRef};
use http::Uri;

use super::body::{JsonBody, bad_id};
use super::error::ApiError;
use crate::store::Store;

/// The field or parameter that names the wallet.
const NAME: &str = "walletIdOrAddress";

/// The fields and parameters that may name the wallet in addition to its first name.
pub(super) const WALLET_NAMES: [&str; 4] = [NAME, "userId", "walletId", "address"];

/// All names that a request gives its wallet.
#[derive(Debug)]
pub struct WalletNames(Vec<WalletRef>);

impl WalletNames {
    /// Parses the name in a path.
    ///
    /// # Errors
    /// 400 for an invalid name.
    pub fn in_path(text: &str) -> Result<Self, ApiError> {
        Ok(Self(vec![text.parse().map_err(bad_id)?]))
    }

    /// Parses the names in a query, which must have `walletIdOrAddress`.
    ///
    /// # Errors
    /// 400, naming the parameter.
    pub fn in_query(uri: &Uri) -> Result<Self, ApiError> {
        match queried(uri, NAME)? {
            Some(_) => Self(Vec::new()).and_in_query(uri),
            None => Err(ApiError::missing(NAME)),
        }
    }

    /// Parses the names in a body, which must have `walletIdOrAddress`.
    ///
    /// # Errors
    /// 400, naming the field.
    pub(super) fn in_body(body: &JsonBody) -> Result<Self, ApiError> {
        body.required(NAME)?;
        Self(Vec::new()).and_in_body(body)
    }

    /// Parses the names in a query and a body, one of which must have `walletIdOrAddress`.
    ///
    /// # Errors
    /// 400, naming the parameter or the field.
    pub(super) fn in_query_or_body(uri: &Uri, body: &JsonBody) -> Result<Self, ApiError> {
        match queried(uri, NAME)? {
            Some(_) => Self::in_query(uri)?.and_in_body(body),
            None => Self::in_body(body)?.and_in_query(uri),
        }
    }

    /// Adds the names in a query.
    ///
    /// # Errors
    /// 400, naming the parameter.
    pub fn and_in_query(mut self, uri: &Uri) -> Result<Self, ApiError> {
        for name in WALLET_NAMES {
            if let Some(text) = queried(uri, name)? {
                self.0.push(read(name, &text)?);
            }
        }
        Ok(self)
    }

    /// Adds the names in a body.
    ///
    /// # Errors
    /// 400, naming the field.
    pub(super) fn and_in_body(mut self, body: &JsonBody) -> Result<Self, ApiError> {
        for name in WALLET_NAMES {
            if let Some(text) = body.optional(name)?.filter(|text| !text.is_empty()) {
                self.0.push(read(name, text)?);
            }
        }
        Ok(self)
    }

    /// Returns one name of the wallet. Reads the table only if there are several names.
    ///
    /// # Errors
    /// 400 when the names belong to different wallets, 404 when the wallet does not exist.
    pub async fn wallet(mut self, store: &Store, tenant: &Tenant) -> Result<WalletRef, ApiError> {
        self.0.dedup();
        if let [name] = self.0.as_slice() {
            return Ok(name.clone());
        }
        let mut wallets = Vec::new();
        for name in &self.0 {
            let view = store.find(tenant, name).await?;
            wallets.push(view.map(|view| view.wallet.wallet_id));
        }
        wallets.dedup();
        match wallets.as_slice() {
            [Some(id)] => Ok(WalletRef::Wallet(*id)),
            [None] => Err(ApiError::wallet_not_found()),
            _ => Err(ApiError::bad_request("The request names different wallets")
                .advise("Name the wallet once, in walletIdOrAddress.")),
        }
    }
}

/// Returns the text of an optional parameter, which may occur once.
fn queried(uri: &Uri, name: &str) -> Result<Option<String>, ApiError> {
    let pairs = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let mut given = pairs.filter(|(key, _)| key == name);
    let Some((_, text)) = given.next() else { return Ok(None) };
    if given.next().is_some() {
        return Err(ApiError::bad_request(format!("{name} must be given once")));
    }
    if text.is_empty() {
        return Err(ApiError::missing(name));
    }
    Ok(Some(text.into_owned()))
}

fn read(name: &str, text: &str) -> Result<WalletRef, ApiError> {
    text.parse().map_err(|error| {
        let error = bad_id(error);
        let text = error.error.replacen(NAME, name, 1);
        ApiError { error: text.into(), ..error }
    })
}
