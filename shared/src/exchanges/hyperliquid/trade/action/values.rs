//! The values of actions: an order's id, a client's id, and a number.

use std::fmt;

use crate::exchanges::hyperliquid::trade::msgpack::Node;
use crate::trading::decimal::Decimal;

/// Maximum number of decimal places of a number on the wire.
const MAX_WIRE_PLACES: u8 = 8;

/// An order's id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OrderId {
    /// The exchange's.
    Exchange(u64),
    /// The client's.
    Client(Cloid),
}

/// A client's id of an order: 16 bytes, as `0x` and 32 hex digits. The exchange drops one without
/// `0x` silently.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cloid(pub [u8; 16]);

impl Cloid {
    /// Parses `0x` and 32 hex digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text.strip_prefix("0x")?, &mut bytes).ok()?;
        Some(Self(bytes))
    }
}

impl fmt::Display for Cloid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.0))
    }
}

impl fmt::Debug for Cloid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A number on the wire: plain decimal text with at most 8 places, without trailing zeros.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wire(String);

impl Wire {
    /// Makes the text of a number. Returns `None` if it has more than 8 places.
    #[must_use]
    pub fn new(value: Decimal) -> Option<Self> {
        (value.places() <= MAX_WIRE_PLACES).then(|| Self(value.text()))
    }

    pub(super) fn tree(&self) -> Node<'_> {
        Node::text(self.0.as_str())
    }
}
