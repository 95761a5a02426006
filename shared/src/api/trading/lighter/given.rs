//! The parts of a key that a request gives: in headers, in the body, or in the query as published.
//! They are removed from the request, so that nothing later sees them.

use http::request::Parts;
use http::{HeaderMap, HeaderName, Uri};
use lighter_signer::SecretKey;
use serde_json::Value;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use crate::api::body::JsonBody;
use crate::api::error::ApiError;
use crate::api::wallet_names::WALLET_NAMES;
use crate::exchanges::lighter::credential::parse_account;
use crate::exchanges::lighter::{Credential, CredentialFault};

/// The names in the query and in the body: the private key, its slot, and the account.
pub(super) const NAMES: [&str; 3] = ["apiKeyPrivateKey", "apiKeyIndex", "accountIndex"];

/// The headers, in the same sequence.
pub(super) const HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("x-lighter-api-key-private-key"),
    HeaderName::from_static("x-lighter-api-key-index"),
    HeaderName::from_static("x-lighter-account-index"),
];

/// Where a request gives its key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Source {
    /// Nowhere.
    Nothing,
    /// In headers.
    Headers,
    /// In `credentials.lighter` of the body.
    Body,
    /// In the query, as published.
    Query,
}

/// The parts that one source gives.
#[derive(Default)]
struct Triple([Option<Zeroizing<String>>; 3]);

impl Triple {
    fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// Returns the name of the first part that is missing.
    fn missing(&self) -> Option<&'static str> {
        self.0.iter().zip(NAMES).find(|(part, _)| part.is_none()).map(|(_, name)| name)
    }
}

/// What a request gives.
pub(super) struct Given {
    pub(super) source: Source,
    parts: Triple,
}

impl Given {
    /// Takes the parts out of a request. Returns the body without them.
    ///
    /// # Errors
    /// 400 when two sources give parts, when a source gives a part twice, when the request names a
    /// wallet, and for a body that is not JSON.
    pub(super) fn take(parts: &mut Parts, body: &[u8]) -> Result<(Self, Vec<u8>), ApiError> {
        let in_query = take_query(&mut parts.uri)?;
        let in_headers = take_headers(&mut parts.headers)?;
        let (in_body, body) = take_body(&parts.headers, body)?;
        let sources =
            [(Source::Headers, in_headers), (Source::Body, in_body), (Source::Query, in_query)];
        let mut given = sources.into_iter().filter(|(_, parts)| !parts.is_empty());
        let first = given.next();
        if given.next().is_some() {
            return Err(two_lighter_keys());
        }
        let (source, parts) = first.unwrap_or((Source::Nothing, Triple::default()));
        Ok((Self { source, parts }, body))
    }

    /// Returns whether a part of a key is in the query. The account alone names a stored key.
    pub(super) fn has_key_in_query(&self) -> bool {
        let [key, slot, _] = &self.parts.0;
        self.source == Source::Query && (key.is_some() || slot.is_some())
    }

    /// Returns the key, if the request gives one.
    ///
    /// # Errors
    /// 400, naming the part that is missing or invalid, and never its value.
    pub(super) fn credential(&self) -> Result<Option<Credential>, ApiError> {
        let [key, slot, account] = &self.parts.0;
        if key.is_none() && slot.is_none() {
            return Ok(None);
        }
        match (key, slot, account) {
            (Some(key), Some(slot), Some(account)) => {
                Credential::parse(key, slot, account).map(Some).map_err(fault)
            }
            _ => Err(ApiError::missing(self.parts.missing().unwrap_or_default())),
        }
    }

    /// Returns the key and the account of a body without the slot, which the published body of the
    /// aggregator lacks.
    ///
    /// # Errors
    /// 400, naming the part that is invalid, and never its value.
    pub(super) fn without_slot(&self) -> Result<Option<(SecretKey, u64)>, ApiError> {
        match &self.parts.0 {
            [Some(key), None, Some(account)] if self.source == Source::Body => {
                let account = parse_account(account).map_err(fault)?;
                let key = SecretKey::parse(key).map_err(|error| fault(error.into()))?;
                Ok(Some((key, account)))
            }
            _ => Ok(None),
        }
    }

    /// Returns the account, if the request names one.
    ///
    /// # Errors
    /// 400 when it is invalid.
    pub(super) fn account(&self) -> Result<Option<u64>, ApiError> {
        let [.., account] = &self.parts.0;
        account.as_ref().map(|account| parse_account(account).map_err(fault)).transpose()
    }
}

/// Returns the error of a request that gives a key in two ways.
#[must_use]
pub fn two_lighter_keys() -> ApiError {
    ApiError::bad_request("The request gives a Lighter key in two ways")
        .advise("Give it in the headers, in the body or in the query, and only once.")
}

/// Returns whether a query has a part of a key. The account alone names a stored key.
pub(super) fn has_key(uri: &Uri) -> bool {
    let [key, slot, _] = NAMES;
    let mut pairs = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    pairs.any(|(name, _)| name == key || name == slot)
}

