//! Orders on the simulated Aster.

use exchange_sim::aster::{Noop, Rules};
use serde_json::{Value, json};

use crate::support::{Answer, DAY_MS, Wallet, aster::Aster, aster::sign_text};

const ORDER: &str = "/fapi/v3/order";

fn user() -> Wallet {
    Wallet::number(1)
}

fn agent() -> Wallet {
    Wallet::number(9)
}

/// Returns an exchange where the user has an agent.
fn with_agent() -> Aster {
    let aster = Aster::new();
    let expired = aster.in_a_month();
    assert!(aster.exchange.add_agent(user().address(), "bot", agent().address(), expired));
    aster
}

/// Sends a call of the agent with a nonce.
async fn call_at(aster: &Aster, (method, path): (&str, &str), text: &str, nonce: u64) -> Answer {
    let (user, signer) = (user().address(), agent().address());
    let separator = if text.is_empty() { "" } else { "&" };
    let text = format!("nonce={nonce}&user={user}&signer={signer}{separator}{text}");
    let signature = sign_text(&agent(), 1_666, &text);
    let signed = format!("{text}&signature={signature}");
    if method == "GET" {
        aster.get(path, &signed).await
    } else {
        aster.form(method, path, &signed).await
    }
}

async fn call(aster: &Aster, route: (&str, &str), text: &str) -> Value {
    call_at(aster, route, text, aster.nonce()).await.json()
}

async fn place(aster: &Aster, text: &str) -> Value {
    call(aster, ("POST", ORDER), text).await
}

fn limit(price: &str, more: &str) -> String {
    format!("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.010&price={price}{more}")
}

async fn position(aster: &Aster, symbol: &str) -> String {
    aster.exchange.position_of(user().address(), symbol)
}

#[tokio::test]
async fn limit_order_rests_and_fills_with_exact_fields() {
    let aster = with_agent();
    let placed = place(&aster, &limit("59000.10", "&newClientOrderId=bot-1")).await;
    assert!(placed["orderId"].as_u64().unwrap() > 1 << 53);
    for (field, value) in [
        ("symbol", json!("BTCUSDT")),
        ("status", json!("NEW")),
        ("clientOrderId", json!("bot-1")),
        ("price", json!("59000.10")),
        ("avgPrice", json!("0.00000")),
        ("origQty", json!("0.010")),
        ("executedQty", json!("0.000")),
        ("timeInForce", json!("GTC")),
        ("type", json!("LIMIT")),
        ("reduceOnly", json!(false)),
        ("positionSide", json!("BOTH")),
        ("stopPrice", json!("0.00")),
    ] {
        assert_eq!(placed[field], value, "{field}");
    }
    let lookup = "symbol=BTCUSDT&origClientOrderId=bot-1";
    assert_eq!(call(&aster, ("GET", ORDER), lookup).await["status"], "NEW");
    let open = call(&aster, ("GET", "/fapi/v3/openOrders"), "").await;
    assert_eq!(open[0]["orderId"], placed["orderId"]);
    assert!(aster.exchange.set_price("BTCUSDT", "58000"));
    let filled = call(&aster, ("GET", ORDER), lookup).await;
    assert_eq!((&filled["status"], &filled["avgPrice"]), (&json!("FILLED"), &json!("59000.10000")));
    assert_eq!(call(&aster, ("GET", "/fapi/v3/openOrder"), lookup).await["code"], -2_013);
    let risk = call(&aster, ("GET", "/fapi/v3/positionRisk"), "symbol=BTCUSDT").await;
    assert_eq!((&risk[0]["positionAmt"], &risk[0]["leverage"]), (&json!("0.010"), &json!("20")));
    let rows = call(&aster, ("GET", "/fapi/v3/positionRisk"), "").await;
    assert_eq!(rows.as_array().unwrap().len(), 5);
    let trades = call(&aster, ("GET", "/fapi/v3/userTrades"), "symbol=BTCUSDT").await;
    assert_eq!((&trades[0]["qty"], &trades[0]["maker"]), (&json!("0.01"), &json!(true)));
}

