//! Builders on both simulators: the signing vectors of their approvals, over HTTP, and the fees of
//! orders that carry one.

use alloy_primitives::{Address, U256};
use exchange_sim::aster::{self, signing::management_digest};
use exchange_sim::hyperliquid::builders::ApproveBuilder;
use exchange_sim::hyperliquid::signing::approve_builder_digest;
use serde_json::{Value, json};

use crate::support::{
    Wallet, aster::Aster, aster::sign_text, check_vector, hyperliquid::Hyperliquid, send, text,
    vectors,
};

const BUILDER: &str = "0x8c967e73e7b15087c42a10d344cff4c96d877f1d";

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

#[tokio::test]
async fn hyperliquid_approvals_of_vectors_are_accepted() {
    let mut met = 0;
    for vector in vectors("hyperliquid_trading.json") {
        let inputs = &vector["inputs"];
        if inputs["action_type"] != "approveBuilderFee" {
            continue;
        }
        let chain = serde_json::from_value(inputs["hyperliquid_chain"].clone()).unwrap();
        let builder: Address = text(&inputs["builder"]).parse().unwrap();
        let approval = ApproveBuilder {
            signature_chain_id: U256::from(0x66eee),
            max_fee_rate: text(&inputs["maxFeeRate"]).to_owned(),
            builder,
            nonce: number(&inputs["nonce"]),
        };
        check_vector(&vector, approve_builder_digest(chain, &approval).unwrap());
        let hyperliquid = Hyperliquid::of(chain, approval.nonce);
        let account: Address = text(&vector["address"]).parse().unwrap();
        hyperliquid.exchange.require_deposit(true);
        let body = &vector["request"]["body_json"];
        let must = hyperliquid.exchange(body).await;
        assert!(must.starts_with("Must deposit before performing actions. User: 0x"), "{must}");
        hyperliquid.exchange.deposit(account);
        let poor = "Builder has insufficient balance to be approved.";
        assert_eq!(hyperliquid.exchange(body).await, poor);
        hyperliquid.exchange.deposit(builder);
        let used = hyperliquid.exchange(body).await;
        assert!(used.starts_with("Invalid nonce: duplicate nonce"), "{used}");
        let fresh = Hyperliquid::of(chain, approval.nonce);
        assert_eq!(fresh.exchange(body).await, "ok");
        let asked = json!({ "type": "maxBuilderFee", "user": account, "builder": builder });
        let stated = fresh.post("/info", &asked).await.json();
        assert_eq!(stated, fresh.exchange.builder_fee_of(account, builder));
        assert!(number(&stated) > 0);
        met += 1;
    }
    assert_eq!(met, 2);
}

#[tokio::test]
async fn aster_approvals_of_vectors_are_accepted() {
    let mut met = Vec::new();
    for vector in vectors("aster_trading.json") {
        let (inputs, request) = (&vector["inputs"], &vector["request"]);
        let kind = inputs["primary_type"].as_str().unwrap_or_default();
        let is_builder = ["ApproveBuilder", "UpdateBuilder", "DelBuilder"].contains(&kind);
        if !is_builder || inputs["product"] != "futures" {
            continue;
        }
        let form: Vec<(String, String)> = serde_json::from_value(request["form"].clone()).unwrap();
        let signed = form.iter().filter(|(name, _)| !name.starts_with("signature"));
        let signed = signed.map(|(name, value)| (name.as_str(), value.as_str()));
        let chain_id = number(&inputs["signature_chain_id"]);
        check_vector(&vector, management_digest(chain_id, kind, signed).unwrap());
        let network = match text(&inputs["network"]) {
            "Mainnet" => aster::Network::Mainnet,
            _ => aster::Network::Testnet,
        };
        let aster = Aster::of(network, number(&inputs["nonce"]) / 1_000);
        let signature_chain_ids = vec![56, 1_666];
        aster.exchange.set_rules(aster::Rules { signature_chain_ids, ..aster.exchange.rules() });
        let user: Address = text(&inputs["user"]).parse().unwrap();
        let builder: Address = text(&inputs["builder"]).parse().unwrap();
        aster.exchange.deposit(user);
        let (method, path) = (text(&request["method"]), text(&request["path"]));
        let body = text(&request["body_text"]);
        let answer = aster.form(method, path, body).await;
        let expected = match (kind, inputs["builderName"].is_string()) {
            ("ApproveBuilder", true) => {
                let rate = text(&inputs["maxFeeRate"]).to_owned();
                assert_eq!(aster.exchange.builder_rate_of(user, builder), Some(rate));
                200
            }
            // Documents name builderName as mandatory.
            ("ApproveBuilder", false) => -1_102,
            _ => -1_130,
        };
        assert_eq!(answer.json()["code"], expected, "{}: {}", vector["name"], answer.body);
        met.push(kind.to_owned());
    }
    met.sort();
    let expected = [
        "ApproveBuilder",
        "ApproveBuilder",
        "ApproveBuilder",
        "ApproveBuilder",
        "DelBuilder",
        "UpdateBuilder",
    ];
    assert_eq!(met, expected);
}

