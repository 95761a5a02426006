//! Execution of the actions that move money.

use alloy_primitives::Address;
use serde_json::{Value, json};

use super::super::{Chain, book::Book, refusal::Refusal};
use super::pockets::{
    ONE_USDC, Token, USDC, pocket, system_token, token, usd, usd_pocket, usdc_system,
};
use super::{Money, bridge_chain, exists, hyperevm};
use crate::market::{Booking, Engine, Num, Payout};
use crate::parse_address;

/// Fee of the forwarder that pays a withdrawal by CCTP, out of the amount.
const FORWARDING: Num = Num::units(20_000_000);

/// Gas of the forwarder.
const FORWARDING_GAS: u64 = 200_000;

/// Chains of Circle's domains, on the main network.
const DOMAINS: [(u32, u64); 4] = [(0, 1), (3, 42_161), (6, 8_453), (19, 999)];

/// The sender of an action.
pub(super) struct Payer<'a> {
    pub(super) engine: &'a mut Engine,
    pub(super) book: &'a mut Book,
    pub(super) chain: Chain,
    pub(super) account: Address,
    pub(super) hash: String,
    pub(super) now: u64,
    pub(super) delay_ms: u64,
}

/// A send to an account.
struct Send<'a> {
    to: Address,
    token: &'a Token,
    amount: Num,
    from: String,
    into: String,
}