#[tokio::test]
async fn market_order_returns_new_unless_result_is_requested() {
    let aster = with_agent();
    let market = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.01";
    let placed = place(&aster, market).await;
    let (status, executed) = (&placed["status"], &placed["executedQty"]);
    assert_eq!((status, executed), (&json!("NEW"), &json!("0.000")));
    let placed = place(&aster, &format!("{market}&newOrderRespType=RESULT")).await;
    assert_eq!((&placed["status"], &placed["price"]), (&json!("FILLED"), &json!("0.00")));
    assert_eq!(position(&aster, "BTCUSDT").await, "0.02");
}

#[tokio::test]
async fn refusals_have_the_exchanges_codes() {
    let aster = with_agent();
    let btc = |rest: &str| format!("symbol=BTCUSDT&side=BUY&{rest}");
    let cases = [
        ("symbol=NOUSDT&side=BUY&type=MARKET&quantity=1".to_owned(), -1_121),
        ("symbol=OLDUSDT&side=BUY&type=MARKET&quantity=1".to_owned(), -4_140),
        ("symbol=BTCUSDT&side=HOLD&type=MARKET&quantity=1".to_owned(), -1_117),
        (btc("type=TWAP&quantity=1"), -1_116),
        (btc("type=MARKET"), -1_102),
        (btc("type=MARKET&quantity=0.01&price=60000"), -1_106),
        (btc("type=MARKET&quantity=0.01&timeInForce=GTC"), -1_106),
        (btc("type=LIMIT&quantity=0.01&price=60000"), -1_102),
        (btc("type=STOP_MARKET&quantity=0.01&stopPrice=70000&timeInForce=IOC"), -1_115),
        (btc("type=MARKET&quantity=0"), -4_003),
        (btc("type=MARKET&quantity=0.0001"), -1_111),
        (btc("type=MARKET&quantity=121"), -4_005),
        (btc("type=MARKET&quantity=1E-2"), -1_100),
        (limit("59000.05", ""), -4_014),
        (limit("59000.055", ""), -1_111),
        (limit("1000001", ""), -4_002),
        (limit("0.5", ""), -4_013),
        (limit("61500", ""), -4_016),
        (btc("type=LIMIT&timeInForce=GTC&quantity=0.001&price=4000"), -4_164),
        (btc("type=LIMIT&timeInForce=GTC&quantity=900&price=59000"), -2_019),
        (limit("59000", "&reduceOnly=true"), -2_022),
        (limit("59000", "&positionSide=LONG"), -4_061),
        (btc("type=STOP_MARKET&quantity=0.01&stopPrice=59000"), -2_021),
        (limit("59000", "&newClientOrderId=a%20b"), -4_015),
        ("symbol=ETHUSDT&side=BUY&type=MARKET&quantity=0.015".to_owned(), -4_023),
    ];
    for (text, code) in cases {
        let said = place(&aster, &text).await;
        assert_eq!(said["code"], code, "{text}: {said}");
    }
    assert!(aster.exchange.executions(user().address()).is_empty());
    assert!(aster.exchange.open_orders_of(user().address()).is_empty());
}

#[tokio::test]
async fn unmatched_ioc_fok_and_gtx_expire() {
    let aster = with_agent();
    for (tif, price) in [("IOC", "59000"), ("FOK", "59000"), ("GTX", "60500")] {
        let text = limit(price, "&newOrderRespType=RESULT").replace("GTC", tif);
        let placed = place(&aster, &text).await;
        assert_eq!(
            (&placed["status"], &placed["executedQty"]),
            (&json!("EXPIRED"), &json!("0.000"))
        );
    }
    let size = |price: &str, size: &str| (price.to_owned(), size.to_owned());
    assert!(aster.exchange.set_liquidity("BTCUSDT", &[], &[size("60000", "0.004")]));
    let fok = limit("60000", "&newOrderRespType=RESULT").replace("GTC", "FOK");
    assert_eq!(place(&aster, &fok).await["status"], "EXPIRED");
    let ioc = fok.replace("FOK", "IOC");
    let placed = place(&aster, &ioc).await;
    assert_eq!((&placed["status"], &placed["executedQty"]), (&json!("EXPIRED"), &json!("0.004")));
}