/// An order of 0.1 BTC pays the builder's fee in addition to the exchange's.
#[tokio::test]
async fn hyperliquid_order_pays_its_builder() {
    let hyperliquid = Hyperliquid::new();
    let (owner, agent) = (Wallet::number(1), Wallet::number(9));
    assert_eq!(hyperliquid.approve(&owner, "bot", agent.address()).await, "ok");
    let meta = hyperliquid.post("/info", &json!({ "type": "meta" })).await.json();
    let markets = meta["universe"].as_array().unwrap();
    let asset = markets.iter().position(|market| market["name"] == "BTC").unwrap();
    let order = json!({
        "a": asset, "b": true, "p": "60500", "s": "0.1", "r": false, "t": {"limit": {"tif": "Ioc"}},
    });
    let action = |fee: u32| {
        json!({
            "type": "order", "orders": [order.clone()], "grouping": "na",
            "builder": {"b": BUILDER, "f": fee},
        })
    };
    let refused = "Builder fee has not been approved.";
    assert_eq!(hyperliquid.act(&agent, &action(0)).await, refused);
    let builder: Address = BUILDER.parse().unwrap();
    hyperliquid.exchange.set_builder_fee(owner.address(), builder, 50);
    assert_eq!(hyperliquid.act(&agent, &action(51)).await, refused);
    assert_eq!(hyperliquid.act(&agent, &action(50)).await, "ok");
    let fills = hyperliquid.info("userFills", owner.address()).await;
    let fill = &fills[0];
    let decimal = |name: &str| text(&fill[name]).parse::<f64>().unwrap();
    let value = decimal("px") * decimal("sz");
    assert!((decimal("builderFee") - value * 0.0005).abs() < 0.000_001, "{fill}");
    assert!(decimal("fee") > decimal("builderFee"));
    let paid: f64 = hyperliquid.exchange.paid_to_builder(owner.address(), builder).parse().unwrap();
    assert!(paid > 0.0);
}

#[tokio::test]
async fn aster_order_pays_its_builder() {
    let aster = Aster::new();
    let (user, agent) = (Wallet::number(1), Wallet::number(9));
    let expired = aster.in_a_month();
    assert!(aster.exchange.add_agent(user.address(), "bot", agent.address(), expired));
    let order = async |more: &str| {
        let (nonce, user, signer) = (aster.nonce(), user.address(), agent.address());
        let text = format!(
            "nonce={nonce}&user={user}&signer={signer}&symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.1{more}"
        );
        let signature = sign_text(&agent, 1_666, &text);
        let body = format!("{text}&signature={signature}");
        let content = Some((crate::support::aster::FORM, body));
        send(aster.exchange.router(), "POST", "/fapi/v3/order", content).await.json()
    };
    let carried = |rate: &str| format!("&builder={BUILDER}&feeRate={rate}");
    assert_eq!(order(&format!("&builder={BUILDER}")).await["code"], -1_102);
    assert_eq!(order(&carried("0.0001")).await["code"], -1_130);
    let route = ("POST", "/fapi/v3/approveBuilder", "ApproveBuilder");
    let approve = |rate: &str, name: &str| {
        vec![
            ("builder", BUILDER.to_owned()),
            ("maxFeeRate", rate.to_owned()),
            ("builderName", name.to_owned()),
            ("asterChain", "Mainnet".to_owned()),
            ("user", user.address().to_string()),
            ("nonce", aster.nonce().to_string()),
        ]
    };
    let high = aster.manage(&user, route, &approve("0.0011", "a")).await;
    assert_eq!(high, "-1130 Exceed max builder fee rate");
    assert_eq!(aster.manage(&user, route, &approve("0.0005", "a")).await, "200 success");
    let again = aster.manage(&user, route, &approve("0.0005", "a")).await;
    assert_eq!(again, "-1130 Exist builder name");
    let listed = aster.call("/fapi/v3/builder", user.address(), &agent).await.json();
    assert_eq!(
        (&listed[0]["maxFeeRate"], &listed[0]["builderName"]),
        (&json!("0.0005"), &json!("a"))
    );
    assert_eq!(order(&carried("0.0006")).await["code"], -1_130);
    assert!(order(&carried("0.0005")).await["orderId"].is_u64());
    let builder: Address = BUILDER.parse().unwrap();
    let paid: f64 = aster.exchange.paid_to_builder(user.address(), builder).parse().unwrap();
    assert!((2.0..4.0).contains(&paid), "{paid}");
}