impl Payer<'_> {
    /// Executes an action.
    pub(super) fn apply(&mut self, money: &Money) -> Result<(), Refusal> {
        match money {
            Money::Withdraw3 { destination, amount, time } => {
                self.withdraw(destination, amount, *time)
            }
            Money::UsdSend { destination, amount, time } => {
                self.usd_send(destination, amount, *time)
            }
            Money::SpotSend { destination, token, amount, time } => {
                self.spot_send(destination, (token, amount), *time)
            }
            Money::SendAsset { .. } => self.send_asset(money),
            Money::SendToEvmWithData { .. } => self.send_to_evm(money),
            Money::UsdClassTransfer { amount, to_perp, nonce } => {
                self.class_transfer(amount, *to_perp, *nonce)
            }
        }
    }

    fn withdraw(&mut self, destination: &str, amount: &str, time: u64) -> Result<(), Refusal> {
        let to = parse_address(destination).ok_or(Refusal::InvalidSend)?;
        let amount = usd(amount)?;
        if amount <= ONE_USDC {
            // No minimum is published. The fee is taken out of the amount.
            return Err(Refusal::NoWithdrawal);
        }
        let pocket = usd_pocket(self.engine.mode(self.account));
        if !self.engine.debit(self.account, pocket, amount) {
            return Err(Refusal::NoWithdrawal);
        }
        let shown = json!({"type": "withdraw", "usdc": amount.text(), "nonce": time, "fee": "1.0"});
        let payout = Payout {
            chain_id: bridge_chain(self.chain),
            asset: USDC.to_owned(),
            to,
            amount: amount - ONE_USDC,
            due: self.now + self.delay_ms,
            paid: None,
        };
        self.book(time, amount, shown, Some(payout));
        Ok(())
    }

    fn usd_send(&mut self, destination: &str, amount: &str, time: u64) -> Result<(), Refusal> {
        self.require_standard()?;
        let to = parse_address(destination).ok_or(Refusal::InvalidSend)?;
        let token = Token::usdc();
        let amount = token.amount(amount, "perp:")?;
        // A guess: nobody sends to himself.
        if to == self.account {
            return Err(Refusal::InvalidSend);
        }
        let (from, into) = ("perp:".to_owned(), "perp:".to_owned());
        let fee = self.send(&Send { to, token: &token, amount, from, into })?;
        let shown = json!({
            "type": "internalTransfer",
            "usdc": amount.text(),
            "user": format!("{:#x}", self.account),
            "destination": format!("{to:#x}"),
            "fee": fee.dotted(),
        });
        self.book_both(time, to, (amount, shown));
        Ok(())
    }

    fn spot_send(
        &mut self,
        destination: &str,
        (token_text, amount): (&str, &str),
        time: u64,
    ) -> Result<(), Refusal> {
        self.require_standard()?;
        let to = parse_address(destination).ok_or(Refusal::InvalidSend)?;
        let token = token(token_text, self.chain)?;
        let pocket = format!("spot:{}", token.name);
        let amount = token.amount(amount, &pocket)?;
        if to == self.account {
            return Err(Refusal::InvalidSend);
        }
        let (from, into) = (pocket.clone(), pocket);
        let fee = self.send(&Send { to, token: &token, amount, from, into })?;
        let shown = json!({
            "type": "spotTransfer",
            "token": token.name,
            "amount": amount.text(),
            "usdcValue": amount.text(),
            "user": format!("{:#x}", self.account),
            "destination": format!("{to:#x}"),
            "fee": fee.dotted(),
            "nativeTokenFee": "0.0",
            "nonce": null,
            "feeToken": USDC,
        });
        self.book_both(time, to, (amount, shown));
        Ok(())
    }

    fn send_asset(&mut self, money: &Money) -> Result<(), Refusal> {
        let Money::SendAsset {
            destination,
            source_dex,
            destination_dex,
            token: token_text,
            amount,
            from_sub_account,
            nonce,
        } = money
        else {
            return Err(Refusal::InvalidSend);
        };
        if !from_sub_account.is_empty() {
            return Err(Refusal::UnknownSubAccount(from_sub_account.clone(), self.account));
        }
        if self.engine.mode(self.account).is_unified() && source_dex != "spot" {
            return Err(Refusal::UnifiedOnlySpot);
        }
        let to = parse_address(destination).ok_or(Refusal::InvalidSend)?;
        let token = token(token_text, self.chain)?;
        let (from, into) = (pocket(source_dex, &token)?, pocket(destination_dex, &token)?);
        let amount = token.amount(amount, &from)?;
        if to == self.account && from == into {
            return Err(Refusal::InvalidSend);
        }
        let fee = self.send(&Send { to, token: &token, amount, from, into })?;
        let mut shown = self.shown_send(to, (token.name, amount, fee), *nonce);
        shown["sourceDex"] = json!(source_dex);
        shown["destinationDex"] = json!(destination_dex);
        self.book_both(*nonce, to, (amount, shown));
        Ok(())
    }

    fn send_to_evm(&mut self, money: &Money) -> Result<(), Refusal> {
        let Money::SendToEvmWithData {
            token,
            amount,
            source_dex,
            destination_recipient,
            address_encoding,
            destination_chain_id,
            gas_limit,
            data,
            nonce,
        } = money
        else {
            return Err(Refusal::InvalidSend);
        };
        if token != USDC || address_encoding != "hex" {
            return Err(Refusal::InvalidSend);
        }
        if self.engine.mode(self.account).is_unified() && source_dex != "spot" {
            return Err(Refusal::UnifiedOnlySpot);
        }
        let to = parse_address(destination_recipient).ok_or(Refusal::InvalidSend)?;
        let chain_id = self.chain_of_domain(*destination_chain_id).ok_or(Refusal::InvalidSend)?;
        let usdc = Token::usdc();
        let from = pocket(source_dex, &usdc)?;
        let amount = usdc.amount(amount, &from)?;
        if amount <= FORWARDING {
            return Err(Refusal::InvalidSend);
        }
        let fee = self.own_activation(true);
        self.pay(&from, (USDC, amount), fee)?;
        self.engine.account_mut(self.account).activated = true;
        // With data nobody forwards the transfer, so nothing arrives. A guess: nor with less gas.
        let payout = (data == "0x" && *gas_limit >= FORWARDING_GAS).then(|| Payout {
            chain_id,
            asset: USDC.to_owned(),
            to,
            amount: amount - FORWARDING,
            due: self.now + self.delay_ms,
            paid: None,
        });
        let mut shown = self.shown_send(usdc_system(), (USDC, amount, fee), *nonce);
        shown["sourceDex"] = json!(source_dex);
        shown["destinationDex"] = json!("spot");
        self.book(*nonce, amount, shown, payout);
        Ok(())
    }

    fn class_transfer(&mut self, amount: &str, to_perp: bool, nonce: u64) -> Result<(), Refusal> {
        if let Some((_, of)) = amount.split_once(" subaccount:") {
            return Err(Refusal::UnknownSubAccount(of.to_owned(), self.account));
        }
        self.require_standard()?;
        let amount = usd(amount)?;
        let (from, into) = if to_perp { ("spot:USDC", "perp:") } else { ("perp:", "spot:USDC") };
        let own = self.account;
        if !self.engine.move_funds((own, from), (own, into), amount) {
            return Err(Refusal::NoTransfer);
        }
        let shown =
            json!({"type": "accountClassTransfer", "usdc": amount.text(), "toPerp": to_perp});
        self.book(nonce, amount, shown, None);
        Ok(())
    }

    /// Sends a sum to an account or to a system address. Returns the fee of activations.
    fn send(&mut self, send: &Send<'_>) -> Result<Num, Refusal> {
        let Send { to, token, amount, from, into } = send;
        let own = *to == self.account;
        let system = system_token(*to);
        let is_new = system.is_none() && !own && !exists(self.book, self.engine, *to, self.now);
        let activation = if is_new { ONE_USDC } else { Num::ZERO };
        let fee = self.own_activation(!own && from.starts_with("spot:")) + activation;
        self.pay(from, (token.name, *amount), fee)?;
        if !own && from.starts_with("spot:") {
            self.engine.account_mut(self.account).activated = true;
        }
        if system.is_some() {
            return Ok(fee);
        }
        if is_new {
            self.book.deposit(*to);
            self.engine.account_mut(*to).activated = true;
        }
        self.engine.credit(*to, into, *amount);
        Ok(fee)
    }

    /// Takes an amount and a fee in USDC from the account.
    fn pay(&mut self, from: &str, (token, amount): (&str, Num), fee: Num) -> Result<(), Refusal> {
        let available = self.engine.available(self.account, from);
        if amount > available {
            return Err(Refusal::NoTransfer);
        }
        let fee_pocket = if token == USDC { from } else { "spot:USDC" };
        let left = self.engine.available(self.account, fee_pocket);
        let left = if fee_pocket == from { left - amount } else { left };
        if fee > left {
            return Err(Refusal::NoFee);
        }
        self.engine.debit(self.account, from, amount);
        if fee.is_positive() {
            self.engine.debit(self.account, fee_pocket, fee);
        }
        Ok(())
    }

    /// Returns the fee of the account's own activation, due with its first send out of its spot
    /// balance, and with its first withdrawal by CCTP.
    fn own_activation(&self, is_due: bool) -> Num {
        let activated = self.engine.account(self.account).is_some_and(|known| known.activated);
        if is_due && !activated { ONE_USDC } else { Num::ZERO }
    }

    fn require_standard(&self) -> Result<(), Refusal> {
        let unified = self.engine.mode(self.account).is_unified();
        if unified { Err(Refusal::UnifiedDisabled) } else { Ok(()) }
    }

    fn chain_of_domain(&self, domain: u32) -> Option<u64> {
        let found = DOMAINS.iter().find(|(known, _)| *known == domain)?.1;
        match (self.chain, found) {
            (Chain::Mainnet, chain_id) => Some(chain_id),
            (Chain::Testnet, 42_161) => Some(bridge_chain(Chain::Testnet)),
            (Chain::Testnet, 999) => Some(hyperevm(Chain::Testnet)),
            // The other test networks are not simulated.
            (Chain::Testnet, _) => None,
        }
    }

    fn shown_send(&self, to: Address, (token, amount, fee): (&str, Num, Num), nonce: u64) -> Value {
        json!({
            "type": "send",
            "user": format!("{:#x}", self.account),
            "destination": format!("{to:#x}"),
            "sourceDex": "",
            "destinationDex": "",
            "token": token,
            "amount": amount.text(),
            "usdcValue": amount.text(),
            "fee": fee.dotted(),
            "nativeTokenFee": "0.0",
            "nonce": nonce,
            "feeToken": USDC,
        })
    }

    /// Adds a send to the ledgers of both accounts. A system address has none, but pays on HyperEVM.
    fn book_both(&mut self, nonce: u64, to: Address, (amount, shown): (Num, Value)) {
        if to == self.account {
            self.book(nonce, amount, shown, None);
            return;
        }
        let Some(asset) = system_token(to) else {
            self.book(nonce, amount, shown.clone(), None);
            let (at, hash) = (self.now, self.hash.clone());
            let booking =
                Booking { account: to, at, hash, nonce: None, amount, shown, payout: None };
            self.engine.book(booking);
            return;
        };
        let sent = shown["token"].as_str().unwrap_or(USDC);
        // Another token than that of the address is lost.
        let payout = (asset == sent).then(|| Payout {
            chain_id: hyperevm(self.chain),
            asset: asset.to_owned(),
            to: self.account,
            amount,
            due: self.now,
            paid: None,
        });
        self.book(nonce, amount, shown, payout);
    }

    fn book(&mut self, nonce: u64, amount: Num, shown: Value, payout: Option<Payout>) {
        let (account, at, hash) = (self.account, self.now, self.hash.clone());
        let nonce = Some(nonce);
        self.engine.book(Booking { account, at, hash, nonce, amount, shown, payout });
    }
}