/// Returns the error of a request that names a wallet of the service.
fn wallet_named() -> ApiError {
    ApiError::bad_request("Lighter orders name no wallet").advise(
        "Remove walletIdOrAddress. Name the account of Lighter with X-LIGHTER-ACCOUNT-INDEX or \
         accountIndex.",
    )
}

fn fault(fault: CredentialFault) -> ApiError {
    ApiError::bad_request(fault.to_string())
}

fn twice(name: &str) -> ApiError {
    ApiError::bad_request(format!("{name} must be given once"))
}

/// Puts a part into its place, which must be empty.
fn put(triple: &mut Triple, place: usize, text: String, name: &str) -> Result<(), ApiError> {
    let text = Zeroizing::new(text);
    let Some(slot) = triple.0.get_mut(place) else { return Ok(()) };
    if slot.is_some() {
        return Err(twice(name));
    }
    *slot = Some(text);
    Ok(())
}

/// Takes the parts out of a query. Encoded names count, too.
fn take_query(uri: &mut Uri) -> Result<Triple, ApiError> {
    let Some(query) = uri.query() else { return Ok(Triple::default()) };
    let mut taken = Triple::default();
    let mut rest = url::form_urlencoded::Serializer::new(String::new());
    let mut has_rest = false;
    for (name, text) in url::form_urlencoded::parse(query.as_bytes()) {
        match NAMES.iter().position(|known| *known == name) {
            Some(place) => put(&mut taken, place, text.into_owned(), &name)?,
            None if WALLET_NAMES.contains(&name.as_ref()) => return Err(wallet_named()),
            None => {
                rest.append_pair(&name, &text);
                has_rest = true;
            }
        }
    }
    if taken.is_empty() {
        return Ok(taken);
    }
    let (path, rest) = (uri.path(), rest.finish());
    let target = if has_rest { format!("{path}?{rest}") } else { path.to_owned() };
    let mut kept = std::mem::take(uri).into_parts();
    let target = target.parse().map_err(|_| ApiError::unreadable_path())?;
    kept.path_and_query = Some(target);
    *uri = Uri::from_parts(kept).map_err(|_| ApiError::unreadable_path())?;
    Ok(taken)
}

fn take_headers(headers: &mut HeaderMap) -> Result<Triple, ApiError> {
    let mut taken = Triple::default();
    for (place, name) in HEADERS.iter().enumerate() {
        let values: Vec<_> = headers.get_all(name).iter().cloned().collect();
        headers.remove(name);
        for value in values {
            // A value that is not text has no valid form either.
            put(&mut taken, place, value.to_str().unwrap_or("?").to_owned(), name.as_str())?;
        }
    }
    Ok(taken)
}

/// Takes `credentials` out of a body. Other exchanges' parts of it are ignored, as elsewhere.
fn take_body(headers: &HeaderMap, body: &[u8]) -> Result<(Triple, Vec<u8>), ApiError> {
    let mut taken = Triple::default();
    let mut json = JsonBody::parse(headers, body)?;
    if WALLET_NAMES.iter().any(|name| json.value(name).is_some()) {
        return Err(wallet_named());
    }
    let credentials = json.take("credentials");
    let Some(mut credentials) = credentials else { return Ok((taken, body.to_vec())) };
    if let Some(lighter) = credentials.get_mut("lighter").and_then(Value::as_object_mut) {
        for (place, name) in NAMES.into_iter().enumerate() {
            match lighter.remove(name) {
                None | Some(Value::Null) => {}
                Some(Value::String(text)) => put(&mut taken, place, text, name)?,
                Some(Value::Number(number)) => put(&mut taken, place, number.to_string(), name)?,
                Some(_) => {
                    let error = format!("credentials.lighter.{name} must be a string");
                    return Err(ApiError::bad_request(error));
                }
            }
        }
    }
    Ok((taken, json.to_bytes()))
}

/// `PUT /api/trading/lighter/credentials`.
#[derive(ToSchema, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = StoreLighterKey)]
pub struct StoreLighterKey {
    /// The private key of the API key, 80 hex digits.
    #[schema(value_type = String)]
    pub api_key_private_key: (),
    /// The slot of the API key, 0 to 254.
    #[schema(value_type = u64, minimum = 0, maximum = 254)]
    pub api_key_index: (),
    /// The account.
    #[schema(value_type = u64, minimum = 0)]
    pub account_index: (),
}

impl StoreLighterKey {
    /// Parses a request.
    ///
    /// # Errors
    /// 400, naming the field, and never its value.
    pub fn read(body: &JsonBody) -> Result<Credential, ApiError> {
        body.only::<Self>()?;
        let [key, slot, account] = NAMES;
        let (slot, account) = (body.number_text(slot)?, body.number_text(account)?);
        Credential::parse(body.required(key)?, &slot, &account).map_err(fault)
    }
}
