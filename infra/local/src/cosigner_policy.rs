//! The cosigner's policy of a stack: its builders, and the approver of its payment policies.

use domain::builder::Builder;
use domain::policy::{Approver, Authority};
use serde_json::{Value, json};

use crate::approver::{APPROVER_KEY_FILE, ApproverKey, LOCAL_APPROVER};
use crate::options::Options;

/// The built-in policy.
const DEFAULT: &str = include_str!("../../cosigner-policy.json");

impl Options {
    /// Returns the cosigner's policy document: the given one, or the built-in one with the stack's
    /// builders and approver, and without limits of signatures. `None` selects the built-in one,
    /// without limits and approvers.
    ///
    /// The approver's key is in the data directory, which in production would defeat its purpose.
    #[must_use]
    pub fn policy_document(&self) -> Option<String> {
        let (hyperliquid, aster) = (self.hyperliquid.builder, self.aster.builder);
        let approver = ApproverKey::open(&self.data_dir.join(APPROVER_KEY_FILE)).ok();
        let is_default = hyperliquid.is_none() && aster.is_none() && approver.is_none();
        if self.cosigner_policy.is_some() || is_default {
            return self.cosigner_policy.clone();
        }
        let list = |builder: Option<Builder>| Vec::from_iter(builder);
        // The built-in policy is an object, as the cosigner's tests show.
        let mut document: Value = serde_json::from_str(DEFAULT).unwrap_or_default();
        document["builders"] = json!({ "hyperliquid": list(hyperliquid), "aster": list(aster) });
        let none = json!({ "perMinute": 0, "perDay": 0 });
        document["limits"] = json!({ "wallet": none, "tenant": none });
        if let Some(approver) = approver {
            let chain = &mut document["policyChain"];
            chain["firstAuthority"] = json!(authority(&approver));
            chain["delaySeconds"] = self.payment_delay_s.into();
            chain["minDelaySeconds"] = 0.into();
        }
        Some(document.to_string())
    }
}

/// Returns the authority of the stack's own approver.
fn authority(key: &ApproverKey) -> Authority {
    let approver =
        Approver { id: LOCAL_APPROVER.to_owned(), public_key: key.public_key(), webauthn: None };
    Authority { threshold: 1, approvers: vec![approver] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn document_names_the_approver_of_the_data_directory() {
        let data = tempfile::tempdir().unwrap();
        let mut options = Options::new(data.path());
        assert_eq!(options.policy_document(), None);
        let key = ApproverKey::of_directory(data.path()).unwrap();
        options.payment_delay_s = 7;
        let document: Value = serde_json::from_str(&options.policy_document().unwrap()).unwrap();
        let chain = &document["policyChain"];
        assert_eq!(chain["firstAuthority"]["approvers"][0]["publicKey"], key.public_key());
        assert_eq!(chain["delaySeconds"], 7);
        options.cosigner_policy = Some("{}".to_owned());
        assert_eq!(options.policy_document().as_deref(), Some("{}"));
    }
}
