//! Requests for payments.

use domain::eth::{Address, ReceiverError};
use domain::money::{AccountType, Dex, HyperliquidToken};
use domain::policy::{Amount, Approval};
use http::{HeaderMap, Uri};

use super::payment_schemas::{
    SendTokens, TransferAtHyperliquid, WithdrawFromAster, WithdrawFromHyperliquid,
};
use super::policy_chain::checked;
use crate::api::body::JsonBody;
use crate::api::error::ApiError;
use crate::api::wallet_names::WalletNames;
use crate::money::{
    EvmTransfer, Gas, HyperliquidMove, PaymentRequest, Wanted, WithdrawAster, WithdrawHyperliquid,
};

/// Maximum number of approvals in a request.
const MAX_APPROVALS: usize = 16;

/// Maximum gas that a request can name.
const MAX_GAS: u64 = 30_000_000;

/// A request for a payment with the names of its wallet.
#[derive(Debug)]
pub struct PayRequest {
    /// The wallet.
    pub names: WalletNames,
    /// The payment.
    pub request: PaymentRequest,
}

impl PayRequest {
    /// Parses and checks a withdrawal from Aster.
    ///
    /// # Errors
    /// 400, naming the field, the parameter or the header.
    pub fn withdraw_aster(
        (headers, uri, body): (&HeaderMap, &Uri, &JsonBody),
        key: Option<&str>,
    ) -> Result<Self, ApiError> {
        body.only::<WithdrawFromAster>()?;
        let names = names(headers, uri, body)?;
        let wallet = perhaps_address(body, "walletAddress")?;
        let receiver = perhaps_address(body, "receiver")?;
        if let (Some(wallet), Some(receiver)) = (wallet, receiver)
            && wallet != receiver
        {
            return Err(ApiError::bad_request("receiver must be walletAddress")
                .advise("Aster pays only to the account's own address."));
        }
        let wanted = Wanted::WithdrawAster(WithdrawAster {
            receiver,
            chain_id: required_number(body, "chainId")?,
            asset: asset(body)?.ok_or_else(|| ApiError::missing("asset"))?,
            amount: amount(body)?,
            account_type: account_type(body)?.unwrap_or(AccountType::Perp),
        });
        Self::of(names, wanted, body, key)
    }

    /// Parses and checks a withdrawal from Hyperliquid.
    ///
    /// # Errors
    /// As [`PayRequest::withdraw_aster`].
    pub fn withdraw_hyperliquid(
        (headers, uri, body): (&HeaderMap, &Uri, &JsonBody),
        key: Option<&str>,
        default_chain: u64,
    ) -> Result<Self, ApiError> {
        body.only::<WithdrawFromHyperliquid>()?;
        let names = names(headers, uri, body)?;
        if asset(body)?.is_some_and(|asset| asset != "USDC") {
            return Err(ApiError::bad_request("asset must be USDC"));
        }
        let chain_id = body.number("chainId", 1..=u64::MAX)?;
        let wanted = Wanted::WithdrawHyperliquid(WithdrawHyperliquid {
            destination: address(body, "destination")?,
            amount: amount(body)?,
            chain_id: chain_id.unwrap_or(default_chain),
            source: account_type(body)?,
        });
        Self::of(names, wanted, body, key)
    }

    /// Parses and checks a transfer at Hyperliquid.
    ///
    /// # Errors
    /// As [`PayRequest::withdraw_aster`].
    pub fn transfer_hyperliquid(
        (headers, uri, body): (&HeaderMap, &Uri, &JsonBody),
        key: Option<&str>,
    ) -> Result<Self, ApiError> {
        body.only::<TransferAtHyperliquid>()?;
        let names = names(headers, uri, body)?;
        let wanted = Wanted::MoveHyperliquid(HyperliquidMove {
            destination: perhaps_address(body, "destination")?,
            token: token(body)?,
            amount: amount(body)?,
            from: dex(body, "from")?,
            to: dex(body, "to")?,
        });
        Self::of(names, wanted, body, key)
    }

    /// Parses and checks a transfer on a chain.
    ///
    /// # Errors
    /// As [`PayRequest::withdraw_aster`].
    pub fn send_tokens(
        wallet: &str,
        (headers, uri, body): (&HeaderMap, &Uri, &JsonBody),
        key: Option<&str>,
    ) -> Result<Self, ApiError> {
        body.only_with_wallet::<SendTokens>()?;
        let names = WalletNames::of_request(Some(wallet), headers, uri, Some(body))?;
        let any = 0..=u64::MAX;
        let wanted = Wanted::Transfer(EvmTransfer {
            chain_id: required_number(body, "chainId")?,
            asset: asset(body)?.ok_or_else(|| ApiError::missing("asset"))?,
            destination: address(body, "destination")?,
            amount: amount(body)?,
            gas: Gas {
                limit: body.number("gasLimit", 21_000..=MAX_GAS)?,
                max_fee: body.number("maxFeePerGas", any.clone())?,
                max_priority_fee: body.number("maxPriorityFeePerGas", any.clone())?,
                account_nonce: body.number("accountNonce", any)?,
            },
        });
        Self::of(names, wanted, body, key)
    }

