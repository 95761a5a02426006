//! Faults of an exchange or its network that tests can inject.

use std::collections::VecDeque;
use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::{StreamExt, stream};
use http::{HeaderName, HeaderValue, StatusCode};

/// Fault of the next matching request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No fault: lets one of several requests pass.
    Pass,
    /// Not executed; responds with this status and body.
    Status(u16, String),
    /// Not executed; responds with the exchange's own "too many requests" and `Retry-After`.
    RateLimited {
        /// Seconds, as in the header.
        retry_after_s: u64,
    },
    /// Not executed; responds with 200 and a body that is not JSON.
    Garbage,
    /// Not executed; never responds.
    Hang,
    /// Not executed; the connection breaks before the response.
    Reset,
    /// Executed, but a gateway responds with 502 in place of the exchange.
    AppliedButLost,
    /// Executed, but never responds.
    AppliedThenHang,
    /// Executed, but responds with this status and body.
    AppliedAs(u16, String),
    /// The connection breaks before the response, and the request arrives later. It is executed
    /// then, if it is still valid.
    Late {
        /// Delay in milliseconds of the exchange's clock.
        ms: u64,
    },
    /// A proxy delivers the request twice. The response is that to the second.
    Twice,
    /// The response is that of an earlier state. Only reads of orders, fills and accounts lag.
    ReadsLag {
        /// Age of the state in milliseconds of the exchange's clock, at most two minutes.
        ms: u64,
    },
    /// Not executed; responds with content that no exchange sends.
    Hostile(Hostile),
}

/// A response of a malicious server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hostile {
    /// HTTP status.
    pub status: u16,
    /// Headers in addition to those that HTTP requires.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
    /// Number of times the body is sent in a row. If it is 1, the response states the length.
    pub times: usize,
    /// Whether the response announces more data that it never sends.
    pub hangs: bool,
}

impl Hostile {
    /// Returns a response with a status and a body, as any server sends it.
    #[must_use]
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), times: 1, hangs: false }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Repeats the body this many times, without a length.
    #[must_use]
    pub const fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    /// Makes the response never end.
    #[must_use]
    pub const fn hanging(mut self) -> Self {
        self.hangs = true;
        self
    }

    /// Builds the response.
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
    /// Returns whether the exchange executes the request despite the fault.
    pub(crate) fn applies(&self) -> bool {
        matches!(self, Self::AppliedButLost | Self::AppliedThenHang | Self::AppliedAs(..))
    }
}

/// Faults in the order of injection, each with its target requests.
#[derive(Debug, Default)]
pub(crate) struct Faults(VecDeque<(String, Fault)>);

impl Faults {
    pub(crate) fn push(&mut self, target: &str, fault: Fault) {
        self.0.push_back((target.to_owned(), fault));
    }

    /// Removes all faults, and returns their number.
    pub(crate) fn clear(&mut self) -> usize {
        std::mem::take(&mut self.0).len()
    }

    /// Takes the oldest fault for this path or kind of request.
    pub(crate) fn take(&mut self, path: &str, kind: &str) -> Option<Fault> {
        let matching = |(target, _): &(String, Fault)| target == path || target == kind;
        let position = self.0.iter().position(matching)?;
        self.0.remove(position).map(|(_, fault)| fault)
    }
}
