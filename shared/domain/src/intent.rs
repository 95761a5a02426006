//! Intents: what a wallet's key may sign, and how each of them is encoded.
//!
//! An endpoint sends the cosigner an [`Intent`], and the cosigner computes the digest from it.
//! Nothing outside this closed list can therefore be signed: no transaction, transfer, withdrawal
//! or raw hash. An agent's right to withdraw cannot be expressed.

mod builders;
mod reserved;

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::eth::{Address, Digest, Domain, Field, personal_digest, typed_digest};
use crate::ids::Exchange;
pub use builders::{AsterApproveBuilder, HyperliquidApproveBuilder, aster_builder_digest};
pub use reserved::folded;

/// Maximum length of a signed message, in bytes of UTF-8.
pub const MAX_MESSAGE_BYTES: usize = 8 * 1024;

/// Maximum validity of an agent, which Hyperliquid defines, in milliseconds.
pub const MAX_AGENT_VALIDITY_MS: u64 = 180 * 24 * 60 * 60 * 1_000;

/// Maximum length of an agent's base name, in characters (Hyperliquid's limit, used for both).
pub const MAX_AGENT_NAME: usize = 16;

/// Prefix of every agent's name, which shows an account's holder who made it.
pub const AGENT_NAME_PREFIX: &str = "hdx";

/// `signatureChainId` of Hyperliquid's user-signed actions, as its official SDKs send it on both
/// networks. It only has to agree with the domain; replay is prevented by [`HyperliquidChain`].
pub const HYPERLIQUID_SIGNATURE_CHAIN_ID: u64 = 0x66eee;

/// The cosigner's reason for refusing a nonce that is not above the last allowed one, because
/// another call of the same wallet was signed first. The caller retries with a new nonce.
pub const NONCE_USED: &str = "the nonce was used before";

/// Returns how far a wallet's last nonce may be ahead of the present, in the exchange's unit. One
/// that is further ahead came from a wrong clock, and would lock the wallet until that time. The
/// next nonce is then the present again. Both exchanges accept a nonce below an earlier one if it
/// is new and above the lowest of the 100 highest that they keep.
///
/// Hyperliquid accepts nonces from two days ago to a day ahead, Aster those within some seconds. No
/// wallet signs for Lighter, so it has no lead.
#[must_use]
pub const fn nonce_lead(exchange: Exchange) -> u64 {
    match exchange {
        Exchange::Hyperliquid => 60_000,
        Exchange::Aster => 5_000_000,
        Exchange::Lighter => 0,
    }
}

/// A network; the signed text names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum HyperliquidChain {
    /// The main network.
    Mainnet,
    /// The test network.
    Testnet,
}

/// Parses `Mainnet` or `Testnet`.
#[must_use]
pub fn parse_chain(text: &str) -> Option<HyperliquidChain> {
    match text {
        "Mainnet" => Some(HyperliquidChain::Mainnet),
        "Testnet" => Some(HyperliquidChain::Testnet),
        _ => None,
    }
}

impl HyperliquidChain {
    /// Returns the name as signed and sent.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mainnet => "Mainnet",
            Self::Testnet => "Testnet",
        }
    }
}

/// A message for an EIP-191 `personal_sign`. Deserialising a protocol message does not check it;
/// the cosigner's policy parses it again, so that the refusal names the reason.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PersonalMessage(String);

/// Why a message is not signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MessageError {
    /// The message is empty.
    #[error("message is empty")]
    Empty,
    /// The message exceeds [`MAX_MESSAGE_BYTES`].
    #[error("message is longer than {MAX_MESSAGE_BYTES} bytes")]
    TooLong,
    /// An exchange would treat it as a login or as the approval of a key.
    #[error(
        "message is one that an exchange reads as a login or key approval; such a signature is made only by registration"
    )]
    Reserved,
}

impl PersonalMessage {
    /// Parses a message that may be signed.
    ///
    /// # Errors
    /// Fails when it is empty, too long, or reserved.
    pub fn parse(text: impl Into<String>) -> Result<Self, MessageError> {
        let text = text.into();
        if text.is_empty() {
            return Err(MessageError::Empty);
        }
        if text.len() > MAX_MESSAGE_BYTES {
            return Err(MessageError::TooLong);
        }
        if reserved::is_reserved(&text) {
            return Err(MessageError::Reserved);
        }
        Ok(Self(text))
    }

    /// Returns the message.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<PersonalMessage> for String {
    fn from(message: PersonalMessage) -> Self {
        message.0
    }
}

