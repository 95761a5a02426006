//! The signing policy. The default is deny: an intent that the policy does not allow is refused.
//!
//! The typed document `infra/cosigner-policy.json` defines what a deployment may sign; its JSON
//! Schema is in the same folder. The intents are a closed list, so the document cannot allow
//! anything else, and none of them moves money. Payments are a list of their own.

use aws_lc_rs::digest::{SHA256, digest};
use domain::builder::Builder;
use domain::eth::Address;
use domain::intent::{HyperliquidChain, Intent, MAX_AGENT_NAME, PersonalMessage, folded};
use domain::money::Payment;
use platform::env::{ConfigError, Env};
use platform::networks::Networks;
use protocol::Refusal;

#[cfg(test)]
mod builder_tests;
mod chain;
mod document;
mod payments;
#[cfg(test)]
mod tests;

use document::Document;
pub use document::{Limits, Rate};
pub(crate) use payments::{NATIVE, PaymentRules};

/// The document that is used when none is given.
const DEFAULT: &str = include_str!("../../../../../infra/cosigner-policy.json");

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// A deployment's settings, within the limits of its document.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Setting {
    /// The Hyperliquid network.
    pub hyperliquid_chain: HyperliquidChain,
    /// The Aster network.
    pub aster_chain: HyperliquidChain,
    /// The `signatureChainId` for Aster.
    pub aster_signature_chain_id: u64,
    /// Whether Aster's V1 login, which makes an API key, may be signed.
    pub aster_login: bool,
}

/// Decides what the cosigner may sign.
#[derive(Clone, Debug)]
pub struct Policy {
    setting: Setting,
    document: Document,
    payments: PaymentRules,
    version: String,
}

impl Policy {
    /// Reads `COSIGNER_POLICY` (a document; by default the one in `infra/`), the networks as
    /// [`Networks::from_env`] does, `ASTER_SIGNATURE_CHAIN_ID` (default 56) and `ASTER_API`
    /// (default `v3`; `v1` allows its login).
    ///
    /// # Errors
    /// Returns an error that names the invalid variable.
    pub fn from_env(env: &Env<'_>) -> Result<Self, ConfigError> {
        let networks = Networks::from_env(env)?;
        let aster_signature_chain_id = match env.optional("ASTER_SIGNATURE_CHAIN_ID") {
            None => 56,
            Some(text) => text.parse().map_err(|_| ConfigError::Invalid {
                name: "ASTER_SIGNATURE_CHAIN_ID",
                want: "a number",
            })?,
        };
        let aster_login = match env.optional("ASTER_API").as_deref() {
            None | Some("v3") => false,
            Some("v1") => true,
            Some(_) => {
                return Err(ConfigError::Invalid { name: "ASTER_API", want: "v1 or v3" });
            }
        };
        let setting = Setting {
            hyperliquid_chain: networks.hyperliquid,
            aster_chain: networks.aster,
            aster_signature_chain_id,
            aster_login,
        };
        let document = env.optional("COSIGNER_POLICY");
        Self::new(document.as_deref().unwrap_or(DEFAULT), setting)
    }

    /// Makes the policy of a document for one setting.
    ///
    /// # Errors
    /// Fails when the document does not match its schema, or does not allow the setting.
    pub fn new(document: &str, setting: Setting) -> Result<Self, ConfigError> {
        let invalid = |want| ConfigError::Invalid { name: "COSIGNER_POLICY", want };
        let version = digest(&SHA256, document.as_bytes());
        let version = version.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let mut document: Document = serde_json::from_str(document).map_err(|error| {
            tracing::error!(%error, "the policy document cannot be read");
            invalid("a document of infra/cosigner-policy.schema.json")
        })?;
        if let Some(name) =
            document.intents.iter().find(|name| !Intent::NAMES.contains(&name.as_str()))
        {
            tracing::error!(name, "the policy names an intent that does not exist");
            return Err(invalid("a document that names intents that exist"));
        }
        let payments = match document.payments.take() {
            Some(payments) => payments,
            None => built_in_payments()?,
        };
        let mut kinds = payments.kinds.iter();
        if let Some(name) = kinds.find(|name| !Payment::NAMES.contains(&name.as_str())) {
            tracing::error!(name, "the policy names a payment that does not exist");
            return Err(invalid("a document that names payments that exist"));
        }
        payments.check().map_err(invalid)?;
        if !document.hyperliquid.chains.contains(&setting.hyperliquid_chain) {
            return Err(invalid("a document that allows HYPERLIQUID_CHAIN"));
        }
        if !document.aster_chains().contains(&setting.aster_chain) {
            return Err(invalid("a document that allows ASTER_CHAIN"));
        }
        if !document.aster.signature_chain_ids.contains(&setting.aster_signature_chain_id) {
            return Err(invalid("a document that allows ASTER_SIGNATURE_CHAIN_ID"));
        }
        let prefixes = &document.personal_messages.refused_prefixes;
        if prefixes.iter().any(|prefix| folded(prefix).is_empty()) {
            return Err(invalid("a document with a letter or digit in each refused prefix"));
        }
        let builders = &document.builders;
        for list in [&builders.hyperliquid, &builders.aster] {
            let mut addresses: Vec<Address> = list.iter().map(|known| known.address).collect();
            addresses.sort_unstable();
            addresses.dedup();
            if addresses.len() < list.len() || addresses.contains(&Address::ZERO) {
                return Err(invalid("a document that names each builder once, and not 0x0"));
            }
        }
        if !(8..=180).contains(&document.agents.max_validity_days) {
            return Err(invalid("a document with maxValidityDays from 8 to 180"));
        }
        chain::check(&document.policy_chain).map_err(invalid)?;
        Ok(Self { setting, document, payments, version })
    }

