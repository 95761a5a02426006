//! What may be signed. Default deny: an intent that is not allowed here is refused.

use shared::config::{ConfigError, Env, parse_chain};
use shared::eth::Address;
use shared::intent::{
    AGENT_NAME_PREFIX, HyperliquidChain, Intent, MAX_AGENT_NAME, MAX_AGENT_VALIDITY_MS,
    PersonalMessage,
};
use shared::mpc::Refusal;

/// How far a nonce may be from the cosigner's own clock, in milliseconds.
const NONCE_WINDOW_MS: u64 = 5 * 60 * 1_000;

/// What the cosigner is configured for.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The one Hyperliquid network.
    pub hyperliquid_chain: HyperliquidChain,
    /// The one `signatureChainId` for Aster.
    pub aster_signature_chain_id: u64,
    /// Whether Aster's V1 login may be signed, which makes an API key.
    pub aster_login: bool,
}

impl Policy {
    /// Reads `HYPERLIQUID_CHAIN` (default `Mainnet`), `ASTER_SIGNATURE_CHAIN_ID` (default 56) and
    /// `ASTER_API` (default `v3`; `v1` allows its login).
    ///
    /// # Errors
    /// Names the variable.
    pub fn from_env(env: &Env<'_>) -> Result<Self, ConfigError> {
        let chain = match env.optional("HYPERLIQUID_CHAIN") {
            None => HyperliquidChain::Mainnet,
            Some(text) => parse_chain(&text).ok_or(ConfigError::Invalid {
                name: "HYPERLIQUID_CHAIN",
                want: "Mainnet or Testnet",
            })?,
        };
        let aster = match env.optional("ASTER_SIGNATURE_CHAIN_ID") {
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
        Ok(Self { hyperliquid_chain: chain, aster_signature_chain_id: aster, aster_login })
    }

    /// Whether a wallet with this address may sign this now.
    ///
    /// # Errors
    /// The reason for which it may not.
    pub fn check(&self, wallet: Address, intent: &Intent, now_ms: u64) -> Result<(), Refusal> {
        let checked = match intent {
            Intent::PersonalMessage(message) => match PersonalMessage::parse(message.as_str()) {
                Ok(_) => Ok(()),
                Err(error) => return Err(Refusal::Policy(error.to_string())),
            },
            Intent::HyperliquidApproveAgent(approve) => require(
                approve.chain == self.hyperliquid_chain,
                "this Hyperliquid network is not configured",
            )
            .and_then(|()| check_agent(wallet, approve.agent, &approve.name))
            .and_then(|()| check_expiry(approve.valid_until_ms, now_ms))
            .and_then(|()| check_nonce(approve.nonce_ms, now_ms)),
            Intent::AsterRegisterAgent(register) => require(
                register.signature_chain_id == self.aster_signature_chain_id,
                "this signatureChainId is not configured",
            )
            .and_then(|()| require(register.user == wallet, "user is not the wallet"))
            .and_then(|()| check_agent(wallet, register.agent, &register.name))
            .and_then(|()| check_expiry(register.expires_ms, now_ms))
            .and_then(|()| check_nonce(register.nonce_us / 1_000, now_ms)),
            Intent::HyperliquidRevokeAgent(revoke) => require(
                revoke.chain == self.hyperliquid_chain,
                "this Hyperliquid network is not configured",
            )
            .and_then(|()| check_name(&revoke.name))
            .and_then(|()| check_nonce(revoke.nonce_ms, now_ms)),
            Intent::AsterDeleteAgent(delete) => require(
                delete.signature_chain_id == self.aster_signature_chain_id,
                "this signatureChainId is not configured",
            )
            .and_then(|()| {
                require(delete.chain == self.hyperliquid_chain, "this network is not configured")
            })
            .and_then(|()| require(delete.user == wallet, "user is not the wallet"))
            .and_then(|()| check_nonce(delete.nonce_us / 1_000, now_ms)),
            Intent::AsterLogin(login) => {
                let digits = (1..=32).contains(&login.nonce.len())
                    && login.nonce.bytes().all(|byte| byte.is_ascii_digit());
                require(self.aster_login, "this intent is not allowed")
                    .and_then(|()| require(digits, "the login's nonce is no number"))
            }
        };
        checked.map_err(|reason| Refusal::Policy(reason.to_owned()))
    }
}

type Checked = Result<(), &'static str>;

fn require(holds: bool, otherwise: &'static str) -> Checked {
    if holds { Ok(()) } else { Err(otherwise) }
}

/// Only agents of ours are named: another one's name can be neither taken nor taken away.
fn check_name(name: &str) -> Checked {
    let ours = name.strip_prefix(AGENT_NAME_PREFIX).is_some_and(|rest| {
        !rest.is_empty()
            && rest.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
    });
    require(ours && name.len() <= MAX_AGENT_NAME, "the agent's name is not one of ours")
}

fn check_agent(wallet: Address, agent: Address, name: &str) -> Checked {
    check_name(name)?;
    require(agent != Address::ZERO, "the agent is the zero address")?;
    require(agent != wallet, "the agent is the wallet itself")
}

/// The endpoint's clock may be ahead of ours by the margin that it takes off the expiry.
fn check_expiry(expires_ms: u64, now_ms: u64) -> Checked {
    require(expires_ms > now_ms, "the agent would be expired")?;
    require(expires_ms <= now_ms + MAX_AGENT_VALIDITY_MS, "the agent's expiry is past the maximum")
}

fn check_nonce(nonce_ms: u64, now_ms: u64) -> Checked {
    require(nonce_ms.abs_diff(now_ms) <= NONCE_WINDOW_MS, "the nonce is outside its window")
}

#[cfg(test)]
mod tests {
    use shared::intent::{
        AsterDeleteAgent, AsterLogin, AsterRegisterAgent, HyperliquidApproveAgent,
        HyperliquidRevokeAgent,
    };

