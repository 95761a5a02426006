//! Withdrawals and deposits of the simulated Aster, over HTTP.

use alloy_primitives::{Address, U256, address};
use exchange_sim::aster::{Network, signing};
use exchange_sim::chain::Chains;
use exchange_sim::faults::Fault;
use serde_json::{Value, json};

use crate::support::aster::{Aster, Wanted, said};
use crate::support::chain::{Unsigned, call, submit, word};
use crate::support::{Wallet, check_vector, send, text, vectors};

const WITHDRAW: &str = "/fapi/v3/aster/user-withdraw";
const ESTIMATE: &str = "/bapi/futures/v1/public/future/aster/estimate-withdraw-fee";
const HISTORY: &str = "/fapi/v3/aster/deposit-withdraw-history";
const VAULT: Address = address!("128463A60784c4D3f46c23Af3f65Ed859Ba87974");
const USDT: Address = address!("55d398326f99059fF775485246999027B3197955");

/// An exchange with chains, and an account with 100 USDT for futures.
struct Scene {
    it: Aster,
    chains: Chains,
    owner: Wallet,
}

impl Scene {
    fn new() -> Self {
        let it = Aster::new();
        let chains = Chains::new(it.clock.reader());
        it.exchange.connect(&chains);
        let owner = Wallet::number(1);
        assert!(it.exchange.deposit_amount(owner.address(), "100"));
        Self { it, chains, owner }
    }

    fn wanted(&self) -> Wanted<'static> {
        let receiver = self.owner.address();
        Wanted { chain_id: 56, asset: "USDT", amount: "31", fee: "0.3", receiver }
    }

    /// Sends a withdrawal. Returns its id, or the code and text of the error.
    async fn withdraw(&self, body: &str) -> Result<String, String> {
        let answer = self.it.form("POST", WITHDRAW, body).await;
        match answer.json()["withdrawId"].as_str() {
            Some(id) => Ok(id.to_owned()),
            None => Err(said(&answer)),
        }
    }

    async fn history(&self) -> Vec<Value> {
        let answer = self.it.post_call(HISTORY, self.owner.address(), &self.owner).await;
        answer.json().as_array().unwrap().clone()
    }

    fn on_chain(&self) -> String {
        self.chains.balance_of(56, self.owner.address(), "USDT")
    }
}

#[tokio::test]
async fn withdrawal_vectors_are_verified_and_executed() {
    let mut met = 0;
    for vector in vectors("aster_trading.json") {
        if vector["category"] != "aster_withdraw" {
            continue;
        }
        let (name, inputs) = (text(&vector["name"]), &vector["inputs"]);
        let user: Address = text(&inputs["user"]).parse().unwrap();
        let chain_id = inputs["chainId"].as_u64().unwrap();
        let action = signing::Withdraw {
            domain: chain_id,
            chain_id,
            destination: text(&inputs["receiver"]).parse().unwrap(),
            token: text(&inputs["asset"]),
            amount: text(&inputs["amount"]),
            fee: text(&inputs["fee"]),
            nonce: text(&inputs["userNonce"]).parse().unwrap(),
        };
        check_vector(&vector, signing::withdraw_digest(Network::Mainnet, &action).unwrap());
        let it = Aster::of(Network::Mainnet, inputs["nonce"].as_u64().unwrap() / 1_000);
        it.exchange.deposit(user);
        assert!(it.exchange.deposit_spot(user, text(&inputs["asset"]), "1000"));
        let (path, body) =
            (text(&vector["request"]["path"]), text(&vector["request"]["body_text"]));
        let answer = it.form("POST", path, body).await;
        if inputs["wrapper_signed_by"] == "agent" {
            // It has no right to withdraw.
            assert_eq!(said(&answer), "-1000 No agent found", "{name}");
            let agent = text(&vector["wrapper"]["address"]).parse().unwrap();
            assert!(it.exchange.add_agent(user, "bot", agent, it.in_a_month()));
            let answer = it.form("POST", path, body).await;
            assert!(said(&answer).starts_with("-2015 Invalid API-key"), "{name}");
        } else {
            assert!(answer.json()["withdrawId"].is_string(), "{name}: {}", answer.body);
            let hash = &vector["wrapper"]["hashes"]["digest"];
            assert_eq!(&answer.json()["hash"], hash, "{name}");
        }
        met += 1;
    }
    assert_eq!(met, 4);
}