    fn of(
        names: WalletNames,
        wanted: Wanted,
        body: &JsonBody,
        key: Option<&str>,
    ) -> Result<Self, ApiError> {
        let request = PaymentRequest {
            wanted,
            approvals: approvals(body)?,
            key: key.map(str::to_owned),
            dry_run: body.flag("dryRun", false)?,
        };
        Ok(Self { names, request })
    }
}

/// Returns the wallet's names, of which the body may have `walletAddress` as well.
fn names(headers: &HeaderMap, uri: &Uri, body: &JsonBody) -> Result<WalletNames, ApiError> {
    const FIELD: &str = "walletAddress";
    let Some(text) = body.optional(FIELD)?.filter(|text| !text.is_empty()) else {
        return WalletNames::in_request(headers, uri, Some(body));
    };
    // Anything but an address is refused, also another name of a wallet.
    perhaps_address(body, FIELD)?;
    let own = WalletNames::in_path(text)?;
    own.and_in_header(headers)?.and_in_query(uri)?.and_in_body(body)
}

fn perhaps_address(body: &JsonBody, field: &str) -> Result<Option<Address>, ApiError> {
    let wrong = |error| {
        let expected = match error {
            ReceiverError::Form => "must be an address: 0x and 40 hex digits",
            ReceiverError::Checksum => {
                "has a wrong EIP-55 checksum; compare the address, or write it in lower case"
            }
        };
        ApiError::bad_request(format!("{field} {expected}"))
    };
    let text = body.optional(field)?.filter(|text| !text.is_empty());
    text.map(|text| Address::parse_receiver(text).map_err(wrong)).transpose()
}

fn address(body: &JsonBody, field: &str) -> Result<Address, ApiError> {
    body.required(field)?;
    perhaps_address(body, field)?.ok_or_else(|| ApiError::missing(field))
}

/// Amounts are signed as texts, so only the one canonical text of a number is accepted.
fn amount(body: &JsonBody) -> Result<Amount, ApiError> {
    let wrong = |_| {
        ApiError::bad_request(
            "amount must be a decimal number such as 12.5, without sign, exponent or trailing zeros",
        )
    };
    body.required("amount")?.parse().map_err(wrong)
}

fn required_number(body: &JsonBody, field: &str) -> Result<u64, ApiError> {
    body.number(field, 1..=u64::MAX)?.ok_or_else(|| ApiError::missing(field))
}

fn asset(body: &JsonBody) -> Result<Option<String>, ApiError> {
    let Some(text) = body.optional("asset")?.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let fits = text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if fits {
        return Ok(Some(text.to_owned()));
    }
    Err(ApiError::bad_request("asset must be 1 to 20 letters and digits"))
}

fn token(body: &JsonBody) -> Result<Option<HyperliquidToken>, ApiError> {
    let wrong =
        |_| ApiError::bad_request("asset must be USDC, or NAME:0x and 32 lower-case hex digits");
    match body.optional("asset")? {
        None | Some("" | "USDC") => Ok(None),
        Some(text) => HyperliquidToken::try_from(text.to_owned()).map(Some).map_err(wrong),
    }
}

fn dex(body: &JsonBody, field: &str) -> Result<Option<Dex>, ApiError> {
    let wrong =
        |_| ApiError::bad_request(format!("{field} must be perp, spot or the name of a DEX"));
    match body.optional(field)? {
        None | Some("") => Ok(None),
        Some("perp") => Ok(Some(Dex::perps())),
        Some(text) => Dex::try_from(text.to_owned()).map(Some).map_err(wrong),
    }
}

fn account_type(body: &JsonBody) -> Result<Option<AccountType>, ApiError> {
    match body.optional("accountType")? {
        None | Some("") => Ok(None),
        Some("spot") => Ok(Some(AccountType::Spot)),
        Some("perp") => Ok(Some(AccountType::Perp)),
        Some(_) => Err(ApiError::bad_request("accountType must be spot or perp")),
    }
}

