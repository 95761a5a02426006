//! Payments of the tests.

use domain::money::{
    AccountType, AsterWithdraw, Dex, EvmFee, EvmToken, EvmTokenTransfer, HyperliquidMoveOwn,
    HyperliquidSendAsset, HyperliquidWithdraw, Payment, Route,
};
use protocol::PaymentOrder;

use crate::stack::{TREASURY, USDC};

pub(crate) fn order(id: &str, payment: Payment) -> PaymentOrder {
    let id = id.parse().unwrap();
    PaymentOrder { id, payment, approvals: Vec::new(), not_after_s: 0 }
}

pub(crate) fn withdraw(amount: &str) -> Payment {
    Payment::HyperliquidWithdraw(HyperliquidWithdraw {
        destination: TREASURY.parse().unwrap(),
        amount: amount.parse().unwrap(),
        route: Route::Bridge,
        max_fee: "1".parse().unwrap(),
    })
}

pub(crate) fn send(amount: &str) -> HyperliquidSendAsset {
    HyperliquidSendAsset {
        destination: TREASURY.parse().unwrap(),
        token: USDC.to_owned().try_into().unwrap(),
        amount: amount.parse().unwrap(),
        source: Dex::spot(),
        target: Dex::spot(),
        standard: false,
    }
}

pub(crate) fn move_own(amount: &str) -> Payment {
    Payment::HyperliquidMoveOwn(HyperliquidMoveOwn {
        token: USDC.to_owned().try_into().unwrap(),
        amount: amount.parse().unwrap(),
        from: Dex::perps(),
        to: Dex::spot(),
        standard: true,
    })
}

pub(crate) fn aster(amount: &str, fee: &str) -> Payment {
    Payment::AsterWithdraw(AsterWithdraw {
        chain_id: 56,
        asset: "USDT".to_owned(),
        amount: amount.parse().unwrap(),
        fee: fee.parse().unwrap(),
        account_type: AccountType::Perp,
    })
}

pub(crate) fn transfer(amount: &str, account_nonce: u64) -> EvmTokenTransfer {
    EvmTokenTransfer {
        chain_id: 42_161,
        token: EvmToken::Erc20 {
            symbol: "USDC".to_owned(),
            contract: "0xaf88d065e77c8cc2239327c5edb3a432268e5831".parse().unwrap(),
            decimals: 6,
        },
        destination: TREASURY.parse().unwrap(),
        amount: amount.parse().unwrap(),
        gas_limit: 200_000,
        fee: EvmFee::Dynamic { max_fee_per_gas: 100_000_000, max_priority_fee_per_gas: 0 },
        account_nonce,
    }
}
