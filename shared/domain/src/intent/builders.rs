//! Approvals of builders.

use serde::{Deserialize, Serialize};

use super::{HYPERLIQUID_SIGNATURE_CHAIN_ID, HyperliquidChain, aster_domain};
use crate::builder::{Builder, BuilderFee, aster_name};
use crate::eth::{Address, Digest, Domain, Field, typed_digest};

/// Approves a builder's fee at Hyperliquid (`approveBuilderFee`). It replaces an earlier approval of
/// the same builder. Source: exchange endpoint documents and the official Python SDK.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HyperliquidApproveBuilder {
    /// The network.
    pub chain: HyperliquidChain,
    /// The builder.
    pub builder: Address,
    /// Its maximum fee. A fee of 0, which would revoke the approval, cannot be expressed.
    pub max_fee: BuilderFee,
    /// Unix milliseconds, unique for the wallet.
    pub nonce_ms: u64,
}

impl HyperliquidApproveBuilder {
    pub(super) fn digest(&self) -> Digest {
        typed_digest(
            Domain { name: "HyperliquidSignTransaction", chain_id: HYPERLIQUID_SIGNATURE_CHAIN_ID },
            "HyperliquidTransaction:ApproveBuilderFee(string hyperliquidChain,string maxFeeRate,address builder,uint64 nonce)",
            &[
                Field::Text(self.chain.as_str()),
                Field::Text(&self.max_fee.percent()),
                Field::Address(self.builder),
                Field::Uint(self.nonce_ms),
            ],
        )
    }
}

/// Approves a builder's fee for futures at Aster (`approveBuilder`, `updateBuilder`). Source: Aster's
/// documents on builder codes and its demo `aster-code.py`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AsterApproveBuilder {
    /// Whether it changes an earlier approval of the same builder.
    pub is_update: bool,
    /// The builder, in the spelling sent (checksum form), because its type is `string`.
    pub builder: Address,
    /// Its maximum fee.
    pub max_fee: BuilderFee,
    /// `Mainnet` or `Testnet`, as signed and sent.
    pub chain: HyperliquidChain,
    /// The approving wallet.
    pub user: Address,
    /// Unix microseconds, unique for the wallet.
    pub nonce_us: u64,
    /// `signatureChainId`, which is also the domain's chain: 56.
    pub signature_chain_id: u64,
}

impl AsterApproveBuilder {
    /// Returns the builder's name as signed and sent: see [`Builder::aster_name`]. An update has
    /// none.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        (!self.is_update).then(|| aster_name(self.builder))
    }

    pub(super) fn digest(&self) -> Digest {
        let approved = Builder { address: self.builder, fee: self.max_fee };
        aster_builder_digest(
            self.signature_chain_id,
            approved,
            self.name().as_deref(),
            self.chain,
            (self.user, self.nonce_us),
        )
    }
}

/// Returns the digest of Aster's `ApproveBuilder`, or of `UpdateBuilder`, which has no name.
#[must_use]
pub fn aster_builder_digest(
    signature_chain_id: u64,
    approved: Builder,
    name: Option<&str>,
    chain: HyperliquidChain,
    (user, nonce_us): (Address, u64),
) -> Digest {
    let (builder, rate) = (approved.address.to_string(), approved.fee.rate());
    let user = user.to_string();
    let mut fields = vec![Field::Text(&builder), Field::Text(&rate)];
    fields.extend(name.map(Field::Text));
    fields.extend([Field::Text(chain.as_str()), Field::Text(&user), Field::Uint(nonce_us)]);
    let encode_type = match name {
        Some(_) => {
            "ApproveBuilder(string Builder,string MaxFeeRate,string BuilderName,string AsterChain,string User,uint256 Nonce)"
        }
        None => {
            "UpdateBuilder(string Builder,string MaxFeeRate,string AsterChain,string User,uint256 Nonce)"
        }
    };
    typed_digest(aster_domain(signature_chain_id), encode_type, &fields)
}
