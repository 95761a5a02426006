//! Steering of a simulator over HTTP, for a person who tries a failure: `/_sim/…` on the
//! simulator's own port. Tests use the same functions as Rust methods.
//!
//! The real exchanges have no such paths. Pages in a browser cannot use them: a request must name a
//! loopback host, must not have an origin, and must have a JSON body.

use std::sync::Arc;

use alloy_primitives::Address;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use http::{HeaderMap, StatusCode, Uri, header};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::faults::Fault;
use crate::market::{Engine, Level, Num, Side};
use crate::parse_address;

mod shown;

pub use shown::{Executed, OpenOrder, Payment};

/// Price and quantity of an offer of the house, as decimals.
pub type Quote = (String, String);

/// A simulator that can be steered.
pub(crate) trait Steered: Clone + Send + Sync + 'static {
    fn price(&self, symbol: &str, price: &str) -> bool;
    fn liquidity(&self, symbol: &str, bids: &[Quote], asks: &[Quote]) -> bool;
    fn deposit(&self, account: Address, pocket: &str, amount: &str) -> bool;
    fn mode(&self, account: Address, mode: &str) -> bool;
    fn leverage(&self, account: Address, symbol: &str, value: u32, is_cross: bool) -> bool;
    fn rule(&self, name: &str, value: &str) -> bool;
    fn fault(&self, target: &str, fault: Fault);
    fn clear(&self) -> usize;
    fn state(&self) -> Value;
    fn executed(&self, account: Address) -> Value;
    fn account(&self, account: Address) -> Value;
    fn paid(&self, account: Address) -> Value;
}

/// Returns the routes that steer a simulator.
pub(crate) fn router<S: Steered>(simulator: S) -> Router {
    let steer = post(
        |State(simulator): State<Arc<S>>, uri: Uri, headers: HeaderMap, body: Bytes| async move {
            answer(&headers, true, || change(&*simulator, uri.path(), &body))
        },
    );
    let read = get(|State(simulator): State<Arc<S>>, uri: Uri, headers: HeaderMap| async move {
        answer(&headers, false, || look(&*simulator, &uri))
    });
    let clear =
        axum::routing::delete(|State(simulator): State<Arc<S>>, headers: HeaderMap| async move {
            answer(&headers, false, || Ok(json!({"removed": simulator.clear()})))
        });
    Router::new()
        .route("/_sim/price", steer.clone())
        .route("/_sim/liquidity", steer.clone())
        .route("/_sim/deposit", steer.clone())
        .route("/_sim/mode", steer.clone())
        .route("/_sim/leverage", steer.clone())
        .route("/_sim/rule", steer.clone())
        .route("/_sim/fault", steer)
        .route("/_sim/faults", clear)
        .route("/_sim/state", read.clone())
        .route("/_sim/executions", read.clone())
        .route("/_sim/payments", read.clone())
        .route("/_sim/account", read)
        .with_state(Arc::new(simulator))
}

/// Returns the levels of quotes, or `None` for an invalid number.
pub(crate) fn read_levels(quotes: &[Quote]) -> Option<Vec<Level>> {
    let read = |(price, size): &Quote| {
        let (price, size) = (Num::parse(price)?, Num::parse(size)?);
        (price.is_positive() && size.is_positive()).then_some(Level { price, size })
    };
    quotes.iter().map(read).collect()
}

/// Returns all markets with their prices.
pub(crate) fn markets(engine: &Engine) -> Value {
    let specs = engine.specs().iter();
    let shown = specs.map(|spec| {
        let text = |number: Option<Num>| number.map(Num::text);
        let market = json!({
            "mark": text(engine.market(spec.name).map(|market| market.mark)),
            "bid": text(engine.best_bid(spec.name)),
            "ask": text(engine.best_ask(spec.name)),
        });
        (spec.name.to_owned(), market)
    });
    Value::Object(shown.collect())
}

/// Returns what an account holds: balances by pocket, positions, and the leverage of each market.
pub(crate) fn account(engine: &Engine, address: Address, open: &[OpenOrder]) -> Value {
    let known = engine.account(address);
    let positions: Vec<_> = known
        .into_iter()
        .flat_map(|known| known.positions())
        .map(|held| {
            let side = match held.side {
                Side::Both => "BOTH",
                Side::Long => "LONG",
                Side::Short => "SHORT",
            };
            json!({
                "symbol": held.market,
                "side": side,
                "size": held.size.text(),
                "entry": held.entry.text(),
            })
        })
        .collect();
    let perps = engine.specs().iter().filter(|spec| spec.base.is_none());
    let leverage = perps.map(|spec| {
        let (leverage, is_cross) = engine.leverage(address, spec);
        let mode = if is_cross { "cross" } else { "isolated" };
        (spec.name.to_owned(), json!({"leverage": leverage, "marginMode": mode}))
    });
    json!({
        "balances": known.map(|known| &known.balances),
        "positions": positions,
        "leverage": Value::Object(leverage.collect()),
        "openOrders": open,
    })
}