#[tokio::test]
async fn client_id_is_unique_only_among_open_orders() {
    let aster = with_agent();
    let resting = limit("59000", "&newClientOrderId=bot-1");
    assert_eq!(place(&aster, &resting).await["status"], "NEW");
    assert_eq!(place(&aster, &resting).await["code"], -4_116);
    let market = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.01&newClientOrderId=bot-2";
    for _ in 0..2 {
        assert_eq!(place(&aster, market).await["status"], "NEW");
    }
    let executions = aster.exchange.executions(user().address());
    assert_eq!((executions["bot-1"].accepted, executions["bot-2"].accepted), (1, 2));
    assert_eq!(executions["bot-2"].filled, "0.02");
}

#[tokio::test]
async fn modify_keeps_order_id_and_refusal_changes_nothing() {
    let aster = with_agent();
    let placed = place(&aster, &limit("59000", "&newClientOrderId=bot-1")).await;
    let put = |rest: &str| format!("symbol=BTCUSDT&origClientOrderId=bot-1&{rest}");
    let changed = call(&aster, ("PUT", ORDER), &put("quantity=0.02&price=58000")).await;
    assert_eq!((&changed["orderId"], &changed["price"]), (&placed["orderId"], &json!("58000.00")));
    assert_eq!(changed["origQty"], "0.020");
    for (rest, code) in [
        ("quantity=0.02", -1_102),
        ("price=58000", -1_102),
        ("quantity=0.02&price=58000.05", -4_014),
        ("quantity=900&price=58000", -2_019),
    ] {
        assert_eq!(call(&aster, ("PUT", ORDER), &put(rest)).await["code"], code, "{rest}");
    }
    let open = aster.exchange.open_orders_of(user().address());
    assert_eq!((open[0].price.as_str(), open[0].quantity.as_str()), ("58000", "0.02"));
    // A changed price that crosses matches.
    let crossed = call(&aster, ("PUT", ORDER), &put("quantity=0.02&price=61000")).await;
    assert_eq!(crossed["status"], "FILLED");
    let gone = call(&aster, ("PUT", ORDER), &put("quantity=0.02&price=59000")).await;
    assert_eq!(gone["code"], -2_013);
}

#[tokio::test]
async fn cancels_return_orders_or_text_code() {
    let aster = with_agent();
    let named = |number: u8| limit("59000", &format!("&newClientOrderId=bot-{number}"));
    let mut oids = Vec::new();
    for number in 1..=5 {
        oids.push(place(&aster, &named(number)).await["orderId"].clone());
    }
    let by_client = "symbol=BTCUSDT&origClientOrderId=bot-1";
    let cancelled = call(&aster, ("DELETE", ORDER), by_client).await;
    assert_eq!(cancelled["status"], "CANCELED");
    let gone = call(&aster, ("DELETE", ORDER), by_client).await;
    assert_eq!((&gone["code"], &gone["msg"]), (&json!(-2_011), &json!("Unknown order sent.")));
    let list = format!("symbol=BTCUSDT&orderIdList=%5B{},1%5D", oids[1]).replace(',', "%2C");
    let both = call(&aster, ("DELETE", "/fapi/v3/batchOrders"), &list).await;
    assert_eq!((&both[0]["status"], &both[1]["code"]), (&json!("CANCELED"), &json!(-2_011)));
    let all = call(&aster, ("DELETE", "/fapi/v3/allOpenOrders"), "symbol=BTCUSDT").await;
    assert_eq!(all["code"], "200");
    assert!(aster.exchange.open_orders_of(user().address()).is_empty());
    // An order without a fill is forgotten after seven days.
    assert_eq!(call(&aster, ("GET", ORDER), by_client).await["status"], "CANCELED");
    aster.clock.advance(7 * DAY_MS + 1);
    assert_eq!(call(&aster, ("GET", ORDER), by_client).await["code"], -2_013);
}

