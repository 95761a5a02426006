//! The calls that move money.

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::send::Call;
use crate::{Answer, Client, Error, Exchange, PolicyApproval};

/// A payment in its present state.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    /// The payment's id.
    pub transfer_id: String,
    /// `ACCEPTED`, `SIGNED`, `SENT`, `COMPLETED`, `REFUSED` or `UNKNOWN`.
    pub state: String,
    /// The kind of payment, as the cosigner's policy names it.
    pub kind: String,
    /// `hyperliquid`, `aster`, or `evm:` and the chain's id.
    pub venue: String,
    /// The wallet.
    pub wallet_id: Uuid,
    /// The paying address.
    pub from: String,
    /// The receiver.
    pub receiver: String,
    /// The asset.
    pub asset: String,
    /// The amount in units of the asset.
    pub amount: String,
    /// The fee that was taken, otherwise the expected one.
    pub fee: String,
    /// The asset of the fee.
    pub fee_asset: String,
    /// The chain on which the money arrives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain_id: Option<u64>,
    /// The nonce of the signed bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<u64>,
    /// The exchange's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdraw_id: Option<String>,
    /// The hash of the transaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// The signed transaction, until it is in a block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_transaction: Option<String>,
    /// Why the payment was refused, or a chain's node does not take it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<PaymentRefusal>,
    /// When it was requested, Unix milliseconds.
    pub created_at: u64,
    /// When its state last changed, Unix milliseconds.
    pub updated_at: u64,
}

/// Why a payment was not made.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PaymentRefusal {
    /// The code.
    pub code: String,
    /// The exchange's or the node's own text.
    pub message: String,
}

/// A payment with its costs. Nothing was signed.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentQuote {
    /// Always true.
    pub dry_run: bool,
    /// The kind of payment, as the cosigner's policy names it.
    pub kind: String,
    /// `hyperliquid`, `aster`, or `evm:` and the chain's id.
    pub venue: String,
    /// The wallet.
    pub wallet_id: Uuid,
    /// The paying address.
    pub from: String,
    /// The receiver.
    pub receiver: String,
    /// The asset.
    pub asset: String,
    /// The amount in units of the asset.
    pub amount: String,
    /// The fee with the activation; of a transaction, the most that its gas costs.
    pub fee: String,
    /// The asset of the fee.
    pub fee_asset: String,
    /// The part of the fee that activates an account.
    pub activation_fee: String,
    /// The amount that arrives.
    pub receives: String,
    /// The chain on which the money arrives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain_id: Option<u64>,
    /// `bridge`, `cctp`, `sendAsset`, `aster`, `erc20` or `native`.
    pub route: String,
    /// When the money usually arrives.
    pub arrival: PaymentArrival,
    /// What the cosigner's policy says at present.
    pub policy: PaymentVerdict,
}

/// When money usually arrives, in seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentArrival {
    /// At the earliest.
    pub min_seconds: u64,
    /// Usually at the latest.
    pub max_seconds: u64,
}

/// What the cosigner's policy says about a payment.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PaymentVerdict {
    /// Whether the payment would be signed now.
    pub allowed: bool,
    /// Why it would not be signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The facts of the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The amounts that would count against the limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charges: Option<Vec<Value>>,
}

/// The response to a payment.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Paid {
    /// The payment with its costs. Nothing was signed.
    Quote(Box<PaymentQuote>),
    /// The payment.
    Payment(Box<Payment>),
}

/// What every payment may state.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentTerms {
    /// Whether only the costs are wanted. Nothing is signed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// Signatures over the text of an earlier response
    /// [`Code::ApprovalRequired`](crate::Code::ApprovalRequired). With
    /// [`Code::ApprovalInvalid`](crate::Code::ApprovalInvalid), `data.rejected` of the response lists
    /// those that do not count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<PolicyApproval>,
}

/// A withdrawal of USDC from Hyperliquid.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HyperliquidWithdrawal {
    /// The receiver on the chain.
    pub destination: String,
    /// USDC, before the fee.
    pub amount: String,
    /// The chain; Arbitrum when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain_id: Option<u64>,
    /// `spot` or `perp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_type: Option<String>,
    /// The terms.
    #[serde(flatten)]
    pub terms: PaymentTerms,
}

/// A withdrawal from Aster to the wallet's own address on a chain.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AsterWithdrawal {
    /// The chain.
    pub chain_id: u64,
    /// The asset.
    pub asset: String,
    /// The amount with the fee.
    pub amount: String,
    /// `spot` or `perp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_type: Option<String>,
    /// The terms.
    #[serde(flatten)]
    pub terms: PaymentTerms,
}

/// A transfer at Hyperliquid: between the wallet's own balances, or to another account.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HyperliquidTransfer {
    /// The amount.
    pub amount: String,
    /// A token as `NAME:0x` and its id; USDC when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asset: Option<String>,
    /// `perp`, `spot`, or the name of a DEX.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// `perp`, `spot`, or the name of a DEX.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Another account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// The terms.
    #[serde(flatten)]
    pub terms: PaymentTerms,
}

