//! Parameters of a request: the values, and the text as sent, which may be what is signed.

use std::collections::HashSet;

use alloy_primitives::Address;
use url::form_urlencoded;

use super::refusal::Refusal;
use crate::{edge::Moment, parse_address};

/// The parameters in the order in which they were sent.
#[derive(Clone)]
pub(super) struct Parameters {
    raw: String,
    pairs: Vec<(String, String)>,
    api_key: Option<String>,
    at: Moment,
}

impl Parameters {
    pub(super) fn parse(query: &str, body: &str, api_key: Option<String>) -> Result<Self, Refusal> {
        let raw = match (query, body) {
            (text, "") | ("", text) => text.to_owned(),
            (query, body) => format!("{query}&{body}"),
        };
        let pairs: Vec<_> = form_urlencoded::parse(raw.as_bytes()).into_owned().collect();
        let mut names = HashSet::new();
        if let Some((name, _)) = pairs.iter().find(|(name, _)| !names.insert(name)) {
            return Err(Refusal::TooMany(name.clone()));
        }
        Ok(Self { raw, pairs, api_key, at: Moment { now: 0, seen: 0 } })
    }

    /// Sets the time of the request's execution.
    pub(super) fn arriving(mut self, at: Moment) -> Self {
        self.at = at;
        self
    }

    /// Returns the time of the request's execution.
    pub(super) fn at(&self) -> Moment {
        self.at
    }

    /// Returns the time of the request's execution, in milliseconds.
    pub(super) fn now(&self) -> u64 {
        self.at.now
    }

    /// Returns the decoded names and values.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the key in the headers, for the API V1.
    pub(super) fn api_key(&self) -> Option<&str> {
        self.api_key.as_deref()
    }

    /// Returns the text before the signature, as sent. Requires that the signature is last, because
    /// it does not cover text after it.
    pub(super) fn text_as_sent(&self) -> Option<&str> {
        let (text, signature) = self.raw.rsplit_once("&signature=")?;
        (!signature.contains('&')).then_some(text)
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.pairs().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Returns a mandatory value.
    pub(super) fn text(&self, name: &'static str) -> Result<&str, Refusal> {
        self.get(name).filter(|value| !value.is_empty()).ok_or(Refusal::Missing(name))
    }

    /// Parses a mandatory value.
    pub(super) fn number(&self, name: &'static str) -> Result<u64, Refusal> {
        let text = self.text(name)?;
        let plain = text.bytes().all(|digit| digit.is_ascii_digit());
        plain.then(|| text.parse().ok()).flatten().ok_or(Refusal::Invalid(name))
    }

    /// Parses a mandatory value.
    pub(super) fn boolean(&self, name: &'static str) -> Result<bool, Refusal> {
        self.text(name)?.parse().map_err(|_| Refusal::Invalid(name))
    }

    /// Parses a mandatory value.
    pub(super) fn address(&self, name: &'static str) -> Result<Address, Refusal> {
        parse_address(self.text(name)?).ok_or(Refusal::Invalid(name))
    }
}