    use super::*;

    const NOW: u64 = 1_790_000_000_000;
    const DAY: u64 = 24 * 60 * 60 * 1_000;

    fn wallet() -> Address {
        "0xe58B8D324dfbaC31E4c344a92100C75d7f9a2d81".parse().unwrap()
    }

    fn agent() -> Address {
        "0x410D9849b1089D6DB21dFDD1a0a946Ce1a2d53FA".parse().unwrap()
    }

    fn check(intent: &Intent) -> Result<(), String> {
        let policy = Policy {
            hyperliquid_chain: HyperliquidChain::Mainnet,
            aster_signature_chain_id: 56,
            aster_login: false,
        };
        match policy.check(wallet(), intent, NOW) {
            Ok(()) => Ok(()),
            Err(Refusal::Policy(reason)) => Err(reason),
            Err(other) => panic!("{other}"),
        }
    }

    fn hyperliquid(change: impl FnOnce(&mut HyperliquidApproveAgent)) -> Result<(), String> {
        let mut intent = HyperliquidApproveAgent {
            chain: HyperliquidChain::Mainnet,
            agent: agent(),
            name: "hdx1abc".to_owned(),
            valid_until_ms: NOW + 180 * DAY - 60_000,
            nonce_ms: NOW,
        };
        change(&mut intent);
        check(&Intent::HyperliquidApproveAgent(intent))
    }

    fn aster(change: impl FnOnce(&mut AsterRegisterAgent)) -> Result<(), String> {
        let mut intent = AsterRegisterAgent {
            user: wallet(),
            nonce_us: NOW * 1_000,
            name: "hdx1abc".to_owned(),
            agent: agent(),
            expires_ms: NOW + 180 * DAY - 60_000,
            signature_chain_id: 56,
            can_spot_trade: true,
            can_perp_trade: true,
            ip_whitelist: None,
        };
        change(&mut intent);
        check(&Intent::AsterRegisterAgent(intent))
    }

    #[test]
    fn honest_registrations_are_allowed() {
        assert_eq!(hyperliquid(|_| {}), Ok(()));
        assert_eq!(aster(|_| {}), Ok(()));
    }