    /// Makes the policy of the document in `infra/` for one setting.
    ///
    /// # Errors
    /// Fails when the document does not allow the setting.
    pub fn default_for(setting: Setting) -> Result<Self, ConfigError> {
        Self::new(DEFAULT, setting)
    }

    /// Removes the limits on signatures, for a local machine.
    #[must_use]
    pub fn unlimited(mut self) -> Self {
        let none = Rate { per_minute: 0, per_day: 0 };
        self.document.limits = Limits { wallet: none, tenant: none };
        self
    }

    /// Returns the setting.
    #[must_use]
    pub const fn setting(&self) -> Setting {
        self.setting
    }

    /// Returns the document's version: the first digits of its SHA-256, in hex.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Returns the maximum numbers of signatures.
    #[must_use]
    pub const fn limits(&self) -> Limits {
        self.document.limits
    }

    /// Returns what the deployment may pay.
    pub(crate) const fn payments(&self) -> &PaymentRules {
        &self.payments
    }

    /// Checks whether the wallet with this address may sign this intent now.
    ///
    /// # Errors
    /// Returns the reason of the refusal.
    pub fn check(&self, wallet: Address, intent: &Intent, now_ms: u64) -> Result<(), Refusal> {
        self.checked(wallet, intent, now_ms).map_err(Refusal::Policy)
    }

    fn checked(&self, wallet: Address, intent: &Intent, now_ms: u64) -> Checked {
        let setting = &self.setting;
        let allowed = self.document.intents.iter().any(|name| name == intent.name());
        require(allowed, "this intent is not allowed")?;
        match intent {
            Intent::PersonalMessage(message) => self.check_message(message.as_str()),
            Intent::HyperliquidApproveAgent(approve) => {
                require(
                    approve.chain == setting.hyperliquid_chain,
                    "this Hyperliquid network is not configured",
                )?;
                self.check_agent(wallet, approve.agent, &approve.name)?;
                self.check_expiry(approve.valid_until_ms, now_ms)?;
                self.check_nonce(approve.nonce_ms, now_ms)
            }
            Intent::AsterRegisterAgent(register) => {
                require(
                    register.signature_chain_id == setting.aster_signature_chain_id,
                    "this signatureChainId is not configured",
                )?;
                require(register.user == wallet, "user is not the wallet")?;
                self.check_agent(wallet, register.agent, &register.name)?;
                self.check_expiry(register.expires_ms, now_ms)?;
                self.check_nonce(register.nonce_us / 1_000, now_ms)
            }
            Intent::HyperliquidRevokeAgent(revoke) => {
                require(
                    revoke.chain == setting.hyperliquid_chain,
                    "this Hyperliquid network is not configured",
                )?;
                self.check_name(&revoke.name)?;
                self.check_nonce(revoke.nonce_ms, now_ms)
            }
            Intent::AsterDeleteAgent(delete) => {
                require(
                    delete.signature_chain_id == setting.aster_signature_chain_id,
                    "this signatureChainId is not configured",
                )?;
                require(
                    delete.chain == setting.aster_chain,
                    "this Aster network is not configured",
                )?;
                require(delete.user == wallet, "user is not the wallet")?;
                self.check_nonce(delete.nonce_us / 1_000, now_ms)
            }
            Intent::HyperliquidApproveBuilder(approve) => {
                require(
                    approve.chain == setting.hyperliquid_chain,
                    "this Hyperliquid network is not configured",
                )?;
                let wanted = Builder { address: approve.builder, fee: approve.max_fee };
                check_builder(wallet, wanted, &self.document.builders.hyperliquid)?;
                self.check_nonce(approve.nonce_ms, now_ms)
            }
            Intent::AsterApproveBuilder(approve) => {
                require(
                    approve.signature_chain_id == setting.aster_signature_chain_id,
                    "this signatureChainId is not configured",
                )?;
                require(
                    approve.chain == setting.aster_chain,
                    "this Aster network is not configured",
                )?;
                require(approve.user == wallet, "user is not the wallet")?;
                let wanted = Builder { address: approve.builder, fee: approve.max_fee };
                check_builder(wallet, wanted, &self.document.builders.aster)?;
                self.check_nonce(approve.nonce_us / 1_000, now_ms)
            }
            Intent::AsterLogin(login) => {
                let digits = (1..=32).contains(&login.nonce.len())
                    && login.nonce.bytes().all(|byte| byte.is_ascii_digit());
                require(setting.aster_login, "this intent is not allowed")?;
                require(digits, "the login's nonce is not a number")
            }
        }
    }

