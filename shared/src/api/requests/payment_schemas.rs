//! The bodies of requests for payments, for the OpenAPI document.

use utoipa::ToSchema;

use crate::schema;

/// `POST /api/trading/aster/withdraw`.
#[derive(ToSchema, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WithdrawFromAster {
    /// The wallet, unless the header x-wallet-id, the query or another field names it.
    #[schema(value_type = Option<schema::AddressText>)]
    pub wallet_address: (),
    /// Another name of the wallet.
    #[schema(value_type = Option<schema::WalletName>)]
    pub wallet_id_or_address: (),
    /// The chain: 1, 56 or 42161.
    #[schema(value_type = u64, minimum = 1)]
    pub chain_id: (),
    /// The asset, such as USDT.
    #[schema(value_type = String, max_length = 20)]
    pub asset: (),
    /// Amount in units of the asset, with the fee.
    #[schema(value_type = String, max_length = 39)]
    pub amount: (),
    /// Must be walletAddress: Aster pays only to the account's own address.
    #[schema(value_type = Option<schema::AddressText>)]
    pub receiver: (),
    /// The account that pays: spot or perp. Absent: perp.
    #[schema(value_type = Option<String>)]
    pub account_type: (),
    /// Whether only the fee, the arrival and the policy's verdict are wanted. Nothing is signed.
    #[schema(value_type = Option<bool>)]
    pub dry_run: (),
    /// Signatures of approvers over the text of an earlier response APPROVAL_REQUIRED.
    #[schema(value_type = Option<Vec<Object>>, max_items = 16)]
    pub approvals: (),
}

/// `POST /api/trading/hyperliquid/withdraw`.
#[derive(ToSchema, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WithdrawFromHyperliquid {
    /// The wallet, unless the header x-wallet-id, the query or another field names it.
    #[schema(value_type = Option<schema::AddressText>)]
    pub wallet_address: (),
    /// Another name of the wallet.
    #[schema(value_type = Option<schema::WalletName>)]
    pub wallet_id_or_address: (),
    /// The receiver on the chain, which the tenant's policy must list.
    #[schema(value_type = schema::AddressText)]
    pub destination: (),
    /// USDC, before the fee.
    #[schema(value_type = String, max_length = 39)]
    pub amount: (),
    /// USDC if given.
    #[schema(value_type = Option<String>)]
    pub asset: (),
    /// The chain. Absent: Arbitrum, 42161; on the test network 421614.
    #[schema(value_type = Option<u64>, minimum = 1)]
    pub chain_id: (),
    /// The balance to take the money from: spot or perp. Absent: that of the account's mode.
    #[schema(value_type = Option<String>)]
    pub account_type: (),
    /// Whether only the fee, the arrival and the policy's verdict are wanted. Nothing is signed.
    #[schema(value_type = Option<bool>)]
    pub dry_run: (),
    /// Signatures of approvers over the text of an earlier response APPROVAL_REQUIRED.
    #[schema(value_type = Option<Vec<Object>>, max_items = 16)]
    pub approvals: (),
}

/// `POST /api/trading/hyperliquid/transfer`.
#[derive(ToSchema, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TransferAtHyperliquid {
    /// The wallet, unless the header x-wallet-id or the query names it.
    #[schema(value_type = Option<schema::WalletName>)]
    pub wallet_id_or_address: (),
    /// Amount of the asset.
    #[schema(value_type = String, max_length = 39)]
    pub amount: (),
    /// USDC, or a token as NAME:0x and its id. Absent: USDC.
    #[schema(value_type = Option<String>)]
    pub asset: (),
    /// The balance to take it from: perp, spot, or the name of a DEX.
    #[schema(value_type = Option<String>)]
    pub from: (),
    /// The balance to add it to: perp, spot, or the name of a DEX.
    #[schema(value_type = Option<String>)]
    pub to: (),
    /// Another account, which the tenant's policy must list. Absent: the wallet's own.
    #[schema(value_type = Option<schema::AddressText>)]
    pub destination: (),
    /// Whether only the fee, the arrival and the policy's verdict are wanted. Nothing is signed.
    #[schema(value_type = Option<bool>)]
    pub dry_run: (),
    /// Signatures of approvers over the text of an earlier response APPROVAL_REQUIRED.
    #[schema(value_type = Option<Vec<Object>>, max_items = 16)]
    pub approvals: (),
}

/// `POST /api/wallets/{walletIdOrAddress}/transfers`.
#[derive(ToSchema, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SendTokens {
    /// The chain.
    #[schema(value_type = u64, minimum = 1)]
    pub chain_id: (),
    /// A token's symbol, such as USDT, or native.
    #[schema(value_type = String, max_length = 20)]
    pub asset: (),
    /// Amount of the asset.
    #[schema(value_type = String, max_length = 39)]
    pub amount: (),
    /// The receiver, which the tenant's policy must list.
    #[schema(value_type = schema::AddressText)]
    pub destination: (),
    /// Maximum gas. Absent: estimated by the chain's node.
    #[schema(value_type = Option<u64>, minimum = 21_000)]
    pub gas_limit: (),
    /// Maximum price of a unit of gas, in wei. Absent: from the chain's node.
    #[schema(value_type = Option<u64>)]
    pub max_fee_per_gas: (),
    /// Maximum tip for a unit of gas, in wei. Absent: from the chain's node.
    #[schema(value_type = Option<u64>)]
    pub max_priority_fee_per_gas: (),
    /// The account's nonce. Absent: from the chain's node.
    #[schema(value_type = Option<u64>)]
    pub account_nonce: (),
    /// Whether only the fee, the arrival and the policy's verdict are wanted. Nothing is signed.
    #[schema(value_type = Option<bool>)]
    pub dry_run: (),
    /// Signatures of approvers over the text of an earlier response APPROVAL_REQUIRED.
    #[schema(value_type = Option<Vec<Object>>, max_items = 16)]
    pub approvals: (),
}