#[tokio::test]
async fn withdrawal_pays_on_its_chain_once() {
    let scene = Scene::new();
    let (body, nonce) = scene.it.withdrawal(&scene.owner, &scene.wanted());
    scene.it.exchange.fail_next("withdraw", Fault::AppliedButLost);
    assert_eq!(scene.it.form("POST", WITHDRAW, &body).await.status, 502);
    assert_eq!(scene.withdraw(&body).await, Err("-4225 Nonce Expired".to_owned()));
    let [entry] = scene.history().await.try_into().unwrap();
    assert_eq!(
        (&entry["state"], &entry["amount"], &entry["type"]),
        (&json!("PROCESSING"), &json!("31"), &json!("WITHDRAW"))
    );
    assert_eq!(scene.on_chain(), "0");
    scene.it.clock.advance(5_000);
    assert_eq!(scene.on_chain(), "30.7");
    let [entry] = scene.history().await.try_into().unwrap();
    assert_eq!((&entry["state"], &entry["chainId"]), (&json!("SUCCESS"), &json!(56)));
    let [payment] = scene.it.exchange.payments(scene.owner.address()).try_into().unwrap();
    assert_eq!((payment.nonce, payment.amount.as_str()), (Some(nonce), "31"));
}

/// Aster does not document whether it refuses the second. The strict guess: it does not.
#[tokio::test]
async fn second_wrapper_around_a_withdrawal_pays_again() {
    let scene = Scene::new();
    let (first, nonce) = scene.it.withdrawal(&scene.owner, &scene.wanted());
    let wanted = scene.wanted();
    let second = scene.it.wrapped(&scene.owner, &scene.owner, (&wanted, nonce));
    assert!(scene.withdraw(&first).await.is_ok());
    assert!(scene.withdraw(&second).await.is_ok());
    scene.it.clock.advance(5_000);
    assert_eq!(scene.on_chain(), "61.4");
    let mut rules = scene.it.exchange.rules();
    rules.money.nonce_is_single = true;
    scene.it.exchange.set_rules(rules);
    let third = scene.it.wrapped(&scene.owner, &scene.owner, (&wanted, nonce));
    assert_eq!(scene.withdraw(&third).await, Err("-4225 Nonce Expired".to_owned()));
}

#[tokio::test]
async fn withdrawals_against_the_rules_are_refused() {
    let scene = Scene::new();
    let (owner, other) = (&scene.owner, Wallet::number(2));
    let refuse = async |wanted: Wanted<'_>, expected: &str| {
        let (body, _) = scene.it.withdrawal(owner, &wanted);
        assert_eq!(scene.withdraw(&body).await, Err(expected.to_owned()));
    };
    let wanted = || scene.wanted();
    let receiver = Wanted { receiver: other.address(), ..wanted() };
    refuse(receiver, "-1000 The receiver must be the account's own address.").await;
    let limit = "-1000 You've exceeded the withdrawal limit for this chain.";
    refuse(Wanted { amount: "100.1", ..wanted() }, limit).await;
    refuse(Wanted { fee: "0.1", ..wanted() }, "-1000 The withdrawal fee is too low.").await;
    let fee = "-1130 Data sent for parameter 'fee' is not valid.";
    refuse(Wanted { fee: "3E-1", ..wanted() }, fee).await;
    let asset = "-1130 Data sent for parameter 'chainId' is not valid.";
    refuse(Wanted { asset: "BTC", ..wanted() }, asset).await;
    // The withdrawal by another wallet, and a changed amount.
    let foreign = scene.it.wrapped(&other, owner, (&wanted(), scene.it.nonce()));
    assert!(scene.withdraw(&foreign).await.is_err());
    let (body, _) = scene.it.withdrawal(owner, &wanted());
    let changed = body.replace("amount=31", "amount=32");
    assert_eq!(scene.withdraw(&changed).await, Err("-1000 Signature check failed".to_owned()));
    // A wrapper by the agent, which may not withdraw, around an action by the wallet.
    let agent = Wallet::number(9);
    let expires = scene.it.in_a_month();
    assert!(scene.it.exchange.add_agent(owner.address(), "bot", agent.address(), expires));
    let by_agent = scene.it.wrapped(owner, &agent, (&wanted(), scene.it.nonce()));
    assert!(scene.withdraw(&by_agent).await.unwrap_err().starts_with("-2015 "));
    // The nonce of the withdrawal is too old.
    let old = scene.it.nonce() - 3_700_000_000;
    let body = scene.it.wrapped(owner, owner, (&wanted(), old));
    let expected = "-1130 Data sent for parameter 'userNonce' is not valid.";
    assert_eq!(scene.withdraw(&body).await, Err(expected.to_owned()));
    assert_eq!(scene.it.exchange.payments(owner.address()), []);
}

