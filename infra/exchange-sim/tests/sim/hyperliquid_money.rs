//! Withdrawals, sends and deposits of the simulated Hyperliquid, over HTTP.

use alloy_primitives::{Address, U256, address};
use exchange_sim::chain::Chains;
use exchange_sim::faults::Fault;
use exchange_sim::hyperliquid::signing::money_digest;
use exchange_sim::hyperliquid::{Chain, Exchange};
use serde_json::{Value, json};

use crate::support::chain::{Unsigned, call, submit, word};
use crate::support::{Wallet, check_vector, hyperliquid::Hyperliquid, text, vectors};

const ARBITRUM: u64 = 42_161;
const USDC: &str = "USDC:0x6d1e7cde53ba9467b783cb7c530ce054";
const BRIDGE: Address = address!("2df1c51e09aecf9cacb7bc98cb1742757f163df7");
const UNIFIED: &str = "Action disabled when unified account is active";

/// An exchange with chains, and an account with 100 USDC for perpetuals and 50 as spot.
struct Scene {
    it: Hyperliquid,
    chains: Chains,
    owner: Wallet,
    other: Address,
}

impl Scene {
    fn new() -> Self {
        let it = Hyperliquid::new();
        let chains = Chains::new(it.clock.reader());
        it.exchange.connect(&chains);
        let (owner, other) = (Wallet::number(1), Wallet::number(2).address());
        assert!(it.exchange.deposit_amount(owner.address(), "", "100"));
        assert!(it.exchange.deposit_amount(owner.address(), "spot", "50"));
        Self { it, chains, owner, other }
    }

    async fn send(&self, action: Value) -> String {
        self.it.move_money(&self.owner, action).await
    }

    async fn send_asset(&self, to: Address, (from, into): (&str, &str), amount: &str) -> String {
        self.send(json!({
            "type": "sendAsset", "destination": format!("{to:#x}"), "sourceDex": from,
            "destinationDex": into, "token": USDC, "amount": amount, "fromSubAccount": "",
        }))
        .await
    }

    /// Returns the account's USDC for perpetuals and as spot.
    async fn usd(&self, account: Address) -> (String, String) {
        let perps = self.it.info("clearinghouseState", account).await["withdrawable"].clone();
        let spot = self.it.info("spotClearinghouseState", account).await["balances"].clone();
        let spot = spot.as_array().unwrap().iter().find(|row| row["coin"] == "USDC");
        let spot = spot.map_or("0.0", |row| text(&row["total"])).to_owned();
        (text(&perps).to_owned(), spot)
    }

    async fn ledger(&self, account: Address) -> Vec<Value> {
        let body = json!({
            "type": "userNonFundingLedgerUpdates", "user": account, "startTime": 0,
        });
        let updates = self.it.post("/info", &body).await.json();
        updates.as_array().unwrap().iter().map(|update| update["delta"].clone()).collect()
    }
}

fn withdraw3(to: Address, amount: &str) -> Value {
    json!({ "type": "withdraw3", "destination": format!("{to:#x}"), "amount": amount })
}

fn cctp(to: Address, amount: &str, dex: &str) -> Value {
    json!({
        "type": "sendToEvmWithData", "token": "USDC", "amount": amount, "sourceDex": dex,
        "destinationRecipient": format!("{to:#x}"), "addressEncoding": "hex",
        "destinationChainId": 3, "gasLimit": 200_000, "data": "0x",
    })
}

fn pair(perps: &str, spot: &str) -> (String, String) {
    (perps.to_owned(), spot.to_owned())
}

#[tokio::test]
async fn money_vectors_are_verified_and_executed() {
    let mut met = 0;
    for vector in vectors("hyperliquid_trading.json") {
        let action = &vector["request"]["body_json"]["action"];
        let is_money = vector["category"] == "hyperliquid_money_user_signed";
        if !is_money || action["type"] == "approveBuilderFee" {
            continue;
        }
        let chain: Chain =
            serde_json::from_value(vector["inputs"]["hyperliquid_chain"].clone()).unwrap();
        check_vector(&vector, money_digest(chain, action).unwrap());
        let name = text(&vector["name"]);
        let nonce = vector["inputs"]["nonce"].as_u64().unwrap();
        let it = Hyperliquid::of(chain, nonce);
        let body = &vector["request"]["body_json"];
        let must = it.exchange(body).await;
        let owner: Address = text(&vector["address"]).parse().unwrap();
        let expected = format!("Must deposit before performing actions. User: {owner:#x}");
        assert_eq!(must, expected, "{name}");
        it.exchange.deposit(owner);
        let answer = it.exchange(body).await;
        match name {
            _ if name.contains("sub-account") => {
                assert!(answer.starts_with("Sub-account 0x1d94"), "{name}: {answer}");
            }
            // The fee is as much as the amount.
            "hl-money-withdraw3-testnet-official" => {
                assert_eq!(answer, "Insufficient balance for withdrawal");
            }
            // The simulator's PURR has another id, and only one chain of the test network exists.
            "hl-money-spot-send-mainnet" | "hl-money-send-to-evm-with-data-testnet" => {
                assert_eq!(answer, "Invalid send", "{name}");
            }
            _ => assert_eq!(answer, "ok", "{name}"),
        }
        let again = it.exchange(body).await;
        assert_eq!(again, format!("Invalid nonce: duplicate nonce {nonce}"), "{name}");
        met += 1;
    }
    assert_eq!(met, 17);
}

