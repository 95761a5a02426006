//! The cosigner's policy of a stack with builders.

use domain::builder::Builder;
use serde_json::{Value, json};

use crate::options::Options;

/// The built-in policy.
const DEFAULT: &str = include_str!("../../cosigner-policy.json");

impl Options {
    /// Returns the cosigner's policy document: the given one, or the built-in one with the stack's
    /// builders and without limits of signatures. `None` selects the built-in one, without limits.
    #[must_use]
    pub fn policy_document(&self) -> Option<String> {
        let (hyperliquid, aster) = (self.hyperliquid.builder, self.aster.builder);
        if self.cosigner_policy.is_some() || (hyperliquid.is_none() && aster.is_none()) {
            return self.cosigner_policy.clone();
        }
        let list = |builder: Option<Builder>| Vec::from_iter(builder);
        // The built-in policy is an object, as the cosigner's tests show.
        let mut document: Value = serde_json::from_str(DEFAULT).unwrap_or_default();
        document["builders"] = json!({ "hyperliquid": list(hyperliquid), "aster": list(aster) });
        let none = json!({ "perMinute": 0, "perDay": 0 });
        document["limits"] = json!({ "wallet": none, "tenant": none });
        Some(document.to_string())
    }
}