/// A transfer of a token or of the native coin on a chain.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenTransfer {
    /// The chain.
    pub chain_id: u64,
    /// A token's symbol, or `native`.
    pub asset: String,
    /// The amount.
    pub amount: String,
    /// The receiver.
    pub destination: String,
    /// Maximum gas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gas_limit: Option<u64>,
    /// Maximum price of a unit of gas, in wei.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_fee_per_gas: Option<u64>,
    /// Maximum tip for a unit of gas, in wei.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_priority_fee_per_gas: Option<u64>,
    /// The account's nonce.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_nonce: Option<u64>,
    /// The terms.
    #[serde(flatten)]
    pub terms: PaymentTerms,
}

impl Client {
    /// Withdraws USDC from Hyperliquid. `POST /api/trading/hyperliquid/withdraw`.
    ///
    /// # Errors
    /// Fails when the service does not return success;
    /// [`Code::PolicyRefused`](crate::Code::PolicyRefused).
    pub async fn withdraw_from_hyperliquid(
        &self,
        wallet: &str,
        withdrawal: &HyperliquidWithdrawal,
    ) -> Result<Answer<Paid>, Error> {
        let path = ["api", "trading", "hyperliquid", "withdraw"];
        self.pay(&path, &[("walletIdOrAddress", wallet)], withdrawal).await
    }

    /// Withdraws from Aster. `POST /api/trading/aster/withdraw`.
    ///
    /// # Errors
    /// Fails when the service does not return success;
    /// [`Code::PolicyRefused`](crate::Code::PolicyRefused).
    pub async fn withdraw_from_aster(
        &self,
        wallet: &str,
        withdrawal: &AsterWithdrawal,
    ) -> Result<Answer<Paid>, Error> {
        let path = ["api", "trading", "aster", "withdraw"];
        self.pay(&path, &[("walletIdOrAddress", wallet)], withdrawal).await
    }

    /// Moves money at Hyperliquid. `POST /api/trading/hyperliquid/transfer`.
    ///
    /// # Errors
    /// Fails when the service does not return success;
    /// [`Code::PolicyRefused`](crate::Code::PolicyRefused).
    pub async fn transfer_at_hyperliquid(
        &self,
        wallet: &str,
        transfer: &HyperliquidTransfer,
    ) -> Result<Answer<Paid>, Error> {
        let path = ["api", "trading", "hyperliquid", "transfer"];
        self.pay(&path, &[("walletIdOrAddress", wallet)], transfer).await
    }

    /// Sends a token on a chain. `POST /api/wallets/{walletIdOrAddress}/transfers`.
    ///
    /// # Errors
    /// Fails when the service does not return success;
    /// [`Code::PolicyRefused`](crate::Code::PolicyRefused).
    pub async fn send_tokens(
        &self,
        wallet: &str,
        transfer: &TokenTransfer,
    ) -> Result<Answer<Paid>, Error> {
        self.pay(&["api", "wallets", wallet, "transfers"], &[], transfer).await
    }

    async fn pay(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        body: &impl Serialize,
    ) -> Result<Answer<Paid>, Error> {
        self.data(Call { query, ..Call::post(path, body) }).await
    }

    /// Returns a payment at an exchange. `GET /api/trading/{exchange}/transfers/{transferId}`.
    ///
    /// # Errors
    /// Fails when the service does not return success;
    /// [`Code::TransferNotFound`](crate::Code::TransferNotFound).
    pub async fn transfer(
        &self,
        exchange: &Exchange,
        wallet: &str,
        transfer_id: &str,
    ) -> Result<Answer<Payment>, Error> {
        let path = ["api", "trading", exchange.as_str(), "transfers", transfer_id];
        self.data(Call::get(&path, &[("walletIdOrAddress", wallet)])).await
    }

    /// Returns a transfer on a chain. `GET
    /// /api/wallets/{walletIdOrAddress}/transfers/{transferId}`.
    ///
    /// # Errors
    /// Fails when the service does not return success;
    /// [`Code::TransferNotFound`](crate::Code::TransferNotFound).
    pub async fn token_transfer(
        &self,
        wallet: &str,
        transfer_id: &str,
    ) -> Result<Answer<Payment>, Error> {
        self.data(Call::get(&["api", "wallets", wallet, "transfers", transfer_id], &[])).await
    }

    /// Fails with [`Code::NotOffered`](crate::Code::NotOffered); `data` states where to send money, and
    /// what a mistake loses. `POST /api/trading/{exchange}/deposit`.
    ///
    /// # Errors
    /// Always.
    pub async fn deposit(&self, exchange: &Exchange) -> Result<Answer<Value>, Error> {
        let path = ["api", "trading", exchange.as_str(), "deposit"];
        self.data(Call { method: Method::POST, ..Call::get(&path, &[]) }).await
    }

    /// Fails with [`Code::NotOffered`](crate::Code::NotOffered). `POST /api/trading/aster/transfer`.
    ///
    /// # Errors
    /// Always.
    pub async fn transfer_at_aster(&self) -> Result<Answer<Value>, Error> {
        let path = ["api", "trading", "aster", "transfer"];
        self.data(Call { method: Method::POST, ..Call::get(&path, &[]) }).await
    }
}
