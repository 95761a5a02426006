//! The terms of a payment under the deployment's policy document: where the money goes, and what it
//! counts.

use domain::eth::Address;
use domain::money::{
    AsterWithdraw, Dex, EvmToken, EvmTokenTransfer, HyperliquidMoveOwn, HyperliquidSendAsset,
    HyperliquidToken, HyperliquidWithdraw, Payment, Route,
};
use domain::policy::{Amount, AssetId, Venue};
use protocol::{Charge, PaymentRefusal};

use crate::policy::{NATIVE, PaymentRules, Setting};

/// Hours in which a payment counts: 24, and the time during which its bytes stay valid.
///
/// Hyperliquid accepts a nonce for two days. Aster accepts a `userNonce` that is up to an hour from
/// the call's nonce. A transaction on a chain stays valid until its account's nonce is used; it
/// counts as long as at Hyperliquid.
const fn hours(venue: Venue) -> u64 {
    match venue {
        Venue::Aster => 25,
        Venue::Hyperliquid | Venue::Evm(_) => 72,
    }
}

/// How long a payment counts against the limits of an asset, in hours.
pub(super) const fn window_hours(asset: &AssetId) -> u64 {
    hours(asset.venue())
}

/// Where a payment's money goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Receiver {
    pub(super) venue: Venue,
    pub(super) address: Address,
    /// The asset as it arrives, which the destination must list.
    pub(super) asset: AssetId,
}

/// The terms of a payment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Terms {
    /// `None` when the money stays the wallet's own.
    pub(super) receiver: Option<Receiver>,
    /// The amounts to count; the first is that of the payment itself. Empty for a move between own
    /// balances.
    pub(super) charges: Vec<Charge>,
    /// Until when its bytes can be executed, in milliseconds after it was counted; `None` when
    /// they can be executed at any time.
    pub(super) valid_for_ms: Option<u64>,
    /// How long after it was counted it can be signed, in milliseconds. It counts a day longer.
    pub(super) signable_for_ms: u64,
}

type Found<T> = Result<T, PaymentRefusal>;

fn not_allowed(reason: &str) -> PaymentRefusal {
    PaymentRefusal::NotAllowed(reason.to_owned())
}

fn require(holds: bool, otherwise: &str) -> Found<()> {
    if holds { Ok(()) } else { Err(not_allowed(otherwise)) }
}

fn asset(venue: Venue, symbol: &str) -> Found<AssetId> {
    AssetId::new(venue, symbol).map_err(|error| not_allowed(&error.to_string()))
}

pub(super) const HOUR_MS: u64 = 60 * 60 * 1_000;

impl Terms {
    /// Returns the terms of a payment that the document allows. The wallet's address is known once
    /// its share is open.
    pub(super) fn of(
        payment: &Payment,
        wallet: Option<Address>,
        rules: &PaymentRules,
        setting: Setting,
    ) -> Found<Self> {
        let wallet = wallet.unwrap_or(Address::ZERO);
        payment.check(wallet).map_err(|error| not_allowed(&error.to_string()))?;
        let named = rules.kinds.iter().any(|kind| kind == payment.name());
        require(named, "this kind of payment is not allowed")?;
        match payment {
            Payment::HyperliquidWithdraw(payment) => withdrawal(payment, rules, setting),
            Payment::HyperliquidSendAsset(payment) => sent(payment, rules, setting),
            Payment::HyperliquidMoveOwn(payment) => moved(payment, rules, setting),
            Payment::AsterWithdraw(payment) => aster(payment, rules),
            Payment::EvmTokenTransfer(payment) => transfer(payment, rules),
        }
    }

    fn new(receiver: Option<Receiver>, asset: AssetId, amount: Amount, fee: Amount) -> Found<Self> {
        let signable_for_ms = (window_hours(&asset) - 24) * HOUR_MS;
        let valid_for_ms = match asset.venue() {
            Venue::Evm(_) => None,
            Venue::Aster | Venue::Hyperliquid => Some(signable_for_ms),
        };
        let amount =
            amount.checked_add(fee).ok_or_else(|| not_allowed("the amount is too large"))?;
        let charges = vec![Charge { asset, amount, payments: 1 }];
        Ok(Self { receiver, charges, valid_for_ms, signable_for_ms })
    }
}

fn check_fee(fee: Amount, max: Amount) -> Found<()> {
    if fee <= max { Ok(()) } else { Err(PaymentRefusal::FeeTooHigh { max }) }
}

/// A withdrawal arrives on an EVM chain, so the destination is one of that chain.
fn withdrawal(
    payment: &HyperliquidWithdraw,
    rules: &PaymentRules,
    setting: Setting,
) -> Found<Terms> {
    let (chain_id, max_fee) = match &payment.route {
        Route::Bridge => {
            let mut bridges = rules.hyperliquid.bridges.iter();
            let rule = bridges.find(|rule| rule.network == setting.hyperliquid_chain);
            let rule = rule.ok_or_else(|| not_allowed("this bridge is not allowed"))?;
            (rule.chain_id, rule.max_fee)
        }
        Route::Cctp { domain, gas_limit, .. } => {
            let mut domains = rules.hyperliquid.cctp.iter();
            let rule = domains
                .find(|rule| rule.network == setting.hyperliquid_chain && rule.domain == *domain);
            let rule = rule.ok_or_else(|| not_allowed("this CCTP domain is not allowed"))?;
            require(rule.gas_limits.contains(gas_limit), "this gas limit is not allowed")?;
            (rule.chain_id, rule.max_fee)
        }
    };
    check_fee(payment.max_fee, max_fee)?;
    let venue = Venue::Evm(chain_id);
    let receiver = Receiver { venue, address: payment.destination, asset: asset(venue, "USDC")? };
    let counted = usdc()?;
    // The signed text has no fee, and the endpoint states one. The highest one counts.
    require(payment.amount > max_fee, "the amount does not exceed the highest fee")?;
    Terms::new(Some(receiver), counted, payment.amount, max_fee)
}

