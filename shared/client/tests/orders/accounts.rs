//! The calls about accounts, in every way.

use hyperdex_client::{
    Client, Close, Elsewhere, Error, Exchange, MarginMode, NewOrder, PositionSide, Side,
    TimeInForce,
};
use serde_json::Value;

use crate::{USER, data, guided, plain};

/// Returns a request with every field that it can have.
fn full() -> Close {
    Close {
        price: Some("49850".to_owned()),
        time_in_force: Some(TimeInForce::PostOnly),
        side: Some(Side::Sell),
        position_side: Some(PositionSide::Long),
        slippage: None,
        client_order_id: Some("close-17".to_owned()),
        ..Close::part("BTC", "0.5")
    }
}

/// Performs an operation on accounts in every way; `None` for another operation.
pub(crate) async fn perform(client: &Client, operation: &str) -> Option<Vec<Result<Value, Error>>> {
    let (aster, hyperliquid) = (Exchange::Aster, Exchange::Hyperliquid);
    let of = if operation.contains("Aster") { &aster } else { &hyperliquid };
    Some(match operation {
        "listAsterPositions" | "listHyperliquidPositions" => vec![
            client.positions(of, USER, None).await.map(plain),
            client.positions(of, USER, Some("BTC")).await.map(plain),
        ],
        "listAllPositions" => vec![client.all_positions(USER).await.map(plain)],
        "getAsterBalances" | "getHyperliquidBalances" => {
            vec![client.balances(of, USER).await.map(data)]
        }
        "listAsterFills" | "listHyperliquidFills" => vec![
            client.fills(of, USER, Some("BTC"), None).await.map(plain),
            client.fills(of, USER, Some("BTC"), Some("1730869356000")).await.map(plain),
        ],
        "setAsterLeverage" | "setHyperliquidLeverage" => {
            let mode = MarginMode::isolated();
            vec![
                client.set_leverage(of, USER, "BTC", Some(5), None).await.map(data),
                client.set_leverage(of, USER, "BTC", None, Some(&mode)).await.map(data),
                client
                    .set_leverage(of, USER, "BTC", Some(5), Some(&MarginMode::cross()))
                    .await
                    .map(data),
            ]
        }
        "closeAsterPosition" | "closeHyperliquidPosition" => {
            let slippage = Close { slippage: Some("0.01".to_owned()), ..Close::all() };
            vec![
                client.close(of, USER, &Close::whole("BTC")).await.map(data),
                client.close(of, USER, &full()).await.map(data),
                client.close(of, USER, &slippage).await.map(data),
            ]
        }
        "placeAsterPerpOrder" => {
            let order = NewOrder::market("BTC", Side::Sell, "1");
            vec![client.place_aster_perp_order(USER, &order).await.map(data)]
        }
        "closeAsterPerpPosition" => {
            vec![client.close_aster_perp_position(USER, &Close::whole("BTC")).await.map(data)]
        }
        "getAsterPerpAccount" => vec![client.aster_perp_account(USER).await.map(data)],
        "listAsterPerpPositions" => vec![
            client.aster_perp_positions(USER, None).await.map(plain),
            client.aster_perp_positions(USER, Some("BTC")).await.map(plain),
        ],
        "closeHyperliquidMarket" => {
            let close = Close::default();
            vec![client.close_hyperliquid_market(USER, "BTC", &close).await.map(data)]
        }
        "closeHyperliquidAll" => vec![client.close_hyperliquid_all(USER).await.map(data)],
        "listHyperliquidPastOrders" => {
            vec![client.hyperliquid_past_orders(USER).await.map(plain)]
        }
        "listElsewherePositions" => guided(client, Elsewhere::ListPositions).await,
        "closeElsewherePosition" => guided(client, Elsewhere::ClosePosition).await,
        "getElsewhereBalances" => guided(client, Elsewhere::GetBalances).await,
        "listElsewhereFills" => guided(client, Elsewhere::ListFills).await,
        "setElsewhereLeverage" => guided(client, Elsewhere::SetLeverage).await,
        _ => return None,
    })
}
