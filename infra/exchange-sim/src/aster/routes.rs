//! The endpoints of the simulated Aster.

use axum::routing::MethodFilter;
use serde_json::Value;

use super::trade::{account, changes, orders, reads as trades};
use super::{
    Exchange, Parameters, Rules, builders, manage, money, reads, refusal::Refusal, register, v1,
};
use crate::requests::Limit;

/// The host of an endpoint. Each has its own limit.
#[derive(Clone, Copy)]
pub(super) enum Host {
    /// `fapi`.
    Futures,
    /// `sapi`: the endpoints for keys of the API V1.
    Spot,
    /// `sapi`: the spot API V3.
    SpotV3,
}

/// The published limit of the spot API V3.
const SPOT_WEIGHT_PER_MINUTE: u32 = 1_200;

/// One endpoint.
pub(super) struct Route {
    pub(super) method: MethodFilter,
    pub(super) host: Host,
    pub(super) path: &'static str,
    pub(super) kind: &'static str,
    /// The published weight; 1 where none is published.
    pub(super) weight: u32,
    pub(super) answer: fn(&Exchange, &Parameters) -> Result<Value, Refusal>,
}

pub(super) static ROUTES: [Route; 42] = [
    Route {
        method: MethodFilter::POST,
        host: Host::Futures,
        path: "/fapi/v3/aster/user-withdraw",
        kind: "withdraw",
        weight: 1,
        answer: money::withdraw,
    },
    Route {
        method: MethodFilter::POST,
        host: Host::SpotV3,
        path: "/api/v3/aster/user-withdraw",
        kind: "spotWithdraw",
        weight: 1,
        answer: money::withdraw_spot,
    },
    Route {
        method: MethodFilter::POST,
        host: Host::Futures,
        path: "/fapi/v3/aster/user-withdraw-info",
        kind: "withdrawInfo",
        weight: 1,
        answer: money::info,
    },
    Route {
        method: MethodFilter::POST,
        host: Host::Futures,
        path: "/fapi/v3/aster/deposit-withdraw-history",
        kind: "moneyHistory",
        weight: 1,
        answer: money::history,
    },
    Route {
        method: MethodFilter::POST,
        host: Host::Futures,
        path: "/fapi/v3/registerAndApproveAgent",
        kind: "registerAndApproveAgent",
        weight: 50,
        answer: register::register_and_approve,
    },
    Route {
        method: MethodFilter::POST,
        host: Host::Futures,
        path: "/fapi/v3/approveAgent",
        kind: "approveAgent",
        weight: 1,
        answer: manage::approve,
    },
    Route {
        method: MethodFilter::POST,
        host: Host::Futures,
        path: "/fapi/v3/updateAgent",
        kind: "updateAgent",
        weight: 1,
        answer: manage::update,
    },
    Route {
        method: MethodFilter::DELETE,
        host: Host::Futures,
        path: "/fapi/v3/agent",
        kind: "deleteAgent",
        weight: 1,
        answer: manage::delete,
    },
    Route {
        method: MethodFilter::GET,
        host: Host::Futures,
        path: "/fapi/v3/agent",
        kind: "listAgents",
        weight: 1,
        answer: reads::agents,
    },
    Route {
        method: MethodFilter::POST,
        host: Host::Futures,
        path: "/fapi/v3/approveBuilder",
        kind: "approveBuilder",
        weight: 1,
        answer: builders::approve,
    },
    Route {
        method: MethodFilter::POST,
        host: Host::Futures,
        path: "/fapi/v3/updateBuilder",
        kind: "updateBuilder",
        weight: 1,
        answer: builders::update,
    },
    Route {
        method: MethodFilter::DELETE,
        host: Host::Futures,
        path: "/fapi/v3/builder",
        kind: "deleteBuilder",
        weight: 1,
        answer: builders::delete,
    },
    Route {
        method: MethodFilter::GET,
        host: Host::Futures,
        path: "/fapi/v3/builder",
        kind: "listBuilders",
        weight: 1,
        answer: builders::list,
    },
    Route {
        method: MethodFilter::GET,
        host: Host::Futures,
        path: "/fapi/v3/balance",
        kind: "balance",
        weight: 5,
        answer: reads::balance,
    },
    Route {
        method: MethodFilter::GET,
        host: Host::Futures,
        path: "/fapi/v3/time",
        kind: "time",
        weight: 1,
        answer: reads::time,
    },
    Route {
        method: MethodFilter::POST,
        host: Host::Spot,
        path: "/api/v1/getNonce",
        kind: "getNonce",
        weight: 1,
        answer: v1::get_nonce,
    },
    Route {
        method: MethodFilter::POST,
        host: Host::Spot,
        path: "/api/v1/createApiKey",
        kind: "createApiKey",
        weight: 1,
        answer: v1::create_api_key,
    },
    Route {
        method: MethodFilter::GET,
        host: Host::Futures,
        path: "/fapi/v2/balance",
        kind: "v1Balance",
        weight: 5,
        answer: v1::balance,
    },
    Route {
        method: MethodFilter::POST,
        host: Host::Futures,
        path: "/fapi/v3/order",
        kind: "placeOrder",
        weight: 1,
        answer: orders::place,
    },
    Route {
        method: MethodFilter::POST,
        host: Host::Futures,
        path: "/fapi/v3/order/test",
        kind: "testOrder",
        weight: 1,
        answer: orders::test,
    },
    Route {
        method: MethodFilter::PUT,
        host: Host::Futures,
        path: "/fapi/v3/order",
        kind: "modifyOrder",
        weight: 1,
        answer: changes::modify,
    },
    Route {
        method: MethodFilter::DELETE,
        host: Host::Futures,
        path: "/fapi/v3/order",
        kind: "cancelOrder",
        weight: 1,
        answer: changes::cancel,
    },
    Route {
        method: MethodFilter::GET,
        host: Host::Futures,
        path: "/fapi/v3/order",
        kind: "orderStatus",
        weight: 1,
        answer: trades::order_status,
    },
    Route {
        method: MethodFilter::POST,
        host: Host::Futures,
        path: "/fapi/v3/batchOrders",
        kind: "placeOrders",
        weight: 5,
        answer: orders::batch,
    },
    Route {
        method: MethodFilter::PUT,
        host: Host::Futures,
        path: "/fapi/v3/batchOrders",
        kind: "modifyOrders",
        weight: 5,
        answer: changes::modify_batch,
    },
    Route {
        method: MethodFilter::DELETE,
        host: Host::Futures,
        path: "/fapi/v3/batchOrders",
        kind: "cancelOrders",
        weight: 1,
        answer: changes::cancel_batch,
    },
    Route {
        method: MethodFilter::DELETE,
        host: Host::Futures,
        path: "/fapi/v3/allOpenOrders",
        kind: "cancelAllOrders",
        weight: 1,
        answer: changes::cancel_all,
    },
    Route {
        method: MethodFilter::POST,
        host: Host::Futures,
        path: "/fapi/v3/noop",
        kind: "noop",
        weight: 1,
        answer: changes::noop,
    },
    Route {
        method: MethodFilter::GET,
        host: Host::Futures,
        path: "/fapi/v3/openOrder",
        kind: "openOrder",
        weight: 1,
        answer: trades::open_order,
    },
    Route {
        method: MethodFilter::GET,
        host: Host::Futures,
        path: "/fapi/v3/openOrders",
        kind: "openOrders",
        weight: 1,
        answer: trades::open_orders,
    },
    Route {
        method: MethodFilter::GET,
        host: Host::Futures,
        path: "/fapi/v3/allOrders",
        kind: "allOrders",
        weight: 5,
        answer: trades::all_orders,
    },
    Route {
        method: MethodFilter::GET,
        host: Host::Futures,
        path: "/fapi/v3/userTrades",
        kind: "userTrades",
        weight: 5,
        answer: account::user_trades,
    },
    Route {
        method: MethodFilter::GET,
        host: Host::Futures,
        path: "/fapi/v3/accountWithJoinMargin",
        kind: "account",
        weight: 5,
        answer: account::account,
    },
    Route {
        method: MethodFilter::GET,
        host: Host::Futures,
        path: "/fapi/v3/account",
        kind: "account",
        weight: 5,
        answer: account::account,
    },
    Route {
        method: MethodFilter::GET,
        host: Host::SpotV3,
        path: "/api/v3/account",
        kind: "spotAccount",
        weight: 5,
        answer: account::spot,
    },
    Route {
        method: MethodFilter::GET,
        host: Host::Futures,
        path: "/fapi/v3/positionRisk",
        kind: "positionRisk",
        weight: 5,
        answer: account::position_risk,
    },
    Route {
        method: MethodFilter::POST,
        host: Host::Futures,
        path: "/fapi/v3/leverage",
        kind: "leverage",
        weight: 1,
        answer: changes::leverage,
    },
    Route {
        method: MethodFilter::POST,
        host: Host::Futures,
        path: "/fapi/v3/marginType",
        kind: "marginType",
        weight: 1,
        answer: changes::margin_type,
    },
    Route {
        method: MethodFilter::POST,
        host: Host::Futures,
        path: "/fapi/v3/positionSide/dual",
        kind: "setPositionMode",
        weight: 1,
        answer: changes::set_position_mode,
    },
    Route {
        method: MethodFilter::GET,
        host: Host::Futures,
        path: "/fapi/v3/positionSide/dual",
        kind: "positionMode",
        weight: 30,
        answer: account::position_mode,
    },
    Route {
        method: MethodFilter::GET,
        host: Host::Futures,
        path: "/fapi/v3/exchangeInfo",
        kind: "exchangeInfo",
        weight: 1,
        answer: trades::info,
    },
    Route {
        method: MethodFilter::GET,
        host: Host::Futures,
        path: "/fapi/v3/premiumIndex",
        kind: "premiumIndex",
        weight: 1,
        answer: trades::premium_index,
    },
];

impl Route {
    /// Returns the weight of a request. Open orders of all symbols weigh more.
    pub(super) fn weight(&self, parameters: &Parameters) -> u32 {
        let all = self.kind == "openOrders" && parameters.get("symbol").is_none();
        if all { 40 } else { self.weight }
    }
}

impl Host {
    pub(super) fn limit(self, rules: &Rules) -> Limit {
        match self {
            Self::Futures => Limit { name: "weight", per_minute: rules.weight_per_minute },
            Self::Spot => Limit { name: "keys", per_minute: rules.v1_requests_per_minute },
            Self::SpotV3 => Limit { name: "spot", per_minute: SPOT_WEIGHT_PER_MINUTE },
        }
    }
}
