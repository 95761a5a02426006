//! Requests about positions, leverage and executions.

use domain::ids::Exchange;
use http::{HeaderMap, Uri};
use utoipa::ToSchema;

use super::orders::{symbol, symbol_in_query};
use crate::api::body::{JsonBody, bad_id};
use crate::api::error::ApiError;
use crate::api::wallet_names::{WalletNames, queried};
use crate::exchanges::account::{LeverageChange, MarginMode};
use crate::orders::{AllToClose, PositionToClose};
use crate::schema;
use crate::trading::order::{CloseFields, SymbolText};

/// The oldest executions of a request without `from`, in milliseconds before the present.
const FILLS_MS: u64 = 7 * 24 * 60 * 60 * 1_000;

/// The highest leverage that a request may have. The exchange's own limit is lower.
const MAX_LEVERAGE: u64 = 1_000;

/// The body of `POST /api/trading/{exchange}/positions/close`.
#[derive(ToSchema, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClosePosition {
    /// The wallet, unless the header x-wallet-id or the query names it.
    #[schema(value_type = Option<schema::WalletName>)]
    pub wallet_id_or_address: (),
    /// The market. Required, unless all is true.
    #[schema(value_type = Option<schema::SymbolName>)]
    pub symbol: (),
    /// Whether to close all positions at the market's price. Only clientOrderId and slippage may be
    /// given with it.
    #[schema(value_type = Option<bool>)]
    pub all: (),
    /// The part to close. Absent: the whole position.
    #[schema(value_type = Option<schema::DecimalText>)]
    pub quantity: (),
    /// MARKET or LIMIT. Absent: MARKET.
    #[schema(value_type = Option<schema::OrderTypeName>, rename = "type")]
    pub order_type: (),
    /// The limit, for LIMIT.
    #[schema(value_type = Option<schema::DecimalText>)]
    pub price: (),
    /// For LIMIT. Absent: GTC.
    #[schema(value_type = Option<schema::TimeInForceName>)]
    pub time_in_force: (),
    /// The opposite of the position. Absent: it follows from the position.
    #[schema(value_type = Option<schema::OrderSideName>)]
    pub side: (),
    /// The position in hedge mode. Required if the market has a long and a short one.
    #[schema(value_type = Option<schema::PositionSideName>)]
    pub position_side: (),
    /// The maximum slippage of a MARKET order on Hyperliquid, as a fraction. Absent: 0.05.
    #[schema(value_type = Option<schema::DecimalText>)]
    pub slippage: (),
    /// Must be true if given: closing only reduces a position.
    #[schema(value_type = Option<bool>)]
    pub reduce_only: (),
    /// Absent: derived from the header Idempotency-Key, or drawn.
    #[schema(value_type = Option<schema::ClientOrderIdText>)]
    pub client_order_id: (),
}

/// What a request closes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ToClose {
    /// One position.
    One(Box<PositionToClose>),
    /// All positions.
    All(AllToClose),
}

/// What the path of a request to close positions names.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ClosePath<'a> {
    /// The wallet.
    pub wallet: Option<&'a str>,
    /// The market.
    pub symbol: Option<&'a str>,
    /// Whether it means all positions.
    pub all: bool,
}

/// A request to close positions.
#[derive(Debug)]
pub struct CloseRequest {
    /// The wallet.
    pub names: WalletNames,
    /// What to close.
    pub close: ToClose,
}

impl CloseRequest {
    /// Parses and checks a request.
    ///
    /// # Errors
    /// 400, naming the field, and 422 for a close that the exchange does not offer.
    pub fn read(
        exchange: Exchange,
        path: ClosePath<'_>,
        (headers, uri, body): (&HeaderMap, &Uri, &JsonBody),
    ) -> Result<Self, ApiError> {
        body.only::<ClosePosition>()?;
        let names = WalletNames::of_request(path.wallet, headers, uri, Some(body))?;
        let id = body.optional("clientOrderId")?;
        let client_order_id = id.map(|text| text.parse().map_err(bad_id)).transpose()?;
        let all_flag = body.flag("all", false)?;
        if path.symbol.is_some() && all_flag {
            return Err(ApiError::bad_request("all contradicts the path"));
        }
        if path.all || all_flag {
            return Ok(Self { names, close: ToClose::All(all(body, client_order_id)?) });
        }
        let order_type = body.optional("type")?;
        // The published path with a market requires a price, also for MARKET. Without a type, a price is
        // refused, because the caller may mean a limit.
        let has_price = path.symbol.is_none() || order_type != Some("MARKET");
        let fields = CloseFields {
            symbol: market(path.symbol, body)?,
            side: body.optional("side")?,
            order_type,
            quantity: body.optional("quantity")?,
            price: body.optional("price")?.filter(|_| has_price),
            time_in_force: body.optional("timeInForce")?,
            position_side: body.optional("positionSide")?,
            slippage: body.optional("slippage")?,
            reduce_only: body.optional_flag("reduceOnly")?,
        };
        let request = fields.check(exchange).map_err(|fault| ApiError::order_fault(fault, ""))?;
        Ok(Self {
            names,
            close: ToClose::One(Box::new(PositionToClose { client_order_id, request })),
        })
    }
}

/// Returns the market of the path or of the body, which must not contradict each other.
fn market<'a>(in_path: Option<&'a str>, body: &'a JsonBody) -> Result<Option<&'a str>, ApiError> {
    let in_body = body.optional("symbol")?;
    let base = |text: &str| text.strip_suffix("-PERP").unwrap_or(text).to_owned();
    match (in_path, in_body) {
        (Some(path), Some(named)) if base(path) != base(named) => {
            Err(ApiError::bad_request("symbol contradicts the path"))
        }
        (path, named) => Ok(path.or(named)),
    }
}