#[tokio::test]
async fn batch_elements_have_their_own_results() {
    let aster = with_agent();
    let order = |price: &str| {
        json!({
            "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
            "quantity": "0.01", "price": price,
        })
    };
    let send = async |orders: Vec<Value>| {
        let list = json!(orders).to_string();
        let list: String = url::form_urlencoded::byte_serialize(list.as_bytes()).collect();
        call(&aster, ("POST", "/fapi/v3/batchOrders"), &format!("batchOrders={list}")).await
    };
    let both = send(vec![order("59000"), order("59000.05")]).await;
    assert_eq!((&both[0]["status"], &both[1]["code"]), (&json!("NEW"), &json!(-4_014)));
    let six = send(vec![order("59000"); 6]).await;
    let text = "Illegal characters found in parameter 'batchOrders'; legal range is '1 to 5'.";
    assert_eq!(six["msg"], text);
    assert_eq!(aster.exchange.open_orders_of(user().address()).len(), 1);
}

#[tokio::test]
async fn hedge_mode_separates_long_and_short() {
    let aster = with_agent();
    aster.exchange.set_mode(user().address(), true);
    let market = |side: &str, of: &str| {
        format!("symbol=BTCUSDT&side={side}&type=MARKET&quantity=0.01&positionSide={of}")
    };
    let plain = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.01";
    assert_eq!(place(&aster, plain).await["code"], -4_061);
    let surplus = format!("{}&reduceOnly=true", market("BUY", "LONG"));
    assert_eq!(place(&aster, &surplus).await["code"], -1_106);
    assert_eq!(place(&aster, &market("SELL", "LONG")).await["code"], -2_022);
    for (side, of) in [("BUY", "LONG"), ("SELL", "SHORT")] {
        assert_eq!(place(&aster, &market(side, of)).await["status"], "NEW");
    }
    let rows = call(&aster, ("GET", "/fapi/v3/positionRisk"), "symbol=BTCUSDT").await;
    let amounts: Vec<_> = rows.as_array().unwrap().iter().map(|row| &row["positionAmt"]).collect();
    assert_eq!(amounts, ["0.000", "0.010", "-0.010"]);
    assert_eq!(place(&aster, &market("SELL", "LONG")).await["status"], "NEW");
    assert_eq!(position(&aster, "BTCUSDT").await, "-0.01");
    let mode = call(&aster, ("GET", "/fapi/v3/positionSide/dual"), "").await;
    assert_eq!(mode["dualSidePosition"], true);
}

#[tokio::test]
async fn stop_orders_trigger_by_the_mark() {
    let aster = with_agent();
    let stop = "symbol=BTCUSDT&side=BUY&type=STOP_MARKET&quantity=0.01&stopPrice=60500\
                &newClientOrderId=s";
    assert_eq!(place(&aster, stop).await["status"], "NEW");
    assert!(aster.exchange.set_price("BTCUSDT", "60600"));
    assert_eq!(position(&aster, "BTCUSDT").await, "0.01");
    let shown = call(&aster, ("GET", ORDER), "symbol=BTCUSDT&origClientOrderId=s").await;
    let words = (&shown["status"], &shown["type"], &shown["origType"]);
    assert_eq!(words, (&json!("FILLED"), &json!("MARKET"), &json!("STOP_MARKET")));
    let close = "symbol=BTCUSDT&side=SELL&type=TAKE_PROFIT_MARKET&stopPrice=61000\
                 &closePosition=true";
    assert_eq!(place(&aster, close).await["closePosition"], true);
    assert!(aster.exchange.set_price("BTCUSDT", "61100"));
    assert_eq!(position(&aster, "BTCUSDT").await, "0");
}

/// The nonce is the exchange's only guard against a second execution of the same request.
#[tokio::test]
async fn nonce_is_used_once_and_noop_uses_it_up() {
    let aster = with_agent();
    let nonce = aster.nonce();
    let order = limit("59000", "&newClientOrderId=bot-1");
    let route = ("POST", ORDER);
    assert_eq!(call_at(&aster, route, &order, nonce).await.json()["status"], "NEW");
    assert_eq!(call_at(&aster, route, &order, nonce).await.json()["code"], -4_225);
    let nonce = aster.nonce();
    let noop = call_at(&aster, ("POST", "/fapi/v3/noop"), "", nonce).await.json();
    assert_eq!(noop["code"], 200);
    let late = limit("59000", "&newClientOrderId=bot-2");
    assert_eq!(call_at(&aster, route, &late, nonce).await.json()["code"], -4_225);
    // A request is valid for a minute.
    let nonce = aster.nonce();
    aster.clock.advance(59_999);
    assert_eq!(call_at(&aster, route, &late, nonce).await.json()["status"], "NEW");
    let nonce = aster.nonce();
    aster.clock.advance(60_002);
    assert_eq!(call_at(&aster, route, &late, nonce).await.json()["code"], -4_225);
    assert_eq!(aster.exchange.executions(user().address()).len(), 2);
}