    fn check_message(&self, text: &str) -> Checked {
        let rules = &self.document.personal_messages;
        // The service's own list of reserved messages applies whatever the document allows.
        PersonalMessage::parse(text).map_err(|error| error.to_string())?;
        require(text.len() <= rules.max_bytes, "the message is too long")?;
        let (text, refused) = (folded(text), &rules.refused_prefixes);
        let refused = refused.iter().any(|prefix| text.starts_with(&folded(prefix)));
        require(!refused, "the message begins with a refused prefix")
    }

    /// Checks an agent's name. Only names with the service's prefix are allowed, so that other
    /// agents can be neither replaced nor removed.
    fn check_name(&self, name: &str) -> Checked {
        let ours = name.strip_prefix(&self.document.agents.name_prefix).is_some_and(|rest| {
            !rest.is_empty()
                && rest.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
        });
        require(ours && name.len() <= MAX_AGENT_NAME, "the agent's name has another prefix or form")
    }

    fn check_agent(&self, wallet: Address, agent: Address, name: &str) -> Checked {
        self.check_name(name)?;
        require(agent != Address::ZERO, "the agent is the zero address")?;
        require(agent != wallet, "the agent is the wallet itself")
    }

    /// Checks an agent's expiry. The endpoint's clock may be ahead of the cosigner's by the margin
    /// that it subtracts from the expiry.
    fn check_expiry(&self, expires_ms: u64, now_ms: u64) -> Checked {
        let latest_ms = now_ms + self.document.agents.max_validity_days * DAY_MS;
        require(expires_ms > now_ms, "the agent would be expired")?;
        require(expires_ms <= latest_ms, "the agent's expiry is past the maximum")
    }

    fn check_nonce(&self, nonce_ms: u64, now_ms: u64) -> Checked {
        let window_ms = self.document.agents.nonce_window_seconds * 1_000;
        require(nonce_ms.abs_diff(now_ms) <= window_ms, "the nonce is outside its window")
    }
}

/// Returns the tables of payments in the built-in document.
fn built_in_payments() -> Result<PaymentRules, ConfigError> {
    let document: Result<Document, _> = serde_json::from_str(DEFAULT);
    let payments = document.ok().and_then(|document| document.payments);
    payments.ok_or(ConfigError::Invalid {
        name: "COSIGNER_POLICY",
        want: "a build with a policy that has payments",
    })
}

type Checked = Result<(), String>;

/// Checks a builder and its fee. Only a builder that the document names is allowed, with at most
/// the fee that the document states.
fn check_builder(wallet: Address, wanted: Builder, allowed: &[Builder]) -> Checked {
    require(wanted.address != wallet, "the builder is the wallet itself")?;
    let named = allowed.iter().find(|known| known.address == wanted.address);
    let named = named.ok_or_else(|| "this builder is not allowed".to_owned())?;
    require(named.covers(&wanted), "the builder's fee is above the maximum")
}

fn require(holds: bool, otherwise: &'static str) -> Checked {
    if holds { Ok(()) } else { Err(otherwise.to_owned()) }
}
