//! The tree of an action and its two encodings: the MessagePack that is hashed, and the JSON that
//! is sent. Both come from one tree, so the exchange hashes what was signed.

use std::borrow::Cow;

/// A value of an action. Maps keep the order of their keys, because the hash depends on it. There
/// are no fractions: numbers with a fraction are texts.
pub(super) enum Node<'a> {
    /// A map.
    Map(Vec<(&'a str, Self)>),
    /// An array.
    Array(Vec<Self>),
    /// A text.
    Text(Cow<'a, str>),
    /// An integer; every `u64` and `i64` fits.
    Int(i128),
    /// A boolean.
    Bool(bool),
}

impl<'a> Node<'a> {
    /// Makes a text.
    pub(super) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(text.into())
    }

    /// Makes an integer.
    pub(super) fn int(value: impl Into<i128>) -> Self {
        Self::Int(value.into())
    }

    /// Returns the MessagePack, with every length and integer in its shortest form.
    pub(super) fn to_msgpack(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        self.pack(&mut out);
        out
    }

    fn pack(&self, out: &mut Vec<u8>) {
        match self {
            Self::Map(entries) => {
                length(out, entries.len(), (0x80, 15), (None, 0xde, 0xdf));
                for (key, value) in entries {
                    text(out, key);
                    value.pack(out);
                }
            }
            Self::Array(items) => {
                length(out, items.len(), (0x90, 15), (None, 0xdc, 0xdd));
                for item in items {
                    item.pack(out);
                }
            }
            Self::Text(value) => text(out, value),
            Self::Int(value) => integer(out, *value),
            Self::Bool(value) => out.push(if *value { 0xc3 } else { 0xc2 }),
        }
    }

    /// Returns the JSON without spaces, with the keys in the order of the tree.
    pub(super) fn to_json(&self) -> String {
        let mut out = String::with_capacity(256);
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Map(entries) => {
                out.push('{');
                for (index, (key, value)) in entries.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    quote(out, key);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
            Self::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Text(value) => quote(out, value),
            Self::Int(value) => out.push_str(&value.to_string()),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        }
    }
}

fn quote(out: &mut String, text: &str) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

fn text(out: &mut Vec<u8>, text: &str) {
    length(out, text.len(), (0xa0, 31), (Some(0xd9), 0xda, 0xdb));
    out.extend_from_slice(text.as_bytes());
}

/// Writes a length: in the first byte if it is at most `fixed.1`, otherwise after one of the codes
/// for 8, 16 and 32 bits.
fn length(out: &mut Vec<u8>, length: usize, fixed: (u8, u8), codes: (Option<u8>, u8, u8)) {
    match (u8::try_from(length), u16::try_from(length), codes.0) {
        (Ok(short), ..) if short <= fixed.1 => out.push(fixed.0 | short),
        (Ok(short), _, Some(code)) => out.extend_from_slice(&[code, short]),
        (_, Ok(medium), _) => {
            out.push(codes.1);
            out.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            out.push(codes.2);
            // A request is far below 4 GiB.
            out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
        }
    }
}

fn integer(out: &mut Vec<u8>, value: i128) {
    let mut put = |code: u8, bytes: &[u8]| {
        out.push(code);
        out.extend_from_slice(bytes);
    };
    if let Ok(value) = u8::try_from(value) {
        if value <= 0x7f { put(value, &[]) } else { put(0xcc, &[value]) }
    } else if let Ok(value) = u16::try_from(value) {
        put(0xcd, &value.to_be_bytes());
    } else if let Ok(value) = u32::try_from(value) {
        put(0xce, &value.to_be_bytes());
    } else if let Ok(value) = u64::try_from(value) {
        put(0xcf, &value.to_be_bytes());
    } else if let Ok(value) = i8::try_from(value) {
        let byte = value.to_be_bytes();
        if value >= -32 { put(byte[0], &[]) } else { put(0xd0, &byte) }
    } else if let Ok(value) = i16::try_from(value) {
        put(0xd1, &value.to_be_bytes());
    } else if let Ok(value) = i32::try_from(value) {
        put(0xd2, &value.to_be_bytes());
    } else {
        put(0xd3, &i64::try_from(value).unwrap_or(i64::MIN).to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// `rmp-serde` is not a dependency here; these are the bytes of the MessagePack specification.
    #[test]
    fn integer_has_its_shortest_form() {
        for (value, hex_text) in [
            (0_i128, "00"),
            (127, "7f"),
            (128, "cc80"),
            (255, "ccff"),
            (256, "cd0100"),
            (65_535, "cdffff"),
            (65_536, "ce00010000"),
            (4_294_967_295, "ceffffffff"),
            (4_294_967_296, "cf0000000100000000"),
            (u64::MAX.into(), "cfffffffffffffffff"),
            (-1, "ff"),
            (-32, "e0"),
            (-33, "d0df"),
            (-128, "d080"),
            (-129, "d1ff7f"),
            (-32_769, "d2ffff7fff"),
            (-2_147_483_649, "d3ffffffff7fffffff"),
            (i64::MIN.into(), "d38000000000000000"),
        ] {
            assert_eq!(hex::encode(Node::Int(value).to_msgpack()), hex_text, "{value}");
        }
    }

    #[test]
    fn length_has_its_shortest_form() {
        for (length, head) in [(31, "bf"), (32, "d920"), (255, "d9ff"), (256, "da0100")] {
            let packed = Node::text("x".repeat(length)).to_msgpack();
            assert_eq!(hex::encode(&packed[..packed.len() - length]), head);
        }
        assert_eq!(hex::encode(&Node::text("x".repeat(65_536)).to_msgpack()[..5]), "db00010000");
        for (length, head) in [(0, "90"), (15, "9f"), (16, "dc0010"), (65_536, "dd00010000")] {
            let packed = Node::Array((0..length).map(|_| Node::Bool(true)).collect()).to_msgpack();
            assert_eq!(hex::encode(&packed[..packed.len() - length]), head);
        }
        let map = |length| Node::Map((0..length).map(|_| ("", Node::Bool(false))).collect());
        assert_eq!(map(15).to_msgpack()[0], 0x8f);
        assert_eq!(map(16).to_msgpack()[..3], [0xde, 0, 16]);
    }

    #[test]
    fn json_keeps_the_order_and_escapes_texts() {
        let tree = Node::Map(vec![
            ("z", Node::text("a\"b\n")),
            ("a", Node::Array(vec![Node::int(-5), Node::int(7), Node::Map(vec![])])),
            ("empty", Node::Array(vec![])),
            ("yes", Node::Bool(true)),
        ]);
        let json = tree.to_json();
        assert_eq!(json, r#"{"z":"a\"b\n","a":[-5,7,{}],"empty":[],"yes":true}"#);
        let parsed: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(parsed, json!({"z": "a\"b\n", "a": [-5, 7, {}], "empty": [], "yes": true}));
    }
}