/// Approves an agent at Hyperliquid under a new name (`approveAgent`). Source: exchange endpoint
/// documents and the official Python SDK, `sign_agent`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HyperliquidApproveAgent {
    /// The network.
    pub chain: HyperliquidChain,
    /// The agent.
    pub agent: Address,
    /// The agent's base name, 1 to 16 characters.
    pub name: String,
    /// Expiry of the agent, Unix milliseconds; part of the signed name.
    pub valid_until_ms: u64,
    /// Unix milliseconds, unique for the wallet.
    pub nonce_ms: u64,
}

impl HyperliquidApproveAgent {
    /// Returns the name as signed and sent, with its expiry.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{} valid_until {}", self.name, self.valid_until_ms)
    }
}

/// Removes an agent at Hyperliquid, by approving the zero address under its name.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HyperliquidRevokeAgent {
    /// The network.
    pub chain: HyperliquidChain,
    /// The agent's base name.
    pub name: String,
    /// Unix milliseconds, unique for the wallet.
    pub nonce_ms: u64,
}

/// Approves an agent at Aster V3 (`registerAndApproveAgent`), always for spot and perpetual
/// trading and never for withdrawal. Source: Aster's futures API V3 document, "Register and
/// approve agent".
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AsterRegisterAgent {
    /// The approving wallet.
    pub user: Address,
    /// Unix microseconds, unique for the wallet.
    pub nonce_us: u64,
    /// The agent's name: letters, digits, `.`, `_`, `-`, so that it requires no encoding.
    pub name: String,
    /// The agent.
    pub agent: Address,
    /// Expiry of the agent, Unix milliseconds.
    pub expires_ms: u64,
    /// `signatureChainId`, which is also the domain's chain: 56.
    pub signature_chain_id: u64,
    /// Whether the agent may trade spot.
    pub can_spot_trade: bool,
    /// Whether the agent may trade perpetuals.
    pub can_perp_trade: bool,
    /// The only address that the agent may call from, if it is bound to one.
    pub ip_whitelist: Option<Ipv4Addr>,
}

impl AsterRegisterAgent {
    /// Returns the signed text, which is also the form body before `&signature=`. Omits an empty
    /// whitelist, as working clients do.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { user, nonce_us, name, agent, expires_ms, signature_chain_id, .. } = self;
        let mut text = format!(
            "user={user}&nonce={nonce_us}&agentName={name}&agentAddress={agent}\
             &expired={expires_ms}&signatureChainId={signature_chain_id}\
             &canSpotTrade={}&canPerpTrade={}&canWithdraw=false",
            self.can_spot_trade, self.can_perp_trade
        );
        if let Some(ip) = self.ip_whitelist {
            text.push_str(&format!("&ipWhitelist={ip}"));
        }
        text
    }
}

/// Removes an agent at Aster V3 (`DELETE /fapi/v3/agent`). Source: Aster's demo `aster-code.py`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AsterDeleteAgent {
    /// The agent in the spelling sent (checksum form), because its type is `string`.
    pub agent: Address,
    /// `Mainnet` or `Testnet`, as signed and sent.
    pub chain: HyperliquidChain,
    /// The wallet that owns the agent.
    pub user: Address,
    /// Unix microseconds, unique for the wallet.
    pub nonce_us: u64,
    /// `signatureChainId`, which is also the domain's chain: 56.
    pub signature_chain_id: u64,
}

/// Logs in at Aster V1 to create an API key, with a message over a nonce from Aster.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AsterLogin {
    /// Aster's nonce, only digits.
    pub nonce: String,
}

impl AsterLogin {
    /// Returns the message to sign.
    #[must_use]
    pub fn message(&self) -> String {
        format!("You are signing into Astherus {}", self.nonce)
    }
}

/// The closed list of what a wallet's key signs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Intent {
    /// A caller's message.
    PersonalMessage(PersonalMessage),
    /// Aster V1 login.
    AsterLogin(AsterLogin),
    /// Approves an Aster V3 agent.
    AsterRegisterAgent(AsterRegisterAgent),
    /// Revokes an Aster V3 agent.
    AsterDeleteAgent(AsterDeleteAgent),
    /// Approves a Hyperliquid agent.
    HyperliquidApproveAgent(HyperliquidApproveAgent),
    /// Revokes a Hyperliquid agent.
    HyperliquidRevokeAgent(HyperliquidRevokeAgent),
    /// Approves a builder's fee at Hyperliquid.
    HyperliquidApproveBuilder(HyperliquidApproveBuilder),
    /// Approves a builder's fee at Aster.
    AsterApproveBuilder(AsterApproveBuilder),
}