fn approvals(body: &JsonBody) -> Result<Vec<Approval>, ApiError> {
    let wrong = || {
        ApiError::bad_request(format!(
            "approvals must be a list of at most {MAX_APPROVALS} objects with approver and signature"
        ))
    };
    let Some(value) = body.value("approvals") else { return Ok(Vec::new()) };
    let approvals: Vec<Approval> = serde_json::from_value(value.clone()).map_err(|_| wrong())?;
    if approvals.len() > MAX_APPROVALS {
        return Err(wrong());
    }
    approvals.into_iter().map(|approval| checked(approval, "approvals")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const WALLET: &str = "0x07943f0f79097572451601e768c329a2765f2ea2";

    fn body(value: &Value) -> JsonBody {
        JsonBody::parse(&HeaderMap::new(), value.to_string().as_bytes()).unwrap()
    }

    fn aster(value: &Value) -> Result<PayRequest, ApiError> {
        let parts = (&HeaderMap::new(), &Uri::default(), &body(value));
        PayRequest::withdraw_aster(parts, Some("k"))
    }

    fn published() -> Value {
        json!({ "walletAddress": WALLET, "chainId": 56, "asset": "USDT", "amount": "50",
            "broker": 1000, "receiver": WALLET, "accountType": "perp" })
    }

    fn changed(field: &str, value: Value) -> Value {
        let mut body = published();
        body[field] = value;
        body
    }

    #[test]
    fn published_withdrawal_body_is_accepted() {
        let PayRequest { request, .. } = aster(&published()).unwrap();
        let Wanted::WithdrawAster(wanted) = request.wanted else { panic!() };
        assert_eq!((wanted.chain_id, wanted.asset.as_str()), (56, "USDT"));
        assert_eq!(wanted.amount.to_string(), "50");
        assert_eq!(wanted.account_type, AccountType::Perp);
        assert!(!request.dry_run && request.approvals.is_empty());
    }

    #[test]
    fn receiver_other_than_the_wallet_is_refused() {
        let other = "0x00000000000000000000000000000000000000aa";
        let error = aster(&changed("receiver", json!(other))).unwrap_err();
        assert_eq!((error.status, error.error.as_ref()), (400, "receiver must be walletAddress"));
        // Another letter case is the same address.
        let upper = format!("0x{}", WALLET[2..].to_uppercase());
        assert!(aster(&changed("receiver", json!(upper))).is_ok());
    }

    #[test]
    fn amount_in_another_form_is_refused() {
        for amount in [
            json!("50.0"),
            json!("1e2"),
            json!("-5"),
            json!("+5"),
            json!(" 5"),
            json!("05"),
            json!("5 subaccount:0x07943f0f79097572451601e768c329a2765f2ea2"),
            json!(50),
            json!(""),
            json!(null),
        ] {
            let error = aster(&changed("amount", amount.clone())).unwrap_err();
            assert_eq!(error.status, 400, "{amount}");
        }
    }

    #[test]
    fn invalid_field_is_named() {
        for (field, value) in [
            ("walletAddress", json!("user_123")),
            ("chainId", json!("56")),
            ("chainId", json!(0)),
            ("asset", json!("US DT")),
            ("accountType", json!("futures")),
            ("dryRun", json!("yes")),
            ("approvals", json!({})),
        ] {
            let error = aster(&changed(field, value.clone())).unwrap_err();
            assert!(error.status == 400 && error.error.contains(field), "{field} {value}");
        }
        assert!(aster(&changed("fee", json!("0"))).is_err(), "a fee is not the caller's to name");
    }

    #[test]
    fn transfer_names_balances_and_approvals() {
        let value = json!({ "walletIdOrAddress": WALLET, "amount": "5", "from": "perp", "to": "spot",
            "approvals": [{ "approver": "a", "signature": { "der": "00" } }] });
        let parts = (&HeaderMap::new(), &Uri::default(), &body(&value));
        let PayRequest { request, .. } = PayRequest::transfer_hyperliquid(parts, None).unwrap();
        let Wanted::MoveHyperliquid(wanted) = request.wanted else { panic!() };
        assert_eq!((wanted.from, wanted.to), (Some(Dex::perps()), Some(Dex::spot())));
        assert_eq!(request.approvals.len(), 1);
        for (approver, der, named) in
            [("Alice", "00".to_owned(), "approver"), ("a", "0".repeat(5_000), "approvals")]
        {
            let mut value = value.clone();
            value["approvals"] = json!([{ "approver": approver, "signature": { "der": der } }]);
            let parts = (&HeaderMap::new(), &Uri::default(), &body(&value));
            let error = PayRequest::transfer_hyperliquid(parts, None).unwrap_err();
            assert!(error.status == 400 && error.error.contains(named), "{approver}");
        }
    }
}
