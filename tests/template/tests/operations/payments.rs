//! Runs the operations on payments: refused, made by a worn wallet, read, and resolved after a lost
//! response.

use e2e::DAY_MS;
use exchange_sim::faults::Fault;
use http::Method;
use hyperdex_local::approver::ApproverKey;
use serde_json::{Value, json};

use super::{EXCHANGES, create, policies, wear_out};
use crate::cloud::Cloud;

const USER: &str = "user_1";

/// The destination on the tenant's list.
const LISTED: &str = "0x00000000000000000000000000000000000000aa";

/// An address that no policy lists.
const UNLISTED: &str = "0x00000000000000000000000000000000000000bb";

/// A function that pays.
struct Pays {
    function: &'static str,
    path: &'static str,
    /// A body that the policy allows, without the wallet's name.
    body: Value,
    /// A change of the body that the policy refuses.
    refused: (&'static str, &'static str),
}

fn payers() -> [Pays; 4] {
    let gas = json!({ "chainId": 56, "asset": "native", "destination": LISTED, "amount": "0.01",
        "accountNonce": 0, "gasLimit": 21_000, "maxFeePerGas": 1_000_000_000_u64,
        "maxPriorityFeePerGas": 1_000_000_000_u64 });
    [
        Pays {
            function: "withdraw-hyperliquid",
            path: "/api/trading/hyperliquid/withdraw",
            body: json!({ "destination": LISTED, "amount": "25" }),
            refused: ("destination", UNLISTED),
        },
        Pays {
            function: "transfer-hyperliquid",
            path: "/api/trading/hyperliquid/transfer",
            body: json!({ "from": "perp", "to": "spot", "amount": "5" }),
            refused: ("destination", UNLISTED),
        },
        Pays {
            function: "withdraw-aster",
            path: "/api/trading/aster/withdraw",
            body: json!({ "chainId": 56, "asset": "USDT", "amount": "20" }),
            refused: ("amount", "150"),
        },
        Pays {
            function: "send-tokens",
            path: "/api/wallets/user_1/transfers",
            body: gas,
            refused: ("destination", UNLISTED),
        },
    ]
}

impl Pays {
    async fn send(&self, cloud: &Cloud, wallet: &str, key: &str, mut body: Value) -> (u16, Value) {
        // The budget refills, and rates of the cosigner pass.
        cloud.app.clock.advance_ms(61_000);
        let path = self.path.replace(USER, wallet);
        if !self.path.contains(USER) {
            body["walletIdOrAddress"] = json!(wallet);
        }
        // A key names one payment of a wallet at an exchange, whatever its kind.
        let key = format!("{}:{key}", self.function);
        cloud.send_once(self.function, (Method::POST, &path), body, &key).await
    }
}

/// Lists a destination and limits, and lets the delay pass.
async fn allow(cloud: &Cloud, key: &ApproverKey) {
    let limit = |asset: &str, amount: &str| {
        let cap = json!({ "amount": amount, "payments": 20 });
        json!({ "type": "setLimit", "limit": { "asset": asset, "wallet": cap, "tenant": cap } })
    };
    let destination = |venue: &str, asset: &str| {
        json!({ "type": "addDestination", "destination": {
            "venue": venue, "address": LISTED, "assets": [asset], "label": "treasury" } })
    };
    for change in [
        limit("hyperliquid/USDC", "1000"),
        limit("aster/USDT", "100"),
        limit("evm:56/native", "1"),
        destination("evm:42161", "evm:42161/USDC"),
        destination("evm:56", "evm:56/native"),
    ] {
        policies::made(cloud, key, change).await;
    }
    cloud.app.clock.advance_ms(DAY_MS + 60_000);
}

/// Runs all operations on payments.
pub(super) async fn paid(cloud: &Cloud, key: &ApproverKey) {
    assert_eq!(create(cloud, USER).await.0, 201);
    for exchange in &EXCHANGES {
        assert_eq!(exchange.register(cloud, USER).await.0, 200);
    }
    allow(cloud, key).await;
    let path = format!("/api/wallets/{USER}");
    let (_, wallet) = cloud.send("get-wallet", (Method::GET, &path), None).await;
    let address = wallet["address"].as_str().unwrap();
    for payer in payers() {
        let mut refused = payer.body.clone();
        refused[payer.refused.0] = json!(payer.refused.1);
        let (status, body) = payer.send(cloud, USER, "refused", refused).await;
        assert_eq!((status, &body["code"]), (422, &json!("POLICY_REFUSED")), "{body}");
        wear_out(cloud, USER).await;
        let (status, made) = payer.send(cloud, address, "made", payer.body.clone()).await;
        assert!(matches!(status, 200 | 202), "{}: {made}", payer.function);
        let (_, again) = payer.send(cloud, USER, "made", payer.body.clone()).await;
        assert_eq!(again["data"]["transferId"], made["data"]["transferId"], "{again}");
        read(cloud, &payer, made["data"]["transferId"].as_str().unwrap(), address).await;
    }
    lost(cloud).await;
}

/// Reads a payment by each kind of name.
async fn read(cloud: &Cloud, payer: &Pays, id: &str, address: &str) {
    for name in [USER, address] {
        cloud.app.clock.advance_ms(61_000);
        let (function, path) = match payer.function {
            "withdraw-aster" => (
                "get-transfer-aster",
                format!("/api/trading/aster/transfers/{id}?walletIdOrAddress={name}"),
            ),
            "send-tokens" => ("get-token-transfer", format!("/api/wallets/{name}/transfers/{id}")),
            _ => (
                "get-transfer-hyperliquid",
                format!("/api/trading/hyperliquid/transfers/{id}?walletIdOrAddress={name}"),
            ),
        };
        let (status, read) = cloud.send(function, (Method::GET, &path), None).await;
        assert_eq!((status, &read["data"]["transferId"]), (200, &json!(id)), "{read}");
    }
}

/// Payments whose response was lost are resolved by the jobs, or when they are read.
async fn lost(cloud: &Cloud) {
    let stack = &cloud.app.stack;
    for payer in payers() {
        for key in ["resolved", "read"] {
            let lost = || Fault::AppliedButLost;
            let job = match payer.function {
                "withdraw-aster" => {
                    stack.aster_sim.fail_next("withdraw", lost());
                    "resolve-orders-aster"
                }
                "withdraw-hyperliquid" => {
                    stack.hyperliquid_sim.fail_next("sendToEvmWithData", lost());
                    "resolve-orders-hyperliquid"
                }
                _ => continue,
            };
            let (status, unknown) = payer.send(cloud, USER, key, payer.body.clone()).await;
            assert_eq!((status, &unknown["code"]), (504, &json!("PAYMENT_UNKNOWN")), "{unknown}");
            if key == "read" {
                read(cloud, &payer, unknown["data"]["transferId"].as_str().unwrap(), USER).await;
            } else {
                cloud.app.clock.advance_ms(61_000);
                let done = cloud.run(job).await;
                assert_eq!(done["payments"]["failed"], json!(0), "{done}");
            }
            let (status, known) = payer.send(cloud, USER, key, payer.body.clone()).await;
            assert!(matches!(status, 200 | 202), "{known}");
        }
    }
}
