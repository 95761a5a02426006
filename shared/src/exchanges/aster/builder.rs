//! Aster's builder codes for futures: `approveBuilder`, `updateBuilder`, and an agent's list of its
//! wallet's builders. Source: Aster's documents on builder codes and its demo `aster-code.py`.

use domain::builder::{Builder, BuilderFee};
use domain::eth::{Address, Signature};
use domain::intent::{AsterApproveBuilder, Intent};
use serde_json::Value;

use super::{Client, FORM, answer};
use crate::exchanges::api::{Asker, BuilderApi, Call};
use crate::exchanges::builder::BuilderApproval;
use crate::exchanges::http::Answer;
use crate::exchanges::{LookupError, Outcome};

const BUILDER: &str = "/fapi/v3/builder";

/// Invalid parameter. The text decides.
const INVALID: i64 = -1130;

/// Start of the text of a list without builders, in lower case.
const NONE_FOUND: &str = "no builder found";

impl Client {
    const fn approval_of_builder(&self, approval: &BuilderApproval) -> AsterApproveBuilder {
        AsterApproveBuilder {
            is_update: approval.is_update,
            builder: approval.builder.address,
            max_fee: approval.builder.fee,
            chain: self.chain,
            user: approval.wallet,
            nonce_us: approval.nonce,
            signature_chain_id: self.signature_chain_id,
        }
    }
}

impl BuilderApi for Client {
    fn builder_intent(&self, approval: &BuilderApproval) -> Intent {
        Intent::AsterApproveBuilder(self.approval_of_builder(approval))
    }

    fn approve_builder<'a>(
        &'a self,
        approval: &'a BuilderApproval,
        signature: &'a Signature,
    ) -> Call<'a, Outcome> {
        Box::pin(async move {
            let approve = self.approval_of_builder(approval);
            let path = if approve.is_update {
                "/fapi/v3/updateBuilder"
            } else {
                "/fapi/v3/approveBuilder"
            };
            match self.http.post(path, FORM, builder_body(&approve, signature)).await {
                Ok(answer) => answer::outcome(&answer),
                Err(error) => error.into(),
            }
        })
    }

    /// Reads the wallet's list with the agent.
    fn builder_fee<'a>(
        &'a self,
        wallet: Address,
        builder: Builder,
        agent: Asker<'a>,
    ) -> Call<'a, Result<Option<BuilderFee>, LookupError>> {
        Box::pin(
            async move { listed_fee(&self.ask(BUILDER, wallet, agent).await?, builder.address) },
        )
    }
}

/// Finds a builder's fee in a wallet's list. `None` means that the list does not have the builder.
fn listed_fee(answer: &Answer, builder: Address) -> Result<Option<BuilderFee>, LookupError> {
    let unclear = || LookupError::unreadable("builder list", answer);
    if answer.status == 200
        && let Ok(Value::Array(listed)) = serde_json::from_str(&answer.body)
    {
        for entry in &listed {
            let address = entry.get("builderAddress").and_then(Value::as_str);
            let address: Address = address.and_then(|it| it.parse().ok()).ok_or_else(unclear)?;
            if address == builder {
                let rate = match entry.get("maxFeeRate") {
                    Some(Value::String(text)) => text.clone(),
                    Some(Value::Number(number)) => number.to_string(),
                    _ => return Err(unclear()),
                };
                // A rate outside the limits of a fee is like no approval.
                return Ok(BuilderFee::of_rate(&rate));
            }
        }
        return Ok(None);
    }
    match answer::parse(&answer.body) {
        Some((INVALID, text)) if text.trim().to_lowercase().starts_with(NONE_FOUND) => Ok(None),
        Some((-4226 | -4225, _)) => Err(LookupError::NonceRejected),
        _ => Err(unclear()),
    }
}

/// Returns the form body that approves a builder: the signed parameters in their order, then the
/// unsigned ones.
#[must_use]
pub fn builder_body(approve: &AsterApproveBuilder, signature: &Signature) -> String {
    let AsterApproveBuilder { builder, max_fee, chain, user, nonce_us, signature_chain_id, .. } =
        approve;
    let name = approve.name().map(|name| format!("&builderName={name}")).unwrap_or_default();
    format!(
        "builder={builder}&maxFeeRate={}{name}&asterChain={}&user={user}&nonce={nonce_us}\
         &signature={}&signatureChainId={signature_chain_id}",
        max_fee.rate(),
        chain.as_str(),
        signature.to_hex()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUILDER: &str = "0xc2af13e1B1de3A015252A115309A0F9DEEDCFa0A";

    fn listed(body: &str) -> Result<Option<u16>, LookupError> {
        let fee = listed_fee(&Answer::new(200, body), BUILDER.parse().unwrap());
        fee.map(|fee| fee.map(BuilderFee::tenths))
    }

    #[test]
    fn list_states_the_approved_fee() {
        let entry = |address: &str, rate: &str| {
            format!(r#"{{"userAddress":"0x1","builderAddress":"{address}","maxFeeRate":{rate}}}"#)
        };
        let other = entry("0x1F5877C19e3777Cfd15F9d57253eA4aA5254Ec39", r#""0.001""#);
        for (rate, expected) in [(r#""0.0005""#, Some(50)), ("0.001", Some(100)), (r#""0""#, None)]
        {
            let body = format!("[{other},{}]", entry(&BUILDER.to_lowercase(), rate));
            assert_eq!(listed(&body).unwrap(), expected, "{rate}");
        }
        assert_eq!(listed(&format!("[{other}]")).unwrap(), None);
        assert_eq!(listed("[]").unwrap(), None);
        let none = r#"{"code":-1130,"msg":"No builder found"}"#;
        assert_eq!(listed_fee(&Answer::new(400, none), BUILDER.parse().unwrap()).unwrap(), None);
    }

    #[test]
    fn other_responses_prove_nothing_about_a_builder() {
        for (status, body) in [
            (200, "{}"),
            (200, r#"[{"builderAddress":1}]"#),
            (400, r#"{"code":-1000,"msg":"No agent found"}"#),
            (400, r#"{"code":-1130,"msg":"Exceed max builders per user"}"#),
            (400, r#"{"code":-4225,"msg":"Nonce Expired"}"#),
            (500, "[]"),
            (429, ""),
        ] {
            let fee = listed_fee(&Answer::new(status, body), BUILDER.parse().unwrap());
            assert!(fee.is_err(), "{status} {body}: {fee:?}");
        }
    }
}
