//! The recursive length prefix (RLP) of Ethereum's transactions: only the writing half, and only
//! byte strings and flat lists. Source: <https://ethereum.org/developers/docs/data-structures-and-encoding/rlp>.

/// A list that is being written.
#[derive(Default)]
pub(super) struct List(Vec<u8>);

impl List {
    /// Appends a byte string.
    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        match bytes {
            [byte] if *byte < 0x80 => self.0.push(*byte),
            _ => {
                self.0.extend(header(0x80, bytes.len()));
                self.0.extend_from_slice(bytes);
            }
        }
        self
    }

    /// Appends a number: its bytes without leading zeros.
    pub(super) fn number(self, number: u128) -> Self {
        self.bytes(trimmed(&number.to_be_bytes()))
    }

    /// Appends a number of 32 bytes.
    pub(super) fn word(self, word: &[u8; 32]) -> Self {
        self.bytes(trimmed(word))
    }

    /// Appends an empty list.
    pub(super) fn empty_list(mut self) -> Self {
        self.0.extend(header(0xc0, 0));
        self
    }

    /// Returns the encoded list.
    pub(super) fn encoded(self) -> Vec<u8> {
        let mut encoded = header(0xc0, self.0.len());
        encoded.extend(self.0);
        encoded
    }
}

fn header(kind: u8, length: usize) -> Vec<u8> {
    let bytes = length.to_be_bytes();
    let bytes = trimmed(&bytes);
    match bytes {
        [] => vec![kind],
        [short] if *short < 56 => vec![kind + short],
        // A length has at most 8 bytes.
        _ => {
            let mut header = vec![kind + 55 + u8::try_from(bytes.len()).unwrap_or(8)];
            header.extend_from_slice(bytes);
            header
        }
    }
}

fn trimmed(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}
