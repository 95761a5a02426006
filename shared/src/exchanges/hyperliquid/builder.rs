//! Hyperliquid: `approveBuilderFee` on `POST /exchange`, and `maxBuilderFee` on `POST /info`.
//! Source: the exchange endpoint and info endpoint documents, and the official Python SDK.

use domain::builder::{Builder, BuilderFee};
use domain::eth::{Address, Signature};
use domain::intent::{HYPERLIQUID_SIGNATURE_CHAIN_ID, HyperliquidApproveBuilder, Intent};
use serde_json::{Value, json};

use super::{Client, JSON, answer, signature_json};
use crate::exchanges::api::{Asker, BuilderApi, Call};
use crate::exchanges::builder::BuilderApproval;
use crate::exchanges::http::Answer;
use crate::exchanges::{LookupError, Outcome};

impl Client {
    const fn approval_of_builder(&self, approval: &BuilderApproval) -> HyperliquidApproveBuilder {
        HyperliquidApproveBuilder {
            chain: self.chain,
            builder: approval.builder.address,
            max_fee: approval.builder.fee,
            nonce_ms: approval.nonce,
        }
    }
}

impl BuilderApi for Client {
    fn builder_intent(&self, approval: &BuilderApproval) -> Intent {
        Intent::HyperliquidApproveBuilder(self.approval_of_builder(approval))
    }

    fn approve_builder<'a>(
        &'a self,
        approval: &'a BuilderApproval,
        signature: &'a Signature,
    ) -> Call<'a, Outcome> {
        let body = builder_body(&self.approval_of_builder(approval), signature);
        Box::pin(self.act(approval.wallet, body))
    }

    /// Asks for the wallet's `maxBuilderFee`, which is public.
    fn builder_fee<'a>(
        &'a self,
        wallet: Address,
        builder: Builder,
        _agent: Asker<'a>,
    ) -> Call<'a, Result<Option<BuilderFee>, LookupError>> {
        Box::pin(async move {
            let (user, builder) = (wallet.to_lower_hex(), builder.address.to_lower_hex());
            let body = json!({ "type": "maxBuilderFee", "user": user, "builder": builder });
            let answer = self.http.post("/info", JSON, body.to_string()).await?;
            approved_fee(&answer)
        })
    }
}

/// Reads the fee that a wallet has approved, in tenths of a basis point. 0 means none.
fn approved_fee(answer: &Answer) -> Result<Option<BuilderFee>, LookupError> {
    let unclear = || LookupError::unreadable("maxBuilderFee", answer);
    let tenths = answer::info(answer).and_then(|body| body.as_u64()).ok_or_else(unclear)?;
    // A higher approval, as for spot, covers every fee.
    let tenths = u16::try_from(tenths).unwrap_or(u16::MAX).min(BuilderFee::MAX);
    Ok(tenths.try_into().ok())
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