#[tokio::test]
async fn changed_request_has_another_signer() {
    let scene = Scene::new();
    for (field, value) in [("amount", json!("21")), ("destination", json!(format!("{BRIDGE:#x}")))]
    {
        let mut body = scene.it.signed_money(&scene.owner, withdraw3(scene.other, "20"));
        body["action"][field] = value;
        let answer = scene.it.exchange(&body).await;
        assert!(answer.starts_with("Must deposit before performing actions. User: "), "{answer}");
    }
    let mut body = scene.it.signed_money(&scene.owner, withdraw3(scene.other, "20"));
    body["action"]["memo"] = json!("x");
    assert_eq!(scene.it.post("/exchange", &body).await.status, 422);
    assert_eq!(scene.it.exchange.payments(scene.owner.address()), []);
}

#[tokio::test]
async fn withdrawal_over_the_bridge_pays_on_arbitrum_once() {
    let scene = Scene::new();
    let (owner, other) = (scene.owner.address(), scene.other);
    scene.it.exchange.fail_next("withdraw3", Fault::AppliedButLost);
    let body = scene.it.signed_money(&scene.owner, withdraw3(other, "20.5"));
    assert_eq!(scene.it.post("/exchange", &body).await.status, 502);
    let again = scene.it.exchange(&body).await;
    assert!(again.starts_with("Invalid nonce: duplicate nonce"), "{again}");
    assert_eq!(scene.usd(owner).await, pair("79.5", "50.0"));
    let [entry] = scene.ledger(owner).await.try_into().unwrap();
    assert_eq!(
        (&entry["type"], &entry["nonce"], &entry["fee"]),
        (&json!("withdraw"), &body["nonce"], &json!("1.0"))
    );
    assert_eq!(scene.chains.balance_of(ARBITRUM, other, "USDC"), "0");
    scene.it.clock.advance(5_000);
    assert_eq!(scene.chains.balance_of(ARBITRUM, other, "USDC"), "19.5");
    let [payment] = scene.it.exchange.payments(owner).try_into().unwrap();
    assert_eq!((payment.nonce, payment.is_paid), (body["nonce"].as_u64(), true));
    // A repeat of the settlement, also after a restart of the exchange alone, pays nothing.
    scene.it.clock.advance(5_000);
    assert_eq!(scene.chains.balance_of(ARBITRUM, other, "USDC"), "19.5");
    let more = scene.send(withdraw3(other, "79.500001")).await;
    assert_eq!(more, "Insufficient balance for withdrawal");
}

#[tokio::test]
async fn withdrawal_by_cctp_costs_forwarding_and_activation() {
    let scene = Scene::new();
    let (owner, other) = (scene.owner.address(), scene.other);
    // The account has not paid its own activation.
    assert_eq!(
        scene.send(cctp(other, "100", "")).await,
        "Insufficient USDC or HYPE balance for token transfer gas"
    );
    assert_eq!(scene.send(cctp(other, "40", "")).await, "ok");
    assert_eq!(scene.send(cctp(other, "9", "spot")).await, "ok");
    assert_eq!(scene.usd(owner).await, pair("59.0", "41.0"));
    let entries = scene.ledger(owner).await;
    assert_eq!((&entries[0]["type"], &entries[0]["fee"]), (&json!("send"), &json!("1.0")));
    assert_eq!(entries[0]["destination"], "0x2000000000000000000000000000000000000000");
    // Nobody forwards a transfer with data.
    let mut with_data = cctp(other, "5", "");
    with_data["data"] = json!("0x00");
    assert_eq!(scene.send(with_data).await, "ok");
    scene.it.clock.advance(60_000);
    assert_eq!(scene.chains.balance_of(ARBITRUM, other, "USDC"), "48.6");
}

