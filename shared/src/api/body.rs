//! A JSON request body whose errors name the invalid field.

mod edit;

use std::ops::RangeInclusive;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use domain::ids::IdError;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::request::Parts;
use serde_json::{Map, Value};
use utoipa::PartialSchema;
use utoipa::openapi::{RefOr, Schema};

use super::error::ApiError;
use super::unique_fields::UniqueFields;
use super::wallet_names::WALLET_NAMES;

/// Fields of the published contract. They are ignored where they have no meaning, because its
/// clients send one body for several calls.
const PUBLISHED: [&str; 4] = ["broker", "credentials", "preferredExchange", "workingType"];

/// A request's JSON object, or an object in one of its fields. An empty body is an empty object.
#[derive(Debug)]
pub struct JsonBody {
    fields: Map<String, Value>,
    /// The place of a nested object, as a prefix of its fields' names: `orders[1].`.
    place: String,
}

impl JsonBody {
    /// Parses a body.
    ///
    /// # Errors
    /// 415 when it is compressed or declared as a type other than JSON; 400 when it is not a JSON
    /// object.
    pub fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Self, ApiError> {
        if body.is_empty() {
            return Ok(Self::of(Map::new()));
        }
        if !headers.get_all(CONTENT_ENCODING).iter().all(|coding| is_identity(coding.as_bytes())) {
            return Err(ApiError::unsupported_encoding());
        }
        if !declares_json(headers) {
            return Err(ApiError::unsupported_media_type());
        }
        match serde_json::from_slice(body) {
            Ok(UniqueFields(Value::Object(fields))) => Ok(Self::of(fields)),
            Ok(_) => Err(ApiError::bad_request("Request body must be a JSON object")),
            Err(error) => {
                let fault =
                    if error.is_data() { "has a duplicate field" } else { "is not valid JSON" };
                let (line, column) = (error.line(), error.column());
                let fault = format!("Request body {fault} (line {line}, column {column})");
                Err(ApiError::bad_request(fault))
            }
        }
    }

    const fn of(fields: Map<String, Value>) -> Self {
        Self { fields, place: String::new() }
    }

    /// Returns the name of a field in errors.
    pub(super) fn named(&self, field: &str) -> String {
        format!("{}{field}", self.place)
    }

    /// Returns whether a field is present, also if it is null.
    pub(super) fn has(&self, field: &str) -> bool {
        self.fields.contains_key(field)
    }

    /// Returns the JSON of a field. Absent and null count as missing.
    pub(super) fn value(&self, field: &str) -> Option<&Value> {
        self.fields.get(field).filter(|value| !value.is_null())
    }