#[tokio::test]
async fn fee_estimate_may_have_an_exponent() {
    let scene = Scene::new();
    let ask = async |query: &str| {
        send(scene.it.exchange.router(), "GET", &format!("{ESTIMATE}?{query}"), None).await.body
    };
    let usdt = ask("chainId=56&network=EVM&currency=USDT&accountType=perp").await;
    assert!(usdt.contains(r#""gasCost":0.11,"#), "{usdt}");
    let bnb = ask("chainId=56&network=EVM&currency=BNB&accountType=spot").await;
    assert!(bnb.contains(r#""gasCost":1.7E-4,"#), "{bnb}");
    let unknown = ask("chainId=56&network=EVM&currency=BTC&accountType=spot").await;
    assert!(unknown.contains(r#""success":false"#), "{unknown}");
    let mut rules = scene.it.exchange.rules();
    rules.money.fee = Some("9E-1".to_owned());
    scene.it.exchange.set_rules(rules);
    let path = "/api/v3/aster/withdraw/estimateFee?chainId=56&asset=USDT";
    let spot = send(scene.it.exchange.router(), "GET", path, None).await.body;
    assert!(spot.contains(r#""gasCost":9E-1,"#), "{spot}");
    let (body, _) = scene.it.withdrawal(&scene.owner, &scene.wanted());
    let low = "-1000 The withdrawal fee is too low.";
    assert_eq!(scene.withdraw(&body).await, Err(low.to_owned()));
}

#[tokio::test]
async fn spot_withdrawal_takes_spot_balance() {
    let scene = Scene::new();
    let owner = scene.owner.address();
    assert!(scene.it.exchange.deposit_spot(owner, "BNB", "2"));
    let wanted = Wanted { asset: "BNB", amount: "0.5", fee: "0.00017", ..scene.wanted() };
    let (body, _) = scene.it.withdrawal(&scene.owner, &wanted);
    let answer = scene.it.form("POST", "/api/v3/aster/user-withdraw", &body).await;
    assert!(answer.json()["withdrawId"].is_string(), "{}", answer.body);
    scene.it.clock.advance(5_000);
    assert_eq!(scene.chains.balance_of(56, owner, "BNB"), "0.49983");
    let path = "/fapi/v3/aster/user-withdraw-info";
    let info = scene.it.post_call(path, owner, &scene.owner).await.json();
    let bnb = &info["balances"]["BNB"]["chainBalances"]["56"];
    assert_eq!(
        (&bnb["spotMaxWithdrawAmount"], &bnb["perpMaxWithdrawAmount"], &bnb["withdrawFee"]),
        (&json!("1.5"), &json!("0"), &json!("0.00017"))
    );
    assert_eq!(info["balances"]["USDT"]["perpTotalWithdrawAmount"], "100");
}

#[tokio::test]
async fn deposit_for_credits_the_named_account() {
    let scene = Scene::new();
    let (payer, owner) = (Wallet::number(7), scene.owner.address());
    assert!(scene.chains.fund(56, payer.address(), "BNB", "1"));
    assert!(scene.chains.fund(56, payer.address(), "USDT", "30"));
    let amount = U256::from(10).pow(U256::from(19));
    let approve = call("approve(address,uint256)", &[word(VAULT), amount * U256::from(2)]);
    let deposit = |broker: u64| {
        let words = [word(USDT), word(owner), amount, U256::from(broker)];
        call("depositFor(address,address,uint256,uint256)", &words)
    };
    let calls =
        [(USDT, approve), (VAULT, deposit(0)), (VAULT, deposit(1_000)), (VAULT, deposit(0))];
    for (nonce, (to, data)) in (0..).zip(calls) {
        let unsigned = Unsigned { nonce, data, ..Unsigned::to(56, to) };
        submit(&scene.chains, 56, &unsigned.sign(&payer)).await.unwrap();
    }
    // The last exceeds the allowance.
    assert_eq!(scene.chains.balance_of(56, payer.address(), "USDT"), "10");
    let entries = scene.history().await;
    let shown: Vec<_> =
        entries.iter().map(|it| (text(&it["type"]), text(&it["accountType"]))).collect();
    assert_eq!(shown, [("DEPOSIT", "spot"), ("DEPOSIT", "perp")]);
    let sent = scene.chains.transactions_of(56, payer.address());
    assert_eq!(entries[1]["txHash"], sent[1].hash.to_string());
    assert_eq!(sent[3].success, Some(false));
}