impl Intent {
    /// The names of all intents.
    pub const NAMES: [&'static str; 8] = [
        "PersonalMessage",
        "AsterLogin",
        "AsterRegisterAgent",
        "AsterDeleteAgent",
        "HyperliquidApproveAgent",
        "HyperliquidRevokeAgent",
        "HyperliquidApproveBuilder",
        "AsterApproveBuilder",
    ];

    /// Returns the intent's name in logs and records.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::PersonalMessage(_) => "PersonalMessage",
            Self::AsterLogin(_) => "AsterLogin",
            Self::AsterRegisterAgent(_) => "AsterRegisterAgent",
            Self::AsterDeleteAgent(_) => "AsterDeleteAgent",
            Self::HyperliquidApproveAgent(_) => "HyperliquidApproveAgent",
            Self::HyperliquidRevokeAgent(_) => "HyperliquidRevokeAgent",
            Self::HyperliquidApproveBuilder(_) => "HyperliquidApproveBuilder",
            Self::AsterApproveBuilder(_) => "AsterApproveBuilder",
        }
    }

    /// Returns the nonce that the exchange accepts once, in its unit.
    #[must_use]
    pub const fn nonce(&self) -> Option<(Exchange, u64)> {
        match self {
            Self::PersonalMessage(_) | Self::AsterLogin(_) => None,
            Self::AsterRegisterAgent(agent) => Some((Exchange::Aster, agent.nonce_us)),
            Self::AsterDeleteAgent(agent) => Some((Exchange::Aster, agent.nonce_us)),
            Self::HyperliquidApproveAgent(agent) => Some((Exchange::Hyperliquid, agent.nonce_ms)),
            Self::HyperliquidRevokeAgent(agent) => Some((Exchange::Hyperliquid, agent.nonce_ms)),
            Self::HyperliquidApproveBuilder(fee) => Some((Exchange::Hyperliquid, fee.nonce_ms)),
            Self::AsterApproveBuilder(fee) => Some((Exchange::Aster, fee.nonce_us)),
        }
    }

    /// Returns the digest to sign.
    #[must_use]
    pub fn digest(&self) -> Digest {
        match self {
            Self::PersonalMessage(message) => personal_digest(message.as_str()),
            Self::AsterLogin(login) => personal_digest(&login.message()),
            Self::AsterRegisterAgent(agent) => {
                aster_message_digest(agent.signature_chain_id, &agent.text())
            }
            Self::AsterDeleteAgent(agent) => typed_digest(
                aster_domain(agent.signature_chain_id),
                "DelAgent(string AgentAddress,string AsterChain,string User,uint256 Nonce)",
                &[
                    Field::Text(&agent.agent.to_string()),
                    Field::Text(agent.chain.as_str()),
                    Field::Text(&agent.user.to_string()),
                    Field::Uint(agent.nonce_us),
                ],
            ),
            Self::HyperliquidApproveAgent(approve) => hyperliquid_agent_digest(
                HYPERLIQUID_SIGNATURE_CHAIN_ID,
                approve.chain,
                approve.agent,
                &approve.full_name(),
                approve.nonce_ms,
            ),
            Self::HyperliquidRevokeAgent(revoke) => hyperliquid_agent_digest(
                HYPERLIQUID_SIGNATURE_CHAIN_ID,
                revoke.chain,
                Address::ZERO,
                &revoke.name,
                revoke.nonce_ms,
            ),
            Self::HyperliquidApproveBuilder(approve) => approve.digest(),
            Self::AsterApproveBuilder(approve) => approve.digest(),
        }
    }
}

const fn aster_domain(chain_id: u64) -> Domain {
    Domain { name: "AsterSignTransaction", chain_id }
}

/// Returns the digest of Aster's `Message{msg}`: of a wallet's registration (chain 56), and of
/// every call that an agent signs (chain 1666, on the test network 714).
#[must_use]
pub fn aster_message_digest(chain_id: u64, message: &str) -> Digest {
    typed_digest(aster_domain(chain_id), "Message(string msg)", &[Field::Text(message)])
}

/// Returns the digest of Hyperliquid's `approveAgent`. `full_name` is the name with its expiry; it
/// is empty for the unnamed agent.
#[must_use]
pub fn hyperliquid_agent_digest(
    signature_chain_id: u64,
    chain: HyperliquidChain,
    agent: Address,
    full_name: &str,
    nonce_ms: u64,
) -> Digest {
    typed_digest(
        Domain { name: "HyperliquidSignTransaction", chain_id: signature_chain_id },
        "HyperliquidTransaction:ApproveAgent(string hyperliquidChain,address agentAddress,string agentName,uint64 nonce)",
        &[
            Field::Text(chain.as_str()),
            Field::Address(agent),
            Field::Text(full_name),
            Field::Uint(nonce_ms),
        ],
    )
}
