//! Any action as JSON in its given order, with the fields that the service cannot build.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::exchanges::hyperliquid::trade::msgpack::Node;

pub(super) enum Raw {
    Map(Vec<(String, Self)>),
    Array(Vec<Self>),
    Text(String),
    Int(i128),
    Bool(bool),
}

impl Raw {
    pub(super) fn node(&self) -> Node<'_> {
        match self {
            Self::Map(entries) => {
                Node::Map(entries.iter().map(|(key, value)| (key.as_str(), value.node())).collect())
            }
            Self::Array(items) => Node::Array(items.iter().map(Self::node).collect()),
            Self::Text(text) => Node::text(text.as_str()),
            Self::Int(value) => Node::int(*value),
            Self::Bool(value) => Node::Bool(*value),
        }
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of an action")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Int(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Int(value.into()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element()? {
            all.push(item);
        }
        Ok(Raw::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut all = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            all.push(entry);
        }
        Ok(Raw::Map(all))
    }
}