    /// Returns the object in an optional field, which may be absent or null.
    ///
    /// # Errors
    /// 400, naming the field.
    pub(super) fn object(&self, field: &str) -> Result<Option<Self>, ApiError> {
        match self.fields.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(fields)) => {
                let place = format!("{}.", self.named(field));
                Ok(Some(Self { fields: fields.clone(), place }))
            }
            Some(_) => {
                Err(ApiError::bad_request(format!("{} must be an object", self.named(field))))
            }
        }
    }

    /// Returns the objects in a required list.
    ///
    /// # Errors
    /// 400, naming the field.
    pub(super) fn objects(&self, field: &str) -> Result<Vec<Self>, ApiError> {
        let name = self.named(field);
        let wrong = || ApiError::bad_request(format!("{name} must be a list of objects"));
        let items = match self.fields.get(field) {
            None | Some(Value::Null) => return Err(ApiError::missing(&name)),
            Some(Value::Array(items)) => items.iter().enumerate(),
            Some(_) => return Err(wrong()),
        };
        let object = |(index, item): (usize, &Value)| {
            let fields = item.as_object().ok_or_else(wrong)?.clone();
            Ok(Self { fields, place: format!("{name}[{index}].") })
        };
        items.map(object).collect()
    }

    /// Refuses unknown fields of a nested object. Known are those of this type, and those of the
    /// published contract.
    ///
    /// # Errors
    /// 400, naming the field.
    pub(super) fn only_nested<T: PartialSchema>(&self) -> Result<(), ApiError> {
        self.only_these(&field_names::<T>(), &[])
    }

    /// Refuses unknown fields. Known are those of this request type, those that name the wallet if
    /// `walletIdOrAddress` is one of them, and those of the published contract.
    ///
    /// # Errors
    /// 400, naming the field.
    pub(super) fn only<T: PartialSchema>(&self) -> Result<(), ApiError> {
        let fields = field_names::<T>();
        let names = fields.iter().any(|field| field == WALLET_NAMES[0]);
        self.only_these(&fields, if names { &WALLET_NAMES } else { Default::default() })
    }

    /// Refuses unknown fields on a route whose path or query names the wallet. The body may name
    /// it as well.
    ///
    /// # Errors
    /// 400, naming the field.
    pub(super) fn only_with_wallet<T: PartialSchema>(&self) -> Result<(), ApiError> {
        self.only_these(&field_names::<T>(), &WALLET_NAMES)
    }

    fn only_these(&self, fields: &[String], names: &[&str]) -> Result<(), ApiError> {
        let known = |name: &&String| {
            fields.contains(name)
                || [names, &PUBLISHED].iter().any(|it| it.contains(&name.as_str()))
        };
        let Some(unknown) = self.fields.keys().find(|name| !known(name)) else { return Ok(()) };
        // The name comes from the caller, so it is shown with a limited length.
        let shown: String =
            unknown.chars().filter(|letter| !letter.is_control()).take(64).collect();
        let shown = self.named(&shown);
        let message = if fields.is_empty() {
            "Send the request without this field.".to_owned()
        } else {
            format!("Remove or correct this field. The fields are: {}.", fields.join(", "))
        };
        Err(ApiError::bad_request(format!("Unknown field: {shown}")).advise(message))
    }

    /// Returns the text of a required field; null and empty count as missing.
    ///
    /// # Errors
    /// 400, naming the field.
    pub(super) fn required(&self, field: &str) -> Result<&str, ApiError> {
        match self.optional(field)? {
            Some(text) if !text.is_empty() => Ok(text),
            _ => Err(ApiError::missing(&self.named(field))),
        }
    }

    /// Returns the text of an optional field, which may be absent or null.
    ///
    /// # Errors
    /// 400, naming the field.
    pub(super) fn optional(&self, field: &str) -> Result<Option<&str>, ApiError> {
        match self.fields.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => {
                Err(ApiError::bad_request(format!("{} must be a string", self.named(field))))
            }
        }
    }

    /// Returns the texts of an optional list, which may be absent or null.
    ///
    /// # Errors
    /// 400, naming the field.
    pub(super) fn texts(&self, field: &str) -> Result<Option<Vec<&str>>, ApiError> {
        let wrong = || ApiError::bad_request(format!("{field} must be a list of strings"));
        match self.fields.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| item.as_str().ok_or_else(wrong))
                .collect::<Result<_, _>>()
                .map(Some),
            Some(_) => Err(wrong()),
        }
    }

    /// The whole number in a field that may be absent or null.
    ///
    /// # Errors
    /// 400, naming the field.
    pub(super) fn number(
        &self,
        field: &str,
        range: RangeInclusive<u64>,
    ) -> Result<Option<u64>, ApiError> {
        let wrong = || {
            let (least, most) = (range.start(), range.end());
            ApiError::bad_request(format!("{field} must be a whole number from {least} to {most}"))
        };
        match self.fields.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                value.as_u64().filter(|number| range.contains(number)).map(Some).ok_or_else(wrong)
            }
        }
    }

    /// Returns a boolean field, or `otherwise` when it is absent or null.
    ///
    /// # Errors
    /// 400, naming the field.
    pub(super) fn flag(&self, field: &str, otherwise: bool) -> Result<bool, ApiError> {
        Ok(self.optional_flag(field)?.unwrap_or(otherwise))
    }

    /// Returns a boolean field that may be absent or null.
    ///
    /// # Errors
    /// 400, naming the field.
    pub(super) fn optional_flag(&self, field: &str) -> Result<Option<bool>, ApiError> {
        match self.fields.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => {
                Err(ApiError::bad_request(format!("{} must be true or false", self.named(field))))
            }
        }
    }
}

/// Returns the names of a request type's fields, in the order of its schema.
#[must_use]
pub fn field_names<T: PartialSchema>() -> Vec<String> {
    match T::schema() {
        RefOr::T(Schema::Object(object)) => object.properties.into_keys().collect(),
        _ => Vec::new(),
    }
}

