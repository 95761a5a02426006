//! Responses of the API to a client of the load run.

use hyperdex_client::{Answer, Code, Error, ErrorKind};

/// A response of the API.
pub(crate) struct Reply<T> {
    pub(crate) status: u16,
    pub(crate) code: Option<Code>,
    /// The value of a successful response.
    pub(crate) value: Option<T>,
}

impl<T> Reply<T> {
    /// Returns `None` if no response arrived.
    pub(crate) fn of(answer: Result<Answer<T>, Error>) -> Option<Self> {
        match answer {
            Ok(answer) => Some(Self {
                status: answer.http_status,
                code: None,
                value: Some(answer.into_value()),
            }),
            Err(error) => match error.kind() {
                ErrorKind::Refused(refusal) => {
                    let code = Some(refusal.code.clone());
                    Some(Self { status: refusal.status, code, value: None })
                }
                // A success in another form contains no value for the caller.
                ErrorKind::Unreadable(_) => Some(Self { status: 200, code: None, value: None }),
                _ => None,
            },
        }
    }

    /// Returns true if a later retry may give another response.
    pub(crate) fn is_retryable(&self) -> bool {
        self.status >= 500
            || self.status == 429
            || matches!(
                self.code,
                Some(
                    Code::IdempotencyInProgress
                        | Code::RegistrationInProgress
                        | Code::RegistrationUnfinished
                        | Code::RevocationUnfinished
                )
            )
    }

    /// Returns the status and code for the tally.
    pub(crate) fn end(&self) -> String {
        let code = self.code.as_ref().map(Code::as_str).unwrap_or_default();
        format!("{} {code}", self.status).trim().to_owned()
    }

    /// Converts the value of a successful response.
    pub(crate) fn map<U>(self, map: impl FnOnce(T) -> U) -> Reply<U> {
        Reply { status: self.status, code: self.code, value: self.value.map(map) }
    }
}