    #[test]
    fn each_bent_hyperliquid_approval_is_refused() {
        assert!(hyperliquid(|intent| intent.chain = HyperliquidChain::Testnet).is_err());
        assert!(hyperliquid(|intent| intent.agent = Address::ZERO).is_err());
        assert!(hyperliquid(|intent| intent.agent = wallet()).is_err());
        assert!(hyperliquid(|intent| intent.valid_until_ms = NOW + 180 * DAY + 1).is_err());
        assert!(hyperliquid(|intent| intent.valid_until_ms = NOW).is_err());
        assert!(hyperliquid(|intent| intent.nonce_ms = NOW + 6 * 60_000).is_err());
        assert!(hyperliquid(|intent| intent.nonce_ms = NOW - 6 * 60_000).is_err());
        for name in
            ["", "hdx", "bot", "hdx1 valid_until 9999999999999", "hdxabcdefghijklmn", "hdxA"]
        {
            assert!(hyperliquid(|intent| intent.name = name.to_owned()).is_err(), "{name}");
        }
    }

    #[test]
    fn each_bent_aster_registration_is_refused() {
        assert!(aster(|intent| intent.user = agent()).is_err());
        assert!(aster(|intent| intent.agent = wallet()).is_err());
        assert!(aster(|intent| intent.agent = Address::ZERO).is_err());
        assert!(aster(|intent| intent.signature_chain_id = 1).is_err());
        assert!(aster(|intent| intent.expires_ms = NOW + 181 * DAY).is_err());
        assert!(aster(|intent| intent.nonce_us = NOW).is_err());
        assert!(aster(|intent| intent.name = "hdx1&canWithdraw=true".to_owned()).is_err());
    }

    fn revoke(change: impl FnOnce(&mut HyperliquidRevokeAgent)) -> Result<(), String> {
        let mut intent = HyperliquidRevokeAgent {
            chain: HyperliquidChain::Mainnet,
            name: "hdx1abc".to_owned(),
            nonce_ms: NOW,
        };
        change(&mut intent);
        check(&Intent::HyperliquidRevokeAgent(intent))
    }

    fn delete(change: impl FnOnce(&mut AsterDeleteAgent)) -> Result<(), String> {
        let mut intent = AsterDeleteAgent {
            agent: agent(),
            chain: HyperliquidChain::Mainnet,
            user: wallet(),
            nonce_us: NOW * 1_000,
            signature_chain_id: 56,
        };
        change(&mut intent);
        check(&Intent::AsterDeleteAgent(intent))
    }

    #[test]
    fn each_bent_removal_is_refused() {
        assert_eq!(revoke(|_| {}), Ok(()));
        assert!(revoke(|intent| intent.chain = HyperliquidChain::Testnet).is_err());
        assert!(revoke(|intent| intent.nonce_ms = NOW + 6 * 60_000).is_err());
        for name in ["", "hdx", "bot", "hdx1 valid_until 9999999999999"] {
            assert!(revoke(|intent| intent.name = name.to_owned()).is_err(), "{name}");
        }
        assert_eq!(delete(|_| {}), Ok(()));
        assert!(delete(|intent| intent.user = agent()).is_err());
        assert!(delete(|intent| intent.chain = HyperliquidChain::Testnet).is_err());
        assert!(delete(|intent| intent.signature_chain_id = 1).is_err());
        assert!(delete(|intent| intent.nonce_us = NOW).is_err());
    }

    #[test]
    fn a_login_is_signed_only_where_it_is_configured() {
        let login = |nonce: &str| Intent::AsterLogin(AsterLogin { nonce: nonce.to_owned() });
        assert_eq!(check(&login("111111")), Err("this intent is not allowed".to_owned()));
        let policy = Policy {
            hyperliquid_chain: HyperliquidChain::Mainnet,
            aster_signature_chain_id: 56,
            aster_login: true,
        };
        assert!(policy.check(wallet(), &login("111111"), NOW).is_ok());
        for nonce in ["", "1 and more", "0x1", &"1".repeat(33)] {
            assert!(policy.check(wallet(), &login(nonce), NOW).is_err(), "{nonce}");
        }
    }

    #[test]
    fn a_login_is_no_personal_message() {
        let message = |text: &str| {
            // As an endpoint would send it that skipped its own check.
            let bytes = postcard::to_stdvec(text).unwrap();
            check(&Intent::PersonalMessage(postcard::from_bytes(&bytes).unwrap()))
        };
        assert_eq!(message("hello"), Ok(()));
        for text in [
            "You are signing into Astherus 111111",
            "you  are signing\ninto Aster DEX 1",
            "Register Lighter Account\n\npubkey: 0x00",
            "",
        ] {
            assert!(message(text).is_err(), "{text:?}");
        }
    }
}
