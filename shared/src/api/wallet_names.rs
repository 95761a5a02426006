//! The names of a wallet in a request: in its path, its query, its body and a header.

use domain::ids::{Tenant, WalletRef};
use futures_util::future::BoxFuture;
use http::{HeaderMap, Uri};
use uuid::Uuid;

use super::body::{JsonBody, bad_id};
use super::error::ApiError;
use crate::store::Store;

/// The field or parameter that names the wallet.
const NAME: &str = "walletIdOrAddress";

/// The fields and parameters that may name the wallet in addition to its first name.
pub(super) const WALLET_NAMES: [&str; 4] = [NAME, "userId", "walletId", "address"];

/// The header of the orders' routes that names the wallet.
pub const HEADER: &str = "x-wallet-id";

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

    /// Parses the names in the header `x-wallet-id`, in a query and in a body, one of which must
    /// name the wallet.
    ///
    /// # Errors
    /// 400, naming the header, the parameter or the field.
    pub(super) fn in_request(
        headers: &HeaderMap,
        uri: &Uri,
        body: Option<&JsonBody>,
    ) -> Result<Self, ApiError> {
        Self::perhaps_in_request(headers, uri, body)?.ok_or_else(|| {
            ApiError::missing(NAME).advise(
                "Name the wallet in the header x-wallet-id, or in walletIdOrAddress in the query or \
                 in the body.",
            )
        })
    }

    /// Parses the names in a path, if it names the wallet, in the header `x-wallet-id`, in a query
    /// and in a body. One of them must name the wallet.
    ///
    /// # Errors
    /// 400, naming the header, the parameter or the field.
    pub(super) fn of_request(
        path: Option<&str>,
        headers: &HeaderMap,
        uri: &Uri,
        body: Option<&JsonBody>,
    ) -> Result<Self, ApiError> {
        let Some(path) = path else { return Self::in_request(headers, uri, body) };
        let names = Self::in_path(path)?.and_in_header(headers)?.and_in_query(uri)?;
        match body {
            Some(body) => names.and_in_body(body),
            None => Ok(names),
        }
    }

    /// Parses the names as [`Self::in_request`]. `None` means that the request names no wallet.
    ///
    /// # Errors
    /// 400, naming the header, the parameter or the field.
    pub(super) fn perhaps_in_request(
        headers: &HeaderMap,
        uri: &Uri,
        body: Option<&JsonBody>,
    ) -> Result<Option<Self>, ApiError> {
        let mut names = Self(Vec::new()).and_in_header(headers)?.and_in_query(uri)?;
        if let Some(body) = body {
            names = names.and_in_body(body)?;
        }
        Ok((!names.0.is_empty()).then_some(names))
    }

    /// Adds the name in the header `x-wallet-id`, which may occur once.
    ///
    /// # Errors
    /// 400, naming the header.
    pub fn and_in_header(mut self, headers: &HeaderMap) -> Result<Self, ApiError> {
        let mut given = headers.get_all(HEADER).iter();
        let Some(value) = given.next() else { return Ok(self) };
        if given.next().is_some() {
            return Err(ApiError::bad_request("x-wallet-id must be given once"));
        }
        // A value that is not text has no valid form either.
        let text = value.to_str().unwrap_or("?");
        if text.is_empty() {
            return Err(ApiError::missing(HEADER));
        }
        self.0.push(read(HEADER, text)?);
        Ok(self)
    }

    /// Adds the names in a query.
    ///
    /// # Errors
    /// 400, naming the parameter.
    pub fn and_in_query(mut self, uri: &Uri) -> Result<Self, ApiError> {
        for name in WALLET_NAMES.into_iter().chain(["walletAddress"]) {
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
    pub fn wallet<'a>(
        mut self,
        store: &'a Store,
        tenant: &'a Tenant,
    ) -> BoxFuture<'a, Result<WalletRef, ApiError>> {
        Box::pin(async move {
            self.0.dedup();
            if let [name] = self.0.as_slice() {
                return Ok(name.clone());
            }
            let mut wallets = Vec::new();
            for name in &self.0 {
                let view = store.find(tenant, name).await?;
                wallets.push(view.map(|view| view.wallet.wallet_id));
            }
            one_of(wallets)
        })
    }
}

impl WalletNames {
    /// Returns one name of the wallet, for functions that may read only the pointers of names. A
    /// wallet that is named by its id alone may not exist.
    ///
    /// # Errors
    /// 400 when the names belong to different wallets, 404 when no wallet has the name.
    pub(super) async fn pointed(
        mut self,
        store: &Store,
        tenant: &Tenant,
    ) -> Result<WalletRef, ApiError> {
        self.0.dedup();
        if let [name] = self.0.as_slice() {
            return Ok(name.clone());
        }
        let mut ids = Vec::new();
        for name in &self.0 {
            ids.push(store.resolve(tenant, name).await?);
        }
        one_of(ids)
    }
}

/// Returns the only wallet of several names.
fn one_of(mut ids: Vec<Option<Uuid>>) -> Result<WalletRef, ApiError> {
    ids.dedup();
    match ids.as_slice() {
        [Some(id)] => Ok(WalletRef::Wallet(*id)),
        [None] => Err(ApiError::wallet_not_found()),
        _ => Err(ApiError::bad_request("The request names different wallets")
            .advise("Name the wallet once, in walletIdOrAddress.")),
    }
}

/// Returns the text of an optional parameter, which may occur once.
pub(super) fn queried(uri: &Uri, name: &str) -> Result<Option<String>, ApiError> {
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