fn sent(payment: &HyperliquidSendAsset, rules: &PaymentRules, setting: Setting) -> Found<Terms> {
    check_token(rules, setting, &payment.token, payment.amount)?;
    check_dexs(rules, [&payment.source, &payment.target])?;
    let asset = asset(Venue::Hyperliquid, payment.token.name())?;
    let receiver =
        Receiver { venue: Venue::Hyperliquid, address: payment.destination, asset: asset.clone() };
    let (fee, usdc) = (rules.hyperliquid.activation_fee, usdc()?);
    if asset == usdc {
        return Terms::new(Some(receiver), asset, payment.amount, fee);
    }
    let mut terms = Terms::new(Some(receiver), asset, payment.amount, Amount::ZERO)?;
    if fee > Amount::ZERO {
        terms.charges.push(Charge { asset: usdc, amount: fee, payments: 0 });
    }
    Ok(terms)
}

fn usdc() -> Found<AssetId> {
    asset(Venue::Hyperliquid, "USDC")
}

fn moved(payment: &HyperliquidMoveOwn, rules: &PaymentRules, setting: Setting) -> Found<Terms> {
    check_token(rules, setting, &payment.token, payment.amount)?;
    check_dexs(rules, [&payment.from, &payment.to])?;
    let asset = asset(Venue::Hyperliquid, payment.token.name())?;
    let terms = Terms::new(None, asset, payment.amount, Amount::ZERO)?;
    Ok(Terms { charges: Vec::new(), ..terms })
}

fn check_token(
    rules: &PaymentRules,
    setting: Setting,
    token: &HyperliquidToken,
    amount: Amount,
) -> Found<()> {
    let mut tokens = rules.hyperliquid.tokens.iter();
    let rule = tokens
        .find(|rule| rule.network == setting.hyperliquid_chain && rule.token == *token)
        .ok_or_else(|| not_allowed("this token is not allowed"))?;
    let fits = domain::money::units(amount, rule.decimals).is_ok();
    require(fits, "the amount has more decimal places than the token")
}

fn check_dexs(rules: &PaymentRules, dexs: [&Dex; 2]) -> Found<()> {
    let listed = dexs.iter().all(|dex| rules.hyperliquid.dexs.contains(*dex));
    require(listed, "this balance is not allowed")
}

fn aster(payment: &AsterWithdraw, rules: &PaymentRules) -> Found<Terms> {
    let mut assets = rules.aster.iter();
    let rule = assets
        .find(|rule| rule.chain_id == payment.chain_id && rule.asset == payment.asset)
        .ok_or_else(|| not_allowed("this asset or chain is not allowed"))?;
    check_fee(payment.fee, rule.max_fee)?;
    let asset = asset(Venue::Aster, &payment.asset)?;
    // The receiver is the wallet itself. The amount counts, because the fee and the way back cost.
    Terms::new(None, asset, payment.amount, payment.fee)
}

fn transfer(payment: &EvmTokenTransfer, rules: &PaymentRules) -> Found<Terms> {
    let chain = rules.evm.iter().find(|chain| chain.chain_id == payment.chain_id);
    let chain = chain.ok_or_else(|| not_allowed("this chain is not allowed"))?;
    require(payment.gas_limit <= chain.max_gas_limit, "the gas limit is above the maximum")?;
    let least = match payment.token {
        EvmToken::Native => chain.min_gas_limit,
        EvmToken::Erc20 { .. } => chain.min_token_gas_limit,
    };
    require(payment.gas_limit >= least, "the gas limit is below the minimum")?;
    if payment.fee.max_per_gas() > chain.max_fee_per_gas {
        let max = Amount::of_units(chain.max_fee_per_gas.into()).unwrap_or(Amount::ZERO);
        return Err(PaymentRefusal::FeeTooHigh { max });
    }
    let is_payable = payment.fee.max_per_gas() >= chain.min_fee_per_gas;
    require(is_payable, "the fee per gas is below the minimum")?;
    let venue = Venue::Evm(payment.chain_id);
    let native = asset(venue, NATIVE)?;
    let gas = Amount::of_units(payment.max_gas_cost());
    let gas = gas.and_then(|gas| gas.checked_add(chain.extra_fee));
    let gas = gas.ok_or_else(|| not_allowed("the gas costs too much"))?;
    if payment.is_cancellation() {
        let mut terms = Terms::new(None, native, Amount::ZERO, gas)?;
        terms.charges.iter_mut().for_each(|charge| charge.payments = 0);
        return Ok(terms);
    }
    let receiver = |asset| Receiver { venue, address: payment.destination, asset };
    match &payment.token {
        EvmToken::Native => Terms::new(Some(receiver(native.clone())), native, payment.amount, gas),
        EvmToken::Erc20 { symbol, contract, decimals } => {
            let listed = chain.tokens.iter().any(|rule| {
                rule.symbol == *symbol && rule.contract == *contract && rule.decimals == *decimals
            });
            require(listed, "this token is not allowed")?;
            let token = asset(venue, symbol)?;
            let receiver = receiver(token.clone());
            let mut terms = Terms::new(Some(receiver), token, payment.amount, Amount::ZERO)?;
            terms.charges.push(Charge { asset: native, amount: gas, payments: 0 });
            Ok(terms)
        }
    }
}
