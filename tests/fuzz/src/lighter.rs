//! Target for the signer of Lighter: keys, signatures, and the fields of transactions.

use lighter_signer::{
    Action, Attributes, CancelAll, Grouping, KeyError, MAINNET, MarginMode, Modify, Order,
    OrderGroup, OrderType, SecretKey, Signature, TESTNET, TimeInForce, Transaction,
};
use serde_json::Value;

use crate::messages::NOW_MS;

/// Parses the bytes as a key, as a signature, and as the fields of a transaction.
pub fn run(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        key(text);
    }
    if let Some(bytes) = data.first_chunk::<40>()
        && let Ok(key) = SecretKey::from_bytes(bytes)
    {
        assert!(*key.to_bytes() == *bytes, "another encoding of the same key");
    }
    if let Some(bytes) = data.first_chunk::<80>()
        && let Some(signature) = Signature::parse(bytes)
    {
        assert!(signature.to_bytes() == *bytes, "another encoding of the same signature");
    }
    transaction(&mut Fields(data));
}

/// Checks that a key parses only as 80 hex digits, and that no text shows it.
fn key(text: &str) {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let is_hex = digits.len() == 80 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    match SecretKey::parse(text) {
        Ok(key) => {
            let lower = digits.to_lowercase();
            let again = SecretKey::parse(&lower).expect("the same key");
            assert!(is_hex && again.public_key() == key.public_key());
            assert!(!format!("{key:?}").contains(&lower), "the debug output shows the key");
        }
        Err(KeyError::Form) => assert!(!is_hex),
        Err(KeyError::Range) => assert!(is_hex),
    }
}

/// Reads numbers from bytes. Missing bytes are zeros.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let (now, later) = self.0.split_at(self.0.len().min(N));
        self.0 = later;
        let mut bytes = [0; N];
        bytes[..now.len()].copy_from_slice(now);
        bytes
    }

    fn byte(&mut self) -> u8 {
        let [byte] = self.bytes();
        byte
    }

    fn number(&mut self) -> u64 {
        u64::from_le_bytes(self.bytes())
    }

    /// Returns the low bits of a number.
    fn small<const N: usize>(&mut self) -> [u8; N] {
        let number = self.number().to_le_bytes();
        *number.first_chunk().expect("at most 8 bytes")
    }

    fn order(&mut self) -> Order {
        use OrderType::{
            Limit, Market, StopLoss, StopLossLimit, TakeProfit, TakeProfitLimit, Twap,
        };
        let types = [Limit, Market, StopLoss, StopLossLimit, TakeProfit, TakeProfitLimit, Twap];
        let times =
            [TimeInForce::ImmediateOrCancel, TimeInForce::GoodTillTime, TimeInForce::PostOnly];
        Order {
            market_index: u16::from_le_bytes(self.small()),
            client_order_index: self.number(),
            base_amount: self.number(),
            price: u32::from_le_bytes(self.small()),
            is_ask: self.byte() % 2 == 1,
            time_in_force: times[usize::from(self.byte()) % times.len()],
            order_type: types[usize::from(self.byte()) % types.len()],
            expiry_ms: self.number(),
            reduce_only: self.byte() % 2 == 1,
            trigger_price: u32::from_le_bytes(self.small()),
        }
    }

    fn action(&mut self, kind: u8) -> Action {
        let groupings = [
            Grouping::OneTriggersOther,
            Grouping::OneCancelsOther,
            Grouping::OneTriggersOneCancelsOther,
        ];
        match kind % 8 {
            0 => {
                let market_index = u16::from_le_bytes(self.small());
                Action::CancelOrder { market_index, index: self.number() }
            }
            1 => Action::CancelAllOrders(match self.byte() % 4 {
                0 => CancelAll::Now { market_index: None },
                1 => CancelAll::Now { market_index: Some(u16::from_le_bytes(self.small())) },
                2 => CancelAll::At(self.number()),
                _ => CancelAll::Abort,
            }),
            2 => Action::ModifyOrder(Modify {
                market_index: u16::from_le_bytes(self.small()),
                index: self.number(),
                base_amount: self.number(),
                price: u32::from_le_bytes(self.small()),
                trigger_price: u32::from_le_bytes(self.small()),
            }),
            3 => Action::UpdateLeverage {
                market_index: u16::from_le_bytes(self.small()),
                initial_margin_fraction: u16::from_le_bytes(self.small()),
                margin_mode: MarginMode::Isolated,
            },
            4 | 5 => Action::CreateGroupedOrders(OrderGroup {
                grouping: groupings[usize::from(kind) % groupings.len()],
                orders: (0..kind % 5).map(|_| self.order()).collect(),
            }),
            _ => Action::CreateOrder(self.order()),
        }
    }
}

/// Checks a transaction's hash and JSON.
fn transaction(fields: &mut Fields<'_>) {
    let kind = fields.byte();
    let transaction = Transaction {
        account_index: fields.number(),
        api_key_index: fields.small::<1>()[0],
        nonce: fields.number(),
        expired_at_ms: fields.number(),
        action: fields.action(kind),
        attributes: if kind > 127 { Attributes::skip_nonce() } else { Attributes::default() },
    };
    if let Err(error) = transaction.check(NOW_MS) {
        let text = error.to_string();
        assert!(text.is_ascii() && text.starts_with("invalid ") && text.len() < 100, "{text}");
        return;
    }
    assert!(transaction.expired_at_ms > NOW_MS);
    let hash = transaction.hash(MAINNET);
    assert!(hash == transaction.hash(MAINNET) && hash != transaction.hash(TESTNET));
    let next = Transaction { nonce: transaction.nonce ^ 1, ..transaction.clone() };
    assert!(hash != next.hash(MAINNET), "two nonces have one hash");
    let signature = Signature::parse(&[0; 80]).expect("a signature");
    let info: Value = serde_json::from_str(&transaction.tx_info(&signature)).expect("JSON");
    for (name, number) in [
        ("AccountIndex", transaction.account_index),
        ("ApiKeyIndex", transaction.api_key_index.into()),
        ("Nonce", transaction.nonce),
        ("ExpiredAt", transaction.expired_at_ms),
    ] {
        assert_eq!(info[name].as_u64(), Some(number));
    }
    if let Action::CreateOrder(order) = &transaction.action {
        assert_eq!(info["BaseAmount"].as_u64(), Some(order.base_amount));
        assert_eq!(info["OrderExpiry"].as_u64(), Some(order.expiry_ms));
    }
}