#[tokio::test]
async fn unified_account_sends_from_spot_only() {
    let scene = Scene::new();
    let (owner, other) = (scene.owner.address(), scene.other);
    for mode in ["unifiedAccount", "portfolioMargin"] {
        assert!(scene.it.exchange.set_mode(owner, mode));
        let to = format!("{other:#x}");
        let refused = [
            json!({ "type": "usdSend", "destination": to, "amount": "1" }),
            json!({ "type": "spotSend", "destination": to, "token": USDC, "amount": "1" }),
            json!({ "type": "usdClassTransfer", "amount": "1", "toPerp": true }),
        ];
        for action in refused {
            assert_eq!(scene.send(action).await, UNIFIED);
        }
        let only = "Unified account only supports sending assets through spot";
        assert_eq!(scene.send_asset(other, ("", "spot"), "1").await, only);
        assert_eq!(scene.send(cctp(other, "2", "")).await, only);
        assert_eq!(scene.send_asset(other, ("spot", "spot"), "1").await, "ok");
        assert_eq!(scene.send(withdraw3(other, "2")).await, "ok");
    }
    // 150 in one balance, less 2, 4, and the activations of both accounts.
    assert_eq!(scene.usd(owner).await.1, "142.0");
    let stated = scene.it.info("userAbstraction", owner).await;
    assert_eq!(stated, "portfolioMargin");
}

#[tokio::test]
async fn standard_account_moves_money_between_its_balances() {
    for mode in ["default", "disabled"] {
        let scene = Scene::new();
        let owner = scene.owner.address();
        assert!(scene.it.exchange.set_mode(owner, mode));
        let to_perp = json!({ "type": "usdClassTransfer", "amount": "20", "toPerp": true });
        assert_eq!(scene.send(to_perp).await, "ok");
        assert_eq!(scene.send_asset(owner, ("", "spot"), "5.5").await, "ok");
        // Moves to oneself cost nothing.
        assert_eq!(scene.usd(owner).await, pair("114.5", "35.5"));
        assert_eq!(scene.send_asset(owner, ("", "test"), "4.5").await, "ok");
        assert_eq!(scene.usd(owner).await, pair("110.0", "35.5"));
        let kinds: Vec<_> =
            scene.ledger(owner).await.iter().map(|it| text(&it["type"]).to_owned()).collect();
        assert_eq!(kinds, ["accountClassTransfer", "send", "send"]);
        assert_eq!(
            scene.send_asset(owner, ("", "spot"), "111").await,
            "Insufficient balance for token transfer"
        );
        for invalid in ["0", "-1", "1e3", "1.0000001", "", "1 subaccount:0x12"] {
            let answer = scene.send_asset(owner, ("", "spot"), invalid).await;
            assert_eq!(answer, "Invalid send", "{invalid}");
        }
    }
}

#[tokio::test]
async fn send_to_new_account_costs_its_activation() {
    let scene = Scene::new();
    let (owner, other) = (scene.owner.address(), scene.other);
    let check = async || {
        let body = json!({ "type": "preTransferCheck", "user": other, "source": owner });
        scene.it.post("/info", &body).await.json()
    };
    // Of the new account, and of the sender itself.
    let before = check().await;
    assert_eq!((&before["fee"], &before["userExists"]), (&json!("2.0"), &json!(false)));
    assert_eq!(
        scene.send_asset(other, ("spot", "spot"), "49").await,
        "Insufficient USDC or HYPE balance for token transfer gas"
    );
    assert_eq!(scene.send_asset(other, ("spot", "spot"), "10").await, "ok");
    assert_eq!(scene.usd(owner).await, pair("100.0", "38.0"));
    assert_eq!(scene.usd(other).await, pair("0.0", "10.0"));
    assert_eq!(check().await["fee"], "0.0");
    let mixed = format!("{other}");
    let usd_send = json!({ "type": "usdSend", "destination": mixed, "amount": "3" });
    assert_eq!(scene.send(usd_send).await, "ok");
    assert_eq!(scene.usd(other).await, pair("3.0", "10.0"));
    // Both ledgers have the sends.
    let of_other = scene.ledger(other).await;
    assert_eq!(of_other.len(), 2);
    assert_eq!(of_other[1]["type"], "internalTransfer");
}

