//! The calls that move money, in every way.

use hyperdex_client::{
    AsterWithdrawal, Client, Elsewhere, Error, Exchange, HyperliquidTransfer,
    HyperliquidWithdrawal, PaymentTerms, PolicyApproval, TokenTransfer,
};
use serde_json::{Value, json};

use crate::{USER, data, guided};

const RECEIVER: &str = "0x5E9ee1089755c3435139848e47e6635505d5a13a";

fn terms() -> PaymentTerms {
    let signature = json!({ "der": "3006020101020101" });
    let approvals = vec![PolicyApproval { approver: "alice".to_owned(), signature }];
    PaymentTerms { dry_run: true, approvals }
}

/// Performs an operation that moves money in every way; `None` for another operation.
pub(crate) async fn perform(client: &Client, operation: &str) -> Option<Vec<Result<Value, Error>>> {
    let (aster, hyperliquid) = (Exchange::Aster, Exchange::Hyperliquid);
    let amount = || "1000.5".to_owned();
    let receiver = || RECEIVER.to_owned();
    Some(match operation {
        "withdrawFromHyperliquid" => {
            let (destination, amount) = (receiver(), amount());
            let some = HyperliquidWithdrawal { destination, amount, ..Default::default() };
            let (chain_id, account_type) = (Some(42_161), Some("spot".to_owned()));
            let all =
                HyperliquidWithdrawal { chain_id, account_type, terms: terms(), ..some.clone() };
            vec![
                client.withdraw_from_hyperliquid(USER, &some).await.map(data),
                client.withdraw_from_hyperliquid(USER, &all).await.map(data),
            ]
        }
        "withdrawFromAster" => {
            let (asset, amount) = ("USDT".to_owned(), amount());
            let some = AsterWithdrawal { chain_id: 56, asset, amount, ..Default::default() };
            let account_type = Some("perp".to_owned());
            let all = AsterWithdrawal { account_type, terms: terms(), ..some.clone() };
            vec![
                client.withdraw_from_aster(USER, &some).await.map(data),
                client.withdraw_from_aster(USER, &all).await.map(data),
            ]
        }
        "transferAtHyperliquid" => {
            let some = HyperliquidTransfer { amount: amount(), ..Default::default() };
            let all = HyperliquidTransfer {
                asset: Some("USDC".to_owned()),
                from: Some("perp".to_owned()),
                to: Some("spot".to_owned()),
                destination: Some(receiver()),
                terms: terms(),
                ..some.clone()
            };
            vec![
                client.transfer_at_hyperliquid(USER, &some).await.map(data),
                client.transfer_at_hyperliquid(USER, &all).await.map(data),
            ]
        }
        "sendTokens" => {
            let some = TokenTransfer {
                chain_id: 56,
                asset: "USDT".to_owned(),
                amount: amount(),
                destination: receiver(),
                ..TokenTransfer::default()
            };
            let all = TokenTransfer {
                gas_limit: Some(65_000),
                max_fee_per_gas: Some(3_000_000_000),
                max_priority_fee_per_gas: Some(1),
                account_nonce: Some(7),
                terms: terms(),
                ..some.clone()
            };
            vec![
                client.send_tokens(USER, &some).await.map(data),
                client.send_tokens(USER, &all).await.map(data),
            ]
        }
        "getAsterTransfer" => vec![client.transfer(&aster, USER, "p-1").await.map(data)],
        "getHyperliquidTransfer" => {
            vec![client.transfer(&hyperliquid, USER, "p-1").await.map(data)]
        }
        "getTokenTransfer" => vec![client.token_transfer(USER, "p-1").await.map(data)],
        "depositToAster" => vec![client.deposit(&aster).await.map(data)],
        "depositToHyperliquid" => vec![client.deposit(&hyperliquid).await.map(data)],
        "transferAtAster" => vec![client.transfer_at_aster().await.map(data)],
        "depositElsewhere" => guided(client, Elsewhere::Deposit).await,
        "withdrawElsewhere" => guided(client, Elsewhere::Withdraw).await,
        "transferElsewhere" => guided(client, Elsewhere::Transfer).await,
        "getElsewhereTransfer" => guided(client, Elsewhere::GetTransfer).await,
        _ => return None,
    })
}
