//! Hyperliquid: `approveBuilderFee` on `POST /exchange`, and `maxBuilderFee` on `POST /info`.
//! Source: the exchange endpoint and info endpoint documents, and the official Python SDK.

use domain::builder::{Builder, BuilderFee};
use domain::eth::{Address, Signature};
use domain::intent::{HYPERLIQUID_SIGNATURE_CHAIN_ID, HyperliquidApproveBuilder};
use serde_json::{Value, json};

use super::{Client, JSON, answer, signature_json};
use crate::exchanges::builder::BuilderApproval;
use crate::exchanges::{LookupError, Outcome};

impl Client {
    pub(super) const fn builder_intent(
        &self,
        approval: &BuilderApproval,
    ) -> HyperliquidApproveBuilder {
        HyperliquidApproveBuilder {
            chain: self.chain,
            builder: approval.builder.address,
            max_fee: approval.builder.fee,
            nonce_ms: approval.nonce,
        }
    }

    pub(super) async fn send_builder(
        &self,
        approval: &BuilderApproval,
        signature: &Signature,
    ) -> Outcome {
        let body = builder_body(&self.builder_intent(approval), signature);
        self.act(approval.wallet, body).await
    }

    /// Asks for the fee that a wallet has approved for a builder.
    pub(super) async fn builder_fee(
        &self,
        wallet: Address,
        builder: Builder,
    ) -> Result<Option<BuilderFee>, LookupError> {
        let (user, builder) = (wallet.to_lower_hex(), builder.address.to_lower_hex());
        let body = json!({ "type": "maxBuilderFee", "user": user, "builder": builder });
        let answer = self.http.post("/info", JSON, body.to_string()).await?;
        let unclear = || LookupError::unreadable("maxBuilderFee", &answer);
        let tenths = answer::info(&answer).and_then(|body| body.as_u64()).ok_or_else(unclear)?;
        // A higher approval, as for spot, covers every fee.
        let tenths = u16::try_from(tenths).unwrap_or(u16::MAX).min(BuilderFee::MAX);
        Ok(tenths.try_into().ok())
    }
}

/// Returns the body of `approveBuilderFee`: the address in lower case, `r` and `s` padded to 32
/// bytes.
#[must_use]
pub fn builder_body(approve: &HyperliquidApproveBuilder, signature: &Signature) -> Value {
    json!({
        "action": {
            "type": "approveBuilderFee",
            "hyperliquidChain": approve.chain.as_str(),
            "signatureChainId": format!("{HYPERLIQUID_SIGNATURE_CHAIN_ID:#x}"),
            "maxFeeRate": approve.max_fee.percent(),
            "builder": approve.builder.to_lower_hex(),
            "nonce": approve.nonce_ms,
        },
        "nonce": approve.nonce_ms,
        "signature": signature_json(signature),
    })
}