/// Converts the error of an invalid identifier.
pub(super) fn bad_id(error: IdError) -> ApiError {
    let bad = ApiError::bad_request(error.to_string());
    match error.advice() {
        Some(advice) => bad.advise(advice),
        None => bad,
    }
}

/// The only parameter of a route's path, as text.
#[derive(Debug)]
pub struct PathName(pub String);

impl<S: Send + Sync> FromRequestParts<S> for PathName {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let name = Path::<String>::from_request_parts(parts, state).await;
        name.map(|Path(name)| Self(name)).map_err(|_| ApiError::unreadable_path())
    }
}

/// The two parameters of a route's path, as text.
#[derive(Debug)]
pub struct PathNames(pub String, pub String);

impl<S: Send + Sync> FromRequestParts<S> for PathNames {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let names = Path::<(String, String)>::from_request_parts(parts, state).await;
        names.map(|Path((one, other))| Self(one, other)).map_err(|_| ApiError::unreadable_path())
    }
}

fn is_identity(coding: &[u8]) -> bool {
    let coding = coding.trim_ascii();
    coding.is_empty() || coding.eq_ignore_ascii_case(b"identity")
}

/// Returns whether the body is declared as JSON. A body without a declared type is accepted as
/// JSON.
fn declares_json(headers: &HeaderMap) -> bool {
    let Some(declared) = headers.get(CONTENT_TYPE) else {
        return true;
    };
    let Ok(declared) = declared.to_str() else {
        return false;
    };
    let essence = declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let headers = request.headers().clone();
        // This fails at the middleware's size limit, or when the client disconnects.
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| ApiError::unreadable_body(rejection.status()))?;
        Self::parse(&headers, &body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<JsonBody, ApiError> {
        let headers = HeaderMap::from_iter([(
            CONTENT_TYPE,
            "application/json; charset=utf-8".parse().unwrap(),
        )]);
        JsonBody::parse(&headers, body.as_bytes())
    }

    #[test]
    fn body_other_than_json_object_is_refused() {
        for body in ["[]", "1", "\"a\"", "null", "{", "{\"a\":1}x", "\u{feff}{}"] {
            assert_eq!(parse(body).unwrap_err().status, 400, "{body}");
        }
        let deep = "[".repeat(50_000);
        assert_eq!(parse(&deep).unwrap_err().status, 400);
    }

    #[test]
    fn duplicate_field_is_refused() {
        for body in [
            r#"{"userId":"a","userId":"b"}"#,
            r#"{"userId":"a","userId":"a"}"#,
            r#"{"userId":"a","user\u0049d":"b"}"#,
            r#"{"a":null,"userId":"a","a":null}"#,
            r#"{"userId":"a","more":{"b":1,"b":2}}"#,
            r#"{"userId":"a","more":[[{"b":{"c":1,"c":1}}]]}"#,
        ] {
            let error = parse(body).unwrap_err();
            assert_eq!((error.status, error.code), (400, "BAD_REQUEST"), "{body}");
            assert!(error.error.starts_with("Request body has a duplicate field"), "{body}");
        }
        assert!(parse(r#"{"userId":"a","userid":"b"}"#).is_ok());
    }

    #[test]
    fn compressed_body_is_refused() {
        for (coding, taken) in
            [("gzip", false), ("br", false), ("identity, gzip", false), ("identity", true)]
        {
            let headers = HeaderMap::from_iter([(CONTENT_ENCODING, coding.parse().unwrap())]);
            let read = JsonBody::parse(&headers, b"{}");
            assert_eq!(read.is_ok(), taken, "{coding}");
            assert_eq!(read.err().map(|error| error.status), (!taken).then_some(415));
        }
    }

    #[test]
    fn another_media_type_is_refused() {
        for (declared, taken) in [
            ("application/json", true),
            ("Application/JSON", true),
            ("application/vnd.api+json", true),
            ("text/plain", false),
            ("application/x-www-form-urlencoded", false),
            ("multipart/form-data; boundary=json", false),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, declared.parse().unwrap())]);
            assert_eq!(JsonBody::parse(&headers, b"{}").is_ok(), taken, "{declared}");
        }
        assert!(JsonBody::parse(&HeaderMap::new(), b"{}").is_ok());
    }
}
