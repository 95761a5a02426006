//! Searches bytes for secrets in one pass.

use std::collections::HashMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// The encodings in which a leak would appear.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    Raw,
    Hex,
    UpperHex,
    Base64,
    UrlBase64,
    /// `[1, 2, 3]`, as `{:?}` formats bytes.
    Debug,
    /// `[1,2,3]`, as JSON formats bytes.
    Json,
    /// `\x01a`, as `{:?}` formats a byte string.
    Escaped,
}

impl Form {
    pub(crate) const ALL: [Self; 8] = [
        Self::Raw,
        Self::Hex,
        Self::UpperHex,
        Self::Base64,
        Self::UrlBase64,
        Self::Debug,
        Self::Json,
        Self::Escaped,
    ];
}

/// A secret with its name.
pub(crate) struct Secret {
    pub(crate) name: String,
    bytes: Vec<u8>,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.name)
    }
}

impl Secret {
    pub(crate) const fn new(name: String, bytes: Vec<u8>) -> Self {
        Self { name, bytes }
    }

    /// Returns the secret in this form.
    pub(crate) fn encoded(&self, form: Form) -> Vec<u8> {
        let list = |between: &str| {
            let numbers: Vec<String> = self.bytes.iter().map(u8::to_string).collect();
            numbers.join(between)
        };
        match form {
            Form::Raw => return self.bytes.clone(),
            Form::Hex => hex::encode(&self.bytes),
            Form::UpperHex => hex::encode_upper(&self.bytes),
            Form::Base64 => STANDARD_NO_PAD.encode(&self.bytes),
            Form::UrlBase64 => URL_SAFE_NO_PAD.encode(&self.bytes),
            Form::Debug => list(", "),
            Form::Json => list(","),
            Form::Escaped => self.bytes.escape_ascii().to_string(),
        }
        .into_bytes()
    }

    /// Returns the byte strings to search for. Base64 depends on the preceding bytes, so there is
    /// one for each of the three alignments.
    fn needles(&self, form: Form) -> Vec<Vec<u8>> {
        let inside = |skip: usize| {
            let end = self.bytes.len() - (self.bytes.len() - skip) % 3;
            Self::new(String::new(), self.bytes[skip.min(end)..end].to_vec()).encoded(form)
        };
        match form {
            Form::Base64 | Form::UrlBase64 => (0..3).map(inside).collect(),
            _ => vec![self.encoded(form)],
        }
    }
}

/// The length of the prefix that selects candidate needles.
const HEAD: usize = 6;

/// A secret's index, its form, and the encoded bytes.
type Needle = (usize, Form, Vec<u8>);

/// Returns each secret that was found: its name, its form and its first position.
pub(crate) fn search(bytes: &[u8], secrets: &[Secret]) -> Vec<(String, Form, usize)> {
    let mut needles: HashMap<[u8; HEAD], Vec<Needle>> = HashMap::new();
    for (index, secret) in secrets.iter().enumerate() {
        for form in Form::ALL {
            for needle in secret.needles(form) {
                if let Some(head) = needle.first_chunk() {
                    needles.entry(*head).or_default().push((index, form, needle));
                }
            }
        }
    }
    let mut found: Vec<(String, Form, usize)> = Vec::new();
    for at in 0..bytes.len() {
        let Some(head) = bytes[at..].first_chunk::<HEAD>() else { break };
        for (index, form, needle) in needles.get(head).into_iter().flatten() {
            let known = |it: &(String, Form, usize)| it.0 == secrets[*index].name && it.1 == *form;
            if bytes[at..].starts_with(needle) && !found.iter().any(known) {
                found.push((secrets[*index].name.clone(), *form, at));
            }
        }
    }
    found
}