/// The pessimistic reading of the documents: a success says nothing about the order.
#[tokio::test]
async fn acknowledged_noop_proves_nothing_about_its_nonce() {
    let aster = with_agent();
    let rules = aster.exchange.rules();
    aster.exchange.set_rules(Rules { noop: Noop::Acknowledgement, ..rules });
    let (nonce, noop) = (aster.nonce(), ("POST", "/fapi/v3/noop"));
    let order = limit("59000", "&newClientOrderId=bot-1");
    assert_eq!(call_at(&aster, ("POST", ORDER), &order, nonce).await.json()["status"], "NEW");
    assert_eq!(call_at(&aster, noop, "", nonce).await.json()["code"], 200);
    // A free nonce is used up as before, and a stale one is refused.
    let nonce = aster.nonce();
    assert_eq!(call_at(&aster, noop, "", nonce).await.json()["code"], 200);
    let late = limit("59000", "&newClientOrderId=bot-2");
    assert_eq!(call_at(&aster, ("POST", ORDER), &late, nonce).await.json()["code"], -4_225);
    aster.clock.advance(60_001);
    assert_eq!(call_at(&aster, noop, "", nonce).await.json()["code"], -4_225);
}

#[tokio::test]
async fn lagging_reads_show_an_earlier_state() {
    let aster = with_agent();
    aster.exchange.set_rules(Rules { reads_lag_ms: 8_000, ..aster.exchange.rules() });
    place(&aster, &limit("59000", "&newClientOrderId=bot-1")).await;
    let status = ("GET", ORDER);
    let named = "symbol=BTCUSDT&origClientOrderId=bot-1";
    aster.clock.advance(7_999);
    assert_eq!(call(&aster, status, named).await["code"], -2_013);
    aster.clock.advance(1);
    assert_eq!(call(&aster, status, named).await["status"], "NEW");
}

#[tokio::test]
async fn metadata_has_filters_that_disagree_with_precisions() {
    let aster = Aster::new();
    let info = aster.get("/fapi/v3/exchangeInfo", "").await.json();
    let btc = &info["symbols"][0];
    assert_eq!(
        (&btc["pricePrecision"], &btc["filters"][0]["tickSize"]),
        (&json!(2), &json!("0.10"))
    );
    assert_eq!(info["symbols"][3]["symbol"], "币安人生USDT");
    assert_eq!(info["symbols"][4]["status"], "SETTLING");
    let mark = aster.get("/fapi/v3/premiumIndex", "symbol=BTCUSDT").await.json();
    assert_eq!(mark["markPrice"], "60000.00000000");
}

#[tokio::test]
async fn non_ascii_symbol_trades() {
    let aster = with_agent();
    let symbol: String = url::form_urlencoded::byte_serialize("币安人生USDT".as_bytes()).collect();
    let market = format!("symbol={symbol}&side=BUY&type=MARKET&quantity=100");
    assert_eq!(place(&aster, &market).await["symbol"], "币安人生USDT");
    assert_eq!(position(&aster, "币安人生USDT").await, "100");
}

#[tokio::test]
async fn open_orders_of_all_symbols_weigh_forty() {
    let aster = with_agent();
    call(&aster, ("GET", "/fapi/v3/openOrders"), "symbol=BTCUSDT").await;
    call(&aster, ("GET", "/fapi/v3/openOrders"), "").await;
    let weights: Vec<_> = aster.exchange.requests().iter().map(|it| it.weight).collect();
    assert_eq!(weights, [1, 40]);
}