fn all(
    body: &JsonBody,
    client_order_id: Option<crate::trading::ids::ClientOrderId>,
) -> Result<AllToClose, ApiError> {
    let others = ["symbol", "quantity", "type", "price", "timeInForce", "side", "positionSide"];
    if let Some(other) = others.into_iter().find(|field| body.has(field)) {
        return Err(ApiError::bad_request(format!("{other} contradicts all"))
            .advise("Close one position with symbol, or all positions with all."));
    }
    if body.optional_flag("reduceOnly")? == Some(false) {
        return Err(ApiError::bad_request(
            "reduceOnly must be true: closing only reduces a position",
        ));
    }
    // The slippage has the same rules as for one position.
    let slippage = body.optional("slippage")?;
    if let Some(text) = slippage {
        let fields =
            CloseFields { symbol: Some("BTC"), slippage: Some(text), ..CloseFields::default() };
        let checked = fields.check(Exchange::Hyperliquid);
        checked.map_err(|fault| ApiError::order_fault(fault, ""))?;
    }
    let slippage = slippage.and_then(|text| text.parse().ok());
    Ok(AllToClose { client_order_id, slippage })
}

/// `POST /api/trading/{exchange}/leverage`.
#[derive(ToSchema, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetLeverage {
    /// The wallet, unless the header x-wallet-id or the query names it.
    #[schema(value_type = Option<schema::WalletName>)]
    pub wallet_id_or_address: WalletNames,
    /// The market.
    #[schema(value_type = schema::SymbolName)]
    pub symbol: SymbolText,
    /// The leverage. Required, unless marginMode is given.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    pub leverage: Option<u32>,
    /// How the margin is kept. Absent: it stays.
    #[schema(value_type = Option<schema::MarginModeName>)]
    pub margin_mode: Option<MarginMode>,
}

impl SetLeverage {
    /// Parses and checks a request.
    ///
    /// # Errors
    /// 400, naming the field, the parameter or the header.
    pub fn read(headers: &HeaderMap, uri: &Uri, body: &JsonBody) -> Result<Self, ApiError> {
        body.only::<Self>()?;
        let wallet_id_or_address = WalletNames::of_request(None, headers, uri, Some(body))?;
        let symbol = symbol(body.required("symbol")?)?;
        let leverage = body.number("leverage", 1..=MAX_LEVERAGE)?;
        let leverage = leverage.and_then(|leverage| u32::try_from(leverage).ok());
        let margin_mode = body.optional("marginMode")?.map(margin_mode).transpose()?;
        if leverage.is_none() && margin_mode.is_none() {
            return Err(ApiError::missing("leverage"));
        }
        Ok(Self { wallet_id_or_address, symbol, leverage, margin_mode })
    }

    /// Returns the change.
    #[must_use]
    pub const fn change(&self) -> LeverageChange {
        LeverageChange { leverage: self.leverage, margin_mode: self.margin_mode }
    }
}

fn margin_mode(text: &str) -> Result<MarginMode, ApiError> {
    let known = MarginMode::ALL.into_iter().find(|mode| mode.as_str() == text);
    known.ok_or_else(|| ApiError::bad_request("marginMode must be CROSS or ISOLATED"))
}

/// `GET /api/trading/{exchange}/fills`.
#[derive(Debug)]
pub struct FillsQuery {
    /// The wallet.
    pub names: WalletNames,
    /// The market.
    pub symbol: Option<SymbolText>,
    /// The time of the first executions, Unix milliseconds.
    pub from_ms: u64,
}

impl FillsQuery {
    /// Parses and checks a request.
    ///
    /// # Errors
    /// 400, naming the parameter or the header.
    pub fn read(headers: &HeaderMap, uri: &Uri, now_ms: u64) -> Result<Self, ApiError> {
        let names = WalletNames::of_request(None, headers, uri, None)?;
        let symbol = symbol_in_query(uri)?;
        let from_ms = match queried(uri, "from")? {
            Some(text) => time(&text)?,
            None => now_ms.saturating_sub(FILLS_MS),
        };
        Ok(Self { names, symbol, from_ms })
    }
}

/// Parses a time in Unix milliseconds.
fn time(text: &str) -> Result<u64, ApiError> {
    // Times of the far future would overflow in an exchange.
    let is_time = (1..=13).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let parsed = text.parse().ok().filter(|_| is_time);
    parsed.ok_or_else(|| ApiError::bad_request("from must be a time in Unix milliseconds"))
}

/// Parses the wallet in the path of positions, which the header and the query may repeat.
///
/// # Errors
/// 400 `Invalid wallet address format`, and 400 for the other names.
pub fn wallet_of_positions(
    text: &str,
    headers: &HeaderMap,
    uri: &Uri,
) -> Result<WalletNames, ApiError> {
    let invalid = || {
        ApiError::bad_request("Invalid wallet address format")
            .advise("Name the wallet by its address (0x and 40 hex digits), walletId or userId.")
    };
    let is_address_like = text.starts_with("0x") || text.starts_with("0X");
    let name: domain::ids::WalletRef = text.parse().map_err(|_| invalid())?;
    if is_address_like && !matches!(name, domain::ids::WalletRef::Address(_)) {
        return Err(invalid());
    }
    WalletNames::in_path(text)?.and_in_header(headers)?.and_in_query(uri)
}