#[tokio::test]
async fn agent_cannot_move_money() {
    let scene = Scene::new();
    let agent = Wallet::number(9);
    assert_eq!(scene.it.approve(&scene.owner, "bot", agent.address()).await, "ok");
    let answer = scene.it.move_money(&agent, withdraw3(scene.other, "10")).await;
    let expected = format!("Must deposit before performing actions. User: {:#x}", agent.address());
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn send_to_system_address_leaves_for_hyperevm() {
    let scene = Scene::new();
    let owner = scene.owner.address();
    let usdc = address!("2000000000000000000000000000000000000000");
    let hype = address!("2222222222222222222222222222222222222222");
    assert_eq!(scene.send_asset(usdc, ("spot", "spot"), "7").await, "ok");
    // Another token than that of the address is lost.
    assert_eq!(scene.send_asset(hype, ("spot", "spot"), "8").await, "ok");
    assert_eq!(scene.chains.balance_of(999, owner, "USDC"), "7");
    assert_eq!(scene.usd(owner).await, pair("100.0", "34.0"));
}

#[tokio::test]
async fn transfer_to_the_bridge_credits_the_sender() {
    let scene = Scene::new();
    let newcomer = Wallet::number(5);
    let usdc = address!("af88d065e77c8cC2239327C5EDb3A432268e5831");
    assert!(scene.chains.fund(ARBITRUM, newcomer.address(), "ETH", "0.1"));
    assert!(scene.chains.fund(ARBITRUM, newcomer.address(), "USDC", "100"));
    let pay = async |nonce, amount: u64| {
        let words = [word(BRIDGE), U256::from(amount)];
        let data = call("transfer(address,uint256)", &words);
        let unsigned = Unsigned { nonce, data, ..Unsigned::to(ARBITRUM, usdc) };
        submit(&scene.chains, ARBITRUM, &unsigned.sign(&newcomer)).await.unwrap()
    };
    pay(0, 4_999_999).await;
    assert_eq!(scene.usd(newcomer.address()).await, pair("0.0", "0.0"));
    let hash = pay(1, 20_000_000).await;
    // Less than five is lost.
    assert_eq!(scene.usd(newcomer.address()).await, pair("20.0", "0.0"));
    let [deposit] = scene.it.exchange.payments(newcomer.address()).try_into().unwrap();
    assert_eq!((deposit.hash, deposit.nonce), (hash.to_string(), None));
    assert_eq!(scene.ledger(newcomer.address()).await[0]["usdc"], "20");
}

#[tokio::test]
async fn restored_exchange_keeps_its_ledger_and_pays_once() {
    let scene = Scene::new();
    let (owner, other) = (scene.owner.address(), scene.other);
    let body = scene.it.signed_money(&scene.owner, withdraw3(other, "20"));
    assert_eq!(scene.it.exchange(&body).await, "ok");
    let again = Exchange::new(Chain::Mainnet, scene.it.clock.reader());
    again.restore(&scene.it.exchange.snapshot().unwrap()).unwrap();
    again.restore_market(&scene.it.exchange.market_snapshot()).unwrap();
    again.connect(&scene.chains);
    assert_eq!(again.payments(owner), scene.it.exchange.payments(owner));
    scene.it.clock.advance(5_000);
    assert_eq!(scene.chains.balance_of(ARBITRUM, other, "USDC"), "19");
    assert!(again.payments(owner)[0].is_paid);
}

#[tokio::test]
async fn routing_and_delay_can_be_steered() {
    use crate::support::send;
    let scene = Scene::new();
    let routing = async || scene.it.post("/info", &json!({ "type": "usdcRouting" })).await.json();
    assert_eq!(routing().await["withdrawalRoute"], "cctp");
    for (rule, value) in [("usdcRouting", "bridge"), ("payoutDelay", "0")] {
        let body = json!({ "rule": rule, "value": value }).to_string();
        let request = http::Request::post("/_sim/rule")
            .header("host", "localhost:1")
            .header("content-type", "application/json")
            .body(axum::body::Body::from(body))
            .unwrap();
        let answered = tower::ServiceExt::oneshot(scene.it.exchange.router(), request).await;
        assert_eq!(answered.unwrap().status(), 200, "{rule}");
    }
    assert_eq!(routing().await["withdrawalRoute"], "bridge");
    assert_eq!(scene.send(withdraw3(scene.other, "20")).await, "ok");
    assert_eq!(scene.chains.balance_of(ARBITRUM, scene.other, "USDC"), "19");
    let guarded = send(scene.chains.router(), "GET", "/_sim/account?account=0x12", None).await;
    assert_eq!(guarded.status, 403);
}
