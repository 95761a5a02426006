//! Estimates of the fee of a withdrawal: public, on the web host and on that of the spot API.

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use url::form_urlencoded;

use super::super::{Exchange, routes::Host};
use super::MoneyRules;
use crate::edge::{Call, Reply};
use crate::market::Num;

const WEB: &str = "/bapi/futures/v1/public/future/aster/estimate-withdraw-fee";
const SPOT: &str = "/api/v3/aster/withdraw/estimateFee";

/// Fees by chain and asset, as the estimate states them.
const FEES: [(u64, &str, &str); 9] = [
    (1, "USDT", "1.5"),
    (1, "USDC", "1.5"),
    (1, "ETH", "6.1E-4"),
    (56, "USDT", "0.11"),
    (56, "USDC", "0.11"),
    (56, "BNB", "1.7E-4"),
    (42_161, "USDT", "0.51"),
    (42_161, "USDC", "0.51"),
    (42_161, "ETH", "2E-4"),
];

/// Returns the text of a fee.
fn fee_text<'a>(rules: &'a MoneyRules, chain_id: u64, asset: &str) -> Option<&'a str> {
    let found = FEES.iter().find(|(chain, of, _)| *chain == chain_id && *of == asset)?;
    Some(rules.fee.as_deref().unwrap_or(found.2))
}

/// Returns the fee of a withdrawal, or `None` for an asset that the chain does not have.
pub(super) fn fee(rules: &MoneyRules, chain_id: u64, asset: &str) -> Option<Num> {
    parse(fee_text(rules, chain_id, asset)?)
}

/// Returns the chains to which an asset can be withdrawn.
pub(super) fn chains_of(asset: &str) -> impl Iterator<Item = u64> {
    FEES.iter().filter(move |(_, of, _)| *of == asset).map(|(chain, ..)| *chain)
}

/// Reads a decimal with an optional negative exponent, such as `1.7E-4`.
pub(in crate::aster) fn parse(text: &str) -> Option<Num> {
    let Some((digits, exponent)) = text.split_once("E-") else { return Num::parse(text) };
    let places: u8 = exponent.parse().ok().filter(|places| *places <= 8)?;
    Some(Num::parse(digits)?.times(Num::step(places)))
}

/// Returns the routes of the estimates. Their numbers may have exponents.
pub(in crate::aster) fn router(exchange: Exchange) -> Router {
    Router::new().route(WEB, get(estimate)).route(SPOT, get(estimate)).with_state(exchange)
}

async fn estimate(State(exchange): State<Exchange>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let is_web = path == WEB;
    let query = request.uri().query().unwrap_or_default().to_owned();
    let limit = Host::SpotV3.limit(&exchange.rules());
    let call = Call { path, kind: "estimateFee", weight: 1, limit };
    let rules = exchange.rules().money;
    let apply = move |_| {
        let found = |name| {
            let mut pairs = form_urlencoded::parse(query.as_bytes());
            pairs.find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
        };
        let asset = found(if is_web { "currency" } else { "asset" }).unwrap_or_default();
        let chain_id = found("chainId").and_then(|text| text.parse().ok()).unwrap_or_default();
        let kind = found("accountType").unwrap_or_default();
        let complete = !is_web
            || (found("network").as_deref() == Some("EVM")
                && ["spot", "perp"].contains(&kind.as_str()));
        let fee = fee_text(&rules, chain_id, &asset).filter(|_| complete);
        answer(fee, is_web)
    };
    exchange.0.edge.pass(call, apply).await
}

fn answer(fee: Option<&str>, is_web: bool) -> Reply {
    let Some(fee) = fee else {
        let body = if is_web {
            r#"{"code":"000002","message":"illegal parameter","messageDetail":null,"data":null,"success":false}"#
        } else {
            r#"{"code":-1130,"msg":"Data sent for parameter 'asset' is not valid."}"#
        };
        let status = if is_web { StatusCode::OK } else { StatusCode::BAD_REQUEST };
        return Reply::raw_json(false, status, body.to_owned());
    };
    let data = format!(
        r#"{{"gasPrice":null,"gasLimit":200000,"nativePrice":null,"tokenPrice":1.00000000,"gasCost":{fee},"gasUsdValue":{fee}}}"#
    );
    let body = if is_web {
        format!(
            r#"{{"code":"000000","message":null,"messageDetail":null,"data":{data},"success":true}}"#
        )
    } else {
        data
    };
    Reply::raw_json(true, StatusCode::OK, body)
}