/// Changes the leverage of an account, as its owner can do elsewhere. Returns false for an unknown
/// market, a leverage that it does not have, and cross margin where it is refused.
pub(crate) fn set_leverage(
    engine: &mut Engine,
    account: Address,
    symbol: &str,
    (value, is_cross): (u32, bool),
) -> bool {
    let Some(spec) = engine.spec(symbol).filter(|spec| spec.base.is_none()) else { return false };
    let permitted = (1..=spec.max_leverage).contains(&value) && !(is_cross && spec.only_isolated);
    if permitted {
        engine.set_leverage(account, &spec, value, is_cross);
    }
    permitted
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Price {
    symbol: String,
    mark: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Liquidity {
    symbol: String,
    bids: Vec<Quote>,
    asks: Vec<Quote>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Deposit {
    account: String,
    #[serde(default)]
    pocket: String,
    amount: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModeChange {
    account: String,
    mode: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleChange {
    rule: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct LeverageChange {
    account: String,
    symbol: String,
    leverage: u32,
    margin_mode: MarginWord,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum MarginWord {
    Cross,
    Isolated,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NextFault {
    target: String,
    fault: String,
    ms: Option<u64>,
    status: Option<u16>,
    body: Option<String>,
}

/// A refusal of a steering request.
pub(crate) type Refused = (StatusCode, &'static str);

pub(crate) const SHAPE: Refused =
    (StatusCode::BAD_REQUEST, "the body has a missing, unknown or invalid field");

impl NextFault {
    /// Returns the path or kind of the requests.
    pub(crate) fn target(&self) -> &str {
        &self.target
    }
}

/// Reads the body of a steering request.
pub(crate) fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|_| SHAPE)
}

fn change<S: Steered>(simulator: &S, path: &str, body: &[u8]) -> Result<Value, Refused> {
    let done = match path {
        "/_sim/price" => {
            let Price { symbol, mark } = read(body)?;
            simulator.price(&symbol, &mark)
        }
        "/_sim/liquidity" => {
            let Liquidity { symbol, bids, asks } = read(body)?;
            simulator.liquidity(&symbol, &bids, &asks)
        }
        "/_sim/deposit" => {
            let Deposit { account, pocket, amount } = read(body)?;
            simulator.deposit(parse_address(&account).ok_or(SHAPE)?, &pocket, &amount)
        }
        "/_sim/mode" => {
            let ModeChange { account, mode } = read(body)?;
            simulator.mode(parse_address(&account).ok_or(SHAPE)?, &mode)
        }
        "/_sim/rule" => {
            let RuleChange { rule, value } = read(body)?;
            simulator.rule(&rule, &value)
        }
        "/_sim/leverage" => {
            let LeverageChange { account, symbol, leverage, margin_mode } = read(body)?;
            let account = parse_address(&account).ok_or(SHAPE)?;
            simulator.leverage(account, &symbol, leverage, margin_mode == MarginWord::Cross)
        }
        _ => {
            let next: NextFault = read(body)?;
            let fault = fault(&next).ok_or(SHAPE)?;
            simulator.fault(&next.target, fault);
            true
        }
    };
    done.then(|| json!({"done": true})).ok_or(SHAPE)
}

/// Returns the fault of a steering request.
pub(crate) fn fault(next: &NextFault) -> Option<Fault> {
    let status = || Some((next.status?, next.body.clone().unwrap_or_default()));
    Some(match next.fault.as_str() {
        "garbage" => Fault::Garbage,
        "hang" => Fault::Hang,
        "reset" => Fault::Reset,
        "appliedButLost" => Fault::AppliedButLost,
        "appliedThenHang" => Fault::AppliedThenHang,
        "late" => Fault::Late { ms: next.ms? },
        "readsLag" => Fault::ReadsLag { ms: next.ms? },
        "twice" => Fault::Twice,
        "rateLimited" => Fault::RateLimited { retry_after_s: next.ms?.div_ceil(1_000) },
        "status" => status().map(|(status, body)| Fault::Status(status, body))?,
        "appliedAs" => status().map(|(status, body)| Fault::AppliedAs(status, body))?,
        _ => return None,
    })
}

fn look<S: Steered>(simulator: &S, uri: &Uri) -> Result<Value, Refused> {
    if uri.path() == "/_sim/state" {
        return Ok(simulator.state());
    }
    let query = uri.query().unwrap_or_default();
    let account = query.strip_prefix("account=").and_then(parse_address);
    let account = account.ok_or(SHAPE)?;
    Ok(match uri.path() {
        "/_sim/account" => simulator.account(account),
        "/_sim/payments" => simulator.paid(account),
        _ => simulator.executed(account),
    })
}

/// Answers a steering request, unless a page in a browser may have sent it.
pub(crate) fn answer(
    headers: &HeaderMap,
    has_body: bool,
    apply: impl FnOnce() -> Result<Value, Refused>,
) -> Response {
    let result = guard(headers, has_body).and_then(|()| apply());
    let (status, body) = match result {
        Ok(value) => (StatusCode::OK, value),
        Err((status, cause)) => (status, json!({"error": cause})),
    };
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

/// Refuses requests that a page in a browser can make, also after it rebound its own name.
fn guard(headers: &HeaderMap, has_body: bool) -> Result<(), Refused> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let host = text(header::HOST);
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let is_local = ["localhost", "127.0.0.1", "[::1]"].contains(&name);
    if !is_local || headers.contains_key(header::ORIGIN) {
        return Err((StatusCode::FORBIDDEN, "only local clients may steer the simulator"));
    }
    if has_body && !text(header::CONTENT_TYPE).starts_with("application/json") {
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "send JSON with its content type"));
    }
    Ok(())
}
