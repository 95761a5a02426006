//! What can go wrong on the way to an exchange and back, on demand.

use std::collections::VecDeque;
use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::{StreamExt, stream};
use http::{HeaderName, HeaderValue, StatusCode};

/// What happens to the next matching request
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: lets one request of several go by
    Pass,
    /// Not executed; this status and body are the answer
    Status(u16, String),
    /// Not executed; the exchange's own "too many requests", with `Retry-After`
    RateLimited {
        /// Seconds, as in the header
        retry_after_s: u64,
    },
    /// Not executed; 200 with a body that is no JSON
    Garbage,
    /// Not executed, never answered
    Hang,
    /// Not executed; the connection breaks before the answer
    Reset,
    /// Executed, but a gateway answers 502 in the exchange's place
    AppliedButLost,
    /// Executed, but never answered
    AppliedThenHang,
    /// Executed, but this status and body are the answer
    AppliedAs(u16, String),
    /// Not executed; an answer such as no exchange gives
    Hostile(Hostile),
}

/// An answer by somebody who means harm
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hostile {
    /// HTTP status
    pub status: u16,
    /// Headers, besides those that HTTP needs
    pub headers: Vec<(String, String)>,
    /// What is sent
    pub body: Vec<u8>,
    /// How often it is sent, one after the other; all of it, when that is once, with its length
    pub times: usize,
    /// Whether more is announced after that, and never sent
    pub hangs: bool,
}

impl Hostile {
    /// A status and a body, as any server would send them
    #[must_use]
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), times: 1, hangs: false }
    }

    /// With a header
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Its body so many times, without a length
    #[must_use]
    pub const fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    /// Without an end that ever comes
    #[must_use]
    pub const fn hanging(mut self) -> Self {
        self.hangs = true;
        self
    }

    /// The answer
    #[must_use]
    pub fn response(self) -> Response {
        let Self { status, headers, body, times, hangs } = self;
        let body = if times == 1 && !hangs {
            Body::from(body)
        } else {
            let part = Bytes::from(body);
            let parts = stream::iter(std::iter::repeat_n(part, times).map(Ok::<_, Infallible>));
            if hangs {
                Body::from_stream(parts.chain(stream::pending()))
            } else {
                Body::from_stream(parts)
            }
        };
        let mut response = Response::new(body);
        if let Ok(status) = StatusCode::from_u16(status) {
            *response.status_mut() = status;
        }
        for (name, value) in headers {
            if let (Ok(name), Ok(value)) =
                (HeaderName::try_from(name), HeaderValue::try_from(value))
            {
                response.headers_mut().append(name, value);
            }
        }
        response
    }
}

impl Fault {
    /// Whether the exchange executes the request all the same
    pub(crate) fn applies(&self) -> bool {
        matches!(self, Self::AppliedButLost | Self::AppliedThenHang | Self::AppliedAs(..))
    }
}

/// Faults in the order in which they were asked for, each with the requests it is meant for
#[derive(Debug, Default)]
pub(crate) struct Faults(VecDeque<(String, Fault)>);

impl Faults {
    pub(crate) fn push(&mut self, target: &str, fault: Fault) {
        self.0.push_back((target.to_owned(), fault));
    }

    /// Forgets all of them, and says how many
    pub(crate) fn clear(&mut self) -> usize {
        std::mem::take(&mut self.0).len()
    }

    /// Takes the oldest fault meant for this path or this kind of request
    pub(crate) fn take(&mut self, path: &str, kind: &str) -> Option<Fault> {
        let matching = |(target, _): &(String, Fault)| target == path || target == kind;
        let position = self.0.iter().position(matching)?;
        self.0.remove(position).map(|(_, fault)| fault)
    }
}
