//! The calls on Lighter, in every way.

use hyperdex_client::{
    Client, Elsewhere, Error, LighterAccess, LighterAccount, LighterKey, MarginMode, NewOrder,
    Secret, Side,
};
use serde_json::Value;

use super::full_order;
use crate::{data, guided_about, plain};

const OWNER: &str = "0x07943f0f79097572451601e768c329a2765f2ea2";

/// Performs an operation on Lighter in every way; `None` for another operation.
pub(crate) async fn perform(client: &Client, operation: &str) -> Option<Vec<Result<Value, Error>>> {
    let private_key = Secret::new("ab".repeat(40));
    let key = LighterKey { private_key, api_key_index: 5, account_index: 281_190 };
    let (stored, given) = (LighterAccess::Stored(281_190), LighterAccess::Given(&key));
    let change = ("49850", "1");
    Some(match operation {
        "placeLighterOrder" => {
            let order = NewOrder::market("BTC", Side::Sell, "1");
            vec![
                client.place_lighter_order(stored, &order).await.map(data),
                client.place_lighter_order(given, &full_order()).await.map(data),
            ]
        }
        "modifyLighterOrder" => vec![
            client.modify_lighter_order(stored, "12345", change).await.map(data),
            client.modify_lighter_order(given, "bot-17", change).await.map(data),
        ],
        "cancelLighterOrder" => vec![
            client.cancel_lighter_order(stored, "12345", None).await.map(data),
            client.cancel_lighter_order(given, "bot-17", Some("BTC")).await.map(data),
        ],
        "cancelLighterOrders" => {
            vec![client.cancel_lighter_orders(given, "BTC").await.map(data)]
        }
        "listLighterOrders" => vec![
            client.lighter_open_orders(stored, None).await.map(plain),
            client.lighter_open_orders(given, Some("BTC")).await.map(plain),
        ],
        "getLighterOrder" => vec![
            client.lighter_order(stored, "12345", None).await.map(data),
            client.lighter_order(given, "bot-17", Some("BTC")).await.map(data),
        ],
        "setLighterLeverage" => {
            let mode = MarginMode::isolated();
            vec![
                client.set_lighter_leverage(stored, "BTC", Some(5), None).await.map(data),
                client.set_lighter_leverage(given, "BTC", None, Some(&mode)).await.map(data),
            ]
        }
        "listLighterPositions" => vec![
            client.lighter_positions(LighterAccount::Index(281_190), None).await.map(plain),
            client.lighter_positions(LighterAccount::Owner(OWNER), Some("BTC")).await.map(plain),
        ],
        "getLighterBalances" => vec![
            client.lighter_balances(LighterAccount::Index(281_190)).await.map(data),
            client.lighter_balances(LighterAccount::Owner(OWNER)).await.map(data),
        ],
        "setLighterCredentials" => vec![client.set_lighter_credentials(&key).await.map(data)],
        "getLighterCredentials" => vec![client.lighter_credentials(281_190).await.map(data)],
        "deleteLighterCredentials" => {
            vec![client.delete_lighter_credentials(281_190).await.map(data)]
        }
        "registerLighter" => guided_about(client, "lighter", Elsewhere::Register).await,
        "getLighterApiKey" => guided_about(client, "lighter", Elsewhere::Describe).await,
        "deleteLighterApiKey" => guided_about(client, "lighter", Elsewhere::Delete).await,
        "rotateLighterApiKey" => guided_about(client, "lighter", Elsewhere::Rotate).await,
        "listLighterAgents" => guided_about(client, "lighter", Elsewhere::ListAgents).await,
        "deleteLighterAgent" => guided_about(client, "lighter", Elsewhere::DeleteAgent).await,
        "closeLighterPosition" => guided_about(client, "lighter", Elsewhere::ClosePosition).await,
        "listLighterFills" => guided_about(client, "lighter", Elsewhere::ListFills).await,
        _ => return None,
    })
}
