//! Requests for trading policies.

use domain::builder::BuilderFee;
use domain::eth::Address;
use http::{HeaderMap, Uri};
use utoipa::ToSchema;

use crate::api::body::JsonBody;
use crate::api::error::ApiError;
use crate::api::wallet_names::WalletNames;
use crate::schema;
use crate::trading::decimal::Decimal;
use crate::trading::order::SymbolText;
use crate::trading::policy::PolicyFields;

/// Maximum number of markets in a policy.
const MAX_SYMBOLS: usize = 100;

/// Maximum leverage that a policy can state.
const MAX_LEVERAGE: u64 = 1_000;

/// Maximum number of orders in a minute that a policy can state.
const MAX_ORDERS_PER_MINUTE: u64 = 100_000;

/// Maximum number of builders in a policy. Hyperliquid allows ten for each account.
const MAX_BUILDERS: usize = 10;

/// `PUT /api/trading/policy`. It replaces the whole policy: a missing field of a wallet's override
/// has the tenant's value, and a missing field of the tenant's has the default. A wallet's field
/// applies if it is tighter than the tenant's.
#[derive(ToSchema, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetTradingPolicy {
    /// The wallet whose override changes, unless the header x-wallet-id or the query names it.
    /// Absent everywhere: the tenant's policy changes.
    #[schema(value_type = Option<schema::WalletName>)]
    pub wallet_id_or_address: Option<WalletNames>,
    /// The markets that may be traded, by the exchange's names. Absent: all.
    #[schema(value_type = Option<Vec<schema::SymbolName>>, max_items = 100)]
    pub symbols: Option<Vec<String>>,
    /// Maximum notional of an order, in dollars. Default: 1000000.
    #[schema(value_type = Option<schema::DecimalText>)]
    pub max_order_notional: Option<Decimal>,
    /// Maximum notional of a position with the orders that can add to it, in dollars. Absent: no
    /// limit.
    #[schema(value_type = Option<schema::DecimalText>)]
    pub max_position_notional: Option<Decimal>,
    /// Maximum leverage. Absent: no limit.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    pub max_leverage: Option<u32>,
    /// Maximum number of orders in a minute, with attached ones. 0 stops trading. Default: 300.
    #[schema(value_type = Option<u32>, minimum = 0, maximum = 100_000)]
    pub orders_per_minute: Option<u32>,
    /// Whether orders may only reduce positions. Default: false.
    #[schema(value_type = Option<bool>)]
    pub reduce_only: Option<bool>,
    /// Maximum slippage of a market order, also of one that waits for a trigger, as a fraction.
    /// Default: 0.1.
    #[schema(value_type = Option<schema::DecimalText>)]
    pub max_slippage: Option<Decimal>,
    /// The builders that orders may carry. An empty list allows none. Absent: the deployment's.
    #[schema(value_type = Option<Vec<schema::AddressText>>, max_items = 10)]
    pub builders: Option<Vec<Address>>,
    /// Maximum fee of a builder, in tenths of a basis point: 50 is 0.05 %. 0 allows no builder.
    /// Absent: the deployment's fee.
    #[schema(value_type = Option<u16>, minimum = 0, maximum = 100)]
    pub max_builder_fee: Option<u16>,
}

impl SetTradingPolicy {
    /// Parses and checks a request.
    ///
    /// # Errors
    /// 400, naming the field, the parameter or the header.
    pub fn read(headers: &HeaderMap, uri: &Uri, body: &JsonBody) -> Result<Self, ApiError> {
        body.only::<Self>()?;
        Ok(Self {
            wallet_id_or_address: WalletNames::perhaps_in_request(headers, uri, Some(body))?,
            symbols: body.texts("symbols")?.map(|texts| symbols(&texts)).transpose()?,
            max_order_notional: decimal(body, "maxOrderNotional")?,
            max_position_notional: decimal(body, "maxPositionNotional")?,
            max_leverage: count(body, "maxLeverage", 1, MAX_LEVERAGE)?,
            orders_per_minute: count(body, "ordersPerMinute", 0, MAX_ORDERS_PER_MINUTE)?,
            reduce_only: body.optional_flag("reduceOnly")?,
            max_slippage: slippage(body)?,
            builders: body.texts("builders")?.map(|texts| builders(&texts)).transpose()?,
            max_builder_fee: builder_fee(body)?,
        })
    }

    /// Returns the wallet's names and the fields of the policy.
    #[must_use]
    pub fn fields(self) -> (Option<WalletNames>, PolicyFields) {
        let Self {
            wallet_id_or_address,
            symbols,
            max_order_notional,
            max_position_notional,
            max_leverage,
            orders_per_minute,
            reduce_only,
            max_slippage,
            builders,
            max_builder_fee,
        } = self;
        let fields = PolicyFields {
            symbols,
            max_order_notional,
            max_position_notional,
            max_leverage,
            orders_per_minute,
            reduce_only,
            max_slippage,
            builders,
            max_builder_fee,
        };
        (wallet_id_or_address, fields)
    }
}

fn symbols(texts: &[&str]) -> Result<Vec<String>, ApiError> {
    if texts.len() > MAX_SYMBOLS {
        let error = format!("symbols must have at most {MAX_SYMBOLS} entries");
        return Err(ApiError::bad_request(error));
    }
    let symbol = |text: &&str| match text.parse::<SymbolText>() {
        Ok(symbol) => Ok(String::from(symbol)),
        Err(_) => Err(ApiError::bad_request(
            "symbols must have entries of 1 to 40 characters, without spaces and control characters",
        )),
    };
    texts.iter().map(symbol).collect()
}

fn builders(texts: &[&str]) -> Result<Vec<Address>, ApiError> {
    if texts.len() > MAX_BUILDERS {
        let error = format!("builders must have at most {MAX_BUILDERS} entries");
        return Err(ApiError::bad_request(error));
    }
    let address = |text: &&str| match text.parse() {
        Ok(address) => Ok(address),
        Err(_) => Err(ApiError::bad_request("builders must have addresses: 0x and 40 hex digits")),
    };
    texts.iter().map(address).collect()
}

fn builder_fee(body: &JsonBody) -> Result<Option<u16>, ApiError> {
    let number = body.number("maxBuilderFee", 0..=BuilderFee::MAX.into())?;
    Ok(number.and_then(|number| u16::try_from(number).ok()))
}

fn decimal(body: &JsonBody, field: &str) -> Result<Option<Decimal>, ApiError> {
    let wrong = |_| {
        ApiError::bad_request(format!(
            "{field} must be a decimal number of at most 15 digits before and 12 after the point, \
             without a sign or an exponent"
        ))
    };
    body.optional(field)?.map(|text| text.parse().map_err(wrong)).transpose()
}

fn slippage(body: &JsonBody) -> Result<Option<Decimal>, ApiError> {
    match decimal(body, "maxSlippage")? {
        Some(slippage) if slippage >= Decimal::ONE => {
            Err(ApiError::bad_request("maxSlippage must be below 1; 0.01 is 1 percent"))
        }
        slippage => Ok(slippage),
    }
}

fn count(body: &JsonBody, field: &str, least: u64, most: u64) -> Result<Option<u32>, ApiError> {
    let number = body.number(field, least..=most)?;
    Ok(number.and_then(|number| u32::try_from(number).ok()))
}
