//! The vectors, as parsed from their files.

use alloy_dyn_abi::TypedData;
use domain::eth::AgentKey;
use domain::intent::{HyperliquidChain, parse_chain};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::exchanges::hyperliquid::trade::msgpack::Node;
use crate::exchanges::hyperliquid::trade::sign::{action_hash, body, digest};

#[derive(Deserialize)]
pub(super) struct Vector {
    pub(super) name: String,
    pub(super) private_key: String,
    pub(super) address: String,
    pub(super) inputs: Inputs,
    pub(super) typed_data: TypedData,
    pub(super) hashes: Hashes,
    pub(super) signature: Parts,
    pub(super) request: Request,
}

#[derive(Deserialize)]
pub(super) struct Inputs {
    pub(super) action: Box<RawValue>,
    pub(super) nonce: u64,
    pub(super) hyperliquid_chain: String,
    pub(super) vault_address: Option<String>,
    pub(super) expires_after: Option<u64>,
    #[serde(default)]
    pub(super) numbers: Vec<Number>,
    pub(super) market_price: Option<MarketPrice>,
}

#[derive(Deserialize)]
pub(super) struct Number {
    pub(super) given: String,
    pub(super) wire: String,
}

#[derive(Deserialize)]
pub(super) struct MarketPrice {
    pub(super) unrounded: String,
    pub(super) rounded: String,
}

#[derive(Deserialize)]
pub(super) struct Hashes {
    pub(super) digest: String,
    pub(super) action_msgpack: String,
    pub(super) action_hash: String,
}

#[derive(Deserialize)]
pub(super) struct Parts {
    pub(super) hex: String,
}

#[derive(Deserialize)]
pub(super) struct Request {
    pub(super) path: String,
    pub(super) body_text: String,
}

impl Vector {
    pub(super) fn chain(&self) -> HyperliquidChain {
        parse_chain(&self.inputs.hyperliquid_chain).unwrap()
    }

    pub(super) fn key(&self) -> AgentKey {
        AgentKey::from_bytes(&bytes(&self.private_key)).unwrap()
    }

    pub(super) fn vault(&self) -> Option<[u8; 20]> {
        self.inputs.vault_address.as_deref().map(|text| bytes(text).try_into().unwrap())
    }

    pub(super) fn kind(&self) -> String {
        let action: Value = serde_json::from_str(self.inputs.action.get()).unwrap();
        action["type"].as_str().unwrap().to_owned()
    }

    /// Checks a tree of the action against every step of the vector.
    pub(super) fn check(&self, tree: &Node<'_>) {
        let name = &self.name;
        let (nonce, expires) = (self.inputs.nonce, self.inputs.expires_after);
        let msgpack = tree.to_msgpack();
        assert_eq!(msgpack, bytes(&self.hashes.action_msgpack), "{name}");
        let hash = action_hash(&msgpack, nonce, self.vault(), expires);
        assert_eq!(hash.to_vec(), bytes(&self.hashes.action_hash), "{name}");
        let digest = digest(self.chain(), hash);
        assert_eq!(digest.to_vec(), bytes(&self.hashes.digest), "{name}");
        assert_eq!(self.typed_data.eip712_signing_hash().unwrap().0, digest, "{name}: alloy");
        let signature = self.key().sign(&digest).unwrap();
        assert_eq!(signature.to_hex(), self.signature.hex, "{name}");
        assert_eq!(signature.recover(&digest).unwrap(), self.address.parse().unwrap(), "{name}");
        let body = body(tree, nonce, self.vault(), expires, &signature);
        assert_eq!(body, self.request.body_text, "{name}");
        assert_eq!(self.request.path, "/exchange", "{name}");
    }
}

pub(super) fn bytes(hex_text: &str) -> Vec<u8> {
    hex::decode(hex_text.strip_prefix("0x").unwrap()).unwrap()
}

/// Returns the vectors that an agent signs.
pub(super) fn vectors() -> Vec<Vector> {
    #[derive(Deserialize)]
    struct Category {
        category: String,
    }
    let mut all = Vec::new();
    for name in ["hyperliquid_trading", "hyperliquid_l1_by_agent"] {
        let path = format!("{}/tests/vectors/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let file = std::fs::read(path).unwrap();
        all.extend(serde_json::from_slice::<Vec<Box<RawValue>>>(&file).unwrap());
    }
    let (l1, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|vector| {
        let category: Category = serde_json::from_str(vector.get()).unwrap();
        matches!(category.category.as_str(), "hyperliquid_trading_l1" | "hyperliquid_l1")
    });
    // The others move money. The main key signs them, and no function of the service does.
    assert_eq!((l1.len(), others.len()), (55 + 6, 19));
    l1.into_iter().map(|vector| serde_json::from_str(vector.get()).unwrap()).collect()
}
