use alloy_primitives::eip191_hash_message;
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use axum::body::{Body, to_bytes};
use exchange_sim::{
    aster::{Rules, v1::login_message},
    faults::Fault,
};
use http::Request;
use serde_json::Value;
use tower::ServiceExt;

use crate::support::{
    Answer, START, Wallet,
    aster::{Aster, FORM, said},
    check_signature, send, text, vectors,
};

const NONCE: &str = "/api/v1/getNonce";
const CREATE: &str = "/api/v1/createApiKey";
const BALANCE: &str = "/fapi/v2/balance";

const NONCE_EXPIRED: &str = "-4225 Nonce Expired";
const SIGNATURE: &str = "-1000 Signature check failed";
const HMAC: &str = "-1022 Signature for this request is not valid.";

fn owner() -> Wallet {
    Wallet::number(1)
}

fn ask(wallet: &Wallet) -> String {
    format!("userOperationType=CREATE_API_KEY&address={}", wallet.address())
}

async fn nonce(aster: &Aster, wallet: &Wallet) -> u64 {
    let answer = aster.form("POST", NONCE, &ask(wallet)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body.parse().unwrap()
}

fn login(wallet: &Wallet, message: &str) -> String {
    format!("0x{}", hex::encode(wallet.sign(eip191_hash_message(message))))
}

/// Returns a request for a key, with the signature of a new nonce.
async fn request(aster: &Aster, wallet: &Wallet, rest: &str) -> String {
    let signature = login(wallet, &login_message(nonce(aster, wallet).await));
    format!("{}&userSignature={signature}&timestamp={}{rest}", ask(wallet), aster.clock.now())
}

/// Requests a nonce and a key.
async fn create(aster: &Aster, wallet: &Wallet, rest: &str) -> Answer {
    let body = request(aster, wallet, rest).await;
    aster.form("POST", CREATE, &body).await
}

async fn with_key(method: &str, uri: &str, api_key: &str, aster: &Aster) -> Answer {
    let request = Request::builder().method(method).uri(uri).header("X-MBX-APIKEY", api_key);
    let request = request.header("content-type", FORM).body(Body::empty()).unwrap();
    let (head, body) = aster.exchange.router().oneshot(request).await.unwrap().into_parts();
    let body = String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().into()).unwrap();
    Answer { status: head.status, headers: head.headers, body }
}

fn tag(secret: &str, text: &str) -> String {
    hex::encode(sign(&Key::new(HMAC_SHA256, secret.as_bytes()), text.as_bytes()))
}

/// Sends a read that a key signs.
async fn balance(aster: &Aster, api_key: &str, secret: &str, text: &str) -> Answer {
    let uri = format!("{BALANCE}?{text}&signature={}", tag(secret, text));
    with_key("GET", &uri, api_key, aster).await
}

#[tokio::test]
async fn signed_nonce_returns_key_that_signs_calls() {
    let aster = Aster::new();
    let answer = create(&aster, &owner(), "&desc=bot&apikeyIP=203.0.113.7,2001:db8::1").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let given = answer.json();
    let (api_key, secret) = (text(&given["apiKey"]), text(&given["apiSecret"]));
    for half in [api_key, secret] {
        assert!(half.len() == 64 && half.bytes().all(|digit| digit.is_ascii_hexdigit()));
    }
    let keys = aster.exchange.v1_keys_of(owner().address());
    assert_eq!(keys.len(), 1);
    assert_eq!((keys[0].desc.as_str(), keys[0].api_key.as_str()), ("bot", api_key));
    assert_eq!(keys[0].ip_whitelist, "203.0.113.7,2001:db8::1");
    assert!(keys[0].api_secret == *secret && keys[0].api_secret != *api_key);
    assert!(!format!("{keys:?}").contains(secret));

    let signed = format!("recvWindow=5000&timestamp={START}");
    let read = balance(&aster, api_key, secret, &signed).await;
    assert_eq!((read.status.as_u16(), &read.json()[0]["asset"]), (200, &"USDT".into()));
    let shouted = format!("{BALANCE}?{signed}&signature={}", tag(secret, &signed).to_uppercase());
    assert_eq!(with_key("GET", &shouted, api_key, &aster).await.status, 200);
    assert_eq!(said(&balance(&aster, api_key, api_key, &signed).await), HMAC);
    let changed = format!("{BALANCE}?{signed}0&signature={}", tag(secret, &signed));
    assert!(said(&with_key("GET", &changed, api_key, &aster).await).starts_with("-1021 "));
    let stranger = balance(&aster, &"0".repeat(64), secret, &signed).await;
    assert!(said(&stranger).starts_with("-2015 "));
    let unnamed = format!("{BALANCE}?{signed}&signature={}", tag(secret, &signed));
    assert!(said(&send(aster.exchange.router(), "GET", &unnamed, None).await).starts_with("-2014"));
    assert!(aster.exchange.remove_v1_key(owner().address(), api_key));
    assert!(!aster.exchange.remove_v1_key(owner().address(), api_key));
    assert!(said(&balance(&aster, api_key, secret, &signed).await).starts_with("-2015 "));
}

#[tokio::test]
async fn v1_vectors_are_accepted_unchanged() {
    let vectors = vectors("aster_v1_api_key.json");
    let sapi = vectors.iter().filter(|vector| vector["category"] == "aster_v1_sapi");
    let mut met = 0;
    for vector in sapi {
        let inputs = &vector["inputs"];
        let aster = Aster::of(
            exchange_sim::aster::Network::Mainnet,
            inputs["timestamp_ms"].as_u64().unwrap(),
        );
        let address = text(&vector["address"]).parse().unwrap();
        let message = login_message(text(&inputs["nonce"]).parse().unwrap());
        assert_eq!(message, text(&vector["message"]));
        check_signature(&vector["signature"], eip191_hash_message(&message), address);
        aster.exchange.set_next_v1_nonce(text(&inputs["nonce"]).parse().unwrap());
        let signs = inputs["hmac"] == true;
        if signs {
            let (key, secret) = (text(&inputs["api_key"]), text(&inputs["api_secret"]));
            let other = Wallet::number(7).address();
            assert!(aster.exchange.add_v1_key(other, "old", key, secret));
            assert!(!aster.exchange.add_v1_key(other, "new", key, secret), "key in use");
        }
        for request in [&vector["request_get_nonce"], &vector["request"]] {
            let answer = if signs {
                let uri = format!("{}?{}", text(&request["path"]), text(&request["query"]));
                let key = text(&request["headers"]["X-MBX-APIKEY"]);
                let forged = uri.replace("&signature=", "&signature=00");
                assert_eq!(said(&with_key("POST", &forged, key, &aster).await), HMAC);
                with_key("POST", &uri, key, &aster).await
            } else {
                let body = text(&request["body_text"]);
                aster.form("POST", text(&request["path"]), body).await
            };
            assert_eq!(answer.status, 200, "{}", answer.body);
            if request == &vector["request_get_nonce"] {
                assert_eq!(answer.body, text(&vector["response_get_nonce_body"]));
            }
        }
        assert_eq!(aster.exchange.v1_keys_of(address)[0].desc, text(&inputs["desc"]));
        met += 1;
    }
    assert_eq!(met, 2);
}

#[tokio::test]
async fn parameters_in_query_are_accepted() {
    let aster = Aster::new();
    let uri = format!("{NONCE}?{}", ask(&owner()));
    let answer = send(aster.exchange.router(), "POST", &uri, None).await;
    assert_eq!(answer.body.len(), 6);
    let query = request(&aster, &owner(), "&desc=bot").await;
    let answer = send(aster.exchange.router(), "POST", &format!("{CREATE}?{query}"), None).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn nonce_is_single_use_and_valid_for_one_minute() {
    let aster = Aster::new();
    let body = request(&aster, &owner(), "&desc=bot").await;
    assert_eq!(aster.form("POST", CREATE, &body).await.status, 200);
    let again = body.replace("desc=bot", "desc=bot2");
    assert_eq!(said(&aster.form("POST", CREATE, &again).await), NONCE_EXPIRED);

    let old = request(&aster, &owner(), "&desc=old").await;
    let other = Wallet::number(2);
    nonce(&aster, &other).await;
    let new = request(&aster, &owner(), "&desc=new").await;
    assert_ne!(old.replace("old", "new"), new);
    assert_eq!(said(&aster.form("POST", CREATE, &old).await), SIGNATURE, "replaced");
    assert_eq!(said(&aster.form("POST", CREATE, &new).await), NONCE_EXPIRED, "spent by that");

    let number = nonce(&aster, &owner()).await;
    aster.clock.advance(60_000);
    let signature = login(&owner(), &login_message(number));
    let late = format!(
        "{}&userSignature={signature}&desc=late&timestamp={}",
        ask(&owner()),
        aster.clock.now()
    );
    assert_eq!(said(&aster.form("POST", CREATE, &late).await), NONCE_EXPIRED);
}

#[tokio::test]
async fn key_request_requires_account_signature_over_text() {
    let aster = Aster::new();
    for (signer, message) in [
        (Wallet::number(2), "You are signing into Astherus {}"),
        (owner(), "You are signing into Aster DEX {}"),
        (owner(), "You are signing into Astherus {} "),
    ] {
        let message = message.replace("{}", &nonce(&aster, &owner()).await.to_string());
        let signature = login(&signer, &message);
        let body =
            format!("{}&userSignature={signature}&desc=bot&timestamp={START}", ask(&owner()));
        assert_eq!(said(&aster.form("POST", CREATE, &body).await), SIGNATURE);
    }
    assert!(aster.exchange.v1_keys_of(owner().address()).is_empty());
}

#[tokio::test]
async fn desc_must_be_short_and_unique_per_account() {
    let aster = Aster::new();
    let longest = "d".repeat(20);
    assert_eq!(create(&aster, &owner(), &format!("&desc={longest}")).await.status, 200);
    let twice = create(&aster, &owner(), &format!("&desc={longest}")).await;
    assert_eq!(said(&twice), "-1000 Duplicate desc");
    let other = Wallet::number(2);
    assert_eq!(create(&aster, &other, &format!("&desc={longest}")).await.status, 200);
    let longer = create(&aster, &owner(), &format!("&desc={longest}d")).await;
    assert_eq!(said(&longer), "-1130 Data sent for parameter 'desc' is not valid.");
    for none in ["", "&desc="] {
        let missing = said(&create(&aster, &owner(), none).await);
        assert!(missing.starts_with("-1102 Mandatory parameter 'desc'"), "{missing}");
    }
    assert_eq!(aster.exchange.v1_keys_of(owner().address()).len(), 1);
}

#[tokio::test]
async fn undocumented_v1_parameters_are_refused() {
    let aster = Aster::new();
    let good = request(&aster, &owner(), "&desc=bot").await;
    let stamp = format!("timestamp={START}");
    let changed = [
        ("CREATE_API_KEY", "LOGIN".to_owned(), "-1130 Data sent for parameter 'userOperationType'"),
        ("address=0x", "address=".to_owned(), "-1130 Data sent for parameter 'address'"),
        ("desc=bot", "desc=bot&network=SOL".to_owned(), "-1130 Data sent for parameter 'network'"),
        ("desc=bot", "desc=bot&apikeyIP=x".to_owned(), "-1130 Data sent for parameter 'apikeyIP'"),
        ("desc=bot", "desc=bot&evil=1".to_owned(), "-1101 Too many parameters; 'evil'"),
        ("desc=bot", "desc=bot&desc=b".to_owned(), "-1101 Too many parameters; 'desc'"),
        (
            "desc=bot",
            "desc=bot&recvWindow=60001".to_owned(),
            "-1130 Data sent for parameter 'recvW",
        ),
        (&stamp, String::new(), "-1102 Mandatory parameter 'timestamp'"),
        (&stamp, format!("timestamp={}", START + 1_000), "-1021 Timestamp"),
        (&stamp, format!("timestamp={}", START - 5_001), "-1021 Timestamp"),
        ("userSignature=", "x=".to_owned(), "-1101 Too many parameters; 'x'"),
    ];
    for (from, to, expected) in changed {
        let body = good.replace(from, &to);
        let answer = said(&aster.form("POST", CREATE, &body).await);
        assert!(answer.starts_with(expected), "{body}: {answer}");
    }
    let unasked = said(&aster.form("POST", NONCE, &format!("{}&desc=bot", ask(&owner()))).await);
    assert!(unasked.starts_with("-1101 Too many parameters; 'desc'"), "{unasked}");
    let stale = format!("{}&timestamp={}", ask(&owner()), START - 5_001);
    assert!(said(&aster.form("POST", NONCE, &stale).await).starts_with("-1021 "));
    // None of these requests used the nonce.
    let wide = good.replace(&stamp, &format!("recvWindow=60000&timestamp={}", START - 60_000));
    assert_eq!(aster.form("POST", CREATE, &wide).await.status, 200);
}

#[tokio::test]
async fn closed_v1_api_keeps_existing_keys_working() {
    let aster = Aster::new();
    let owner = owner();
    let given = create(&aster, &owner, "&desc=bot").await.json();
    let late = request(&aster, &owner, "&desc=late").await;
    aster.exchange.set_rules(Rules { v1_closed: true, ..Rules::default() });
    let closed = "-1020 V1 new API Key creation is no longer supported";
    assert_eq!(said(&aster.form("POST", NONCE, &ask(&owner)).await), closed);
    assert_eq!(said(&aster.form("POST", CREATE, &late).await), closed);
    let signed = format!("timestamp={START}");
    let read = balance(&aster, text(&given["apiKey"]), text(&given["apiSecret"]), &signed).await;
    assert_eq!(read.status, 200);
}

#[tokio::test]
async fn v1_keys_have_their_own_limit() {
    let aster = Aster::new();
    for _ in 0..60 {
        nonce(&aster, &owner()).await;
    }
    let refused = aster.form("POST", CREATE, "").await;
    let code = refused.json()["code"].clone();
    assert_eq!((refused.status.as_u16(), code), (429, Value::from(-1003)));
    assert_eq!(refused.headers["retry-after"], "60");
    assert_eq!(refused.headers["x-mbx-used-weight-1m"], "60");
    let time = send(aster.exchange.router(), "GET", "/fapi/v3/time", None).await;
    assert_eq!((time.status.as_u16(), &time.headers["x-mbx-used-weight-1m"]), (200, &1.into()));
    aster.clock.advance(60_000);
    nonce(&aster, &owner()).await;
}

#[tokio::test]
async fn v1_faults_match_path_and_kind() {
    let aster = Aster::new();
    aster.exchange.fail_next("getNonce", Fault::RateLimited { retry_after_s: 9 });
    let limited = aster.form("POST", NONCE, &ask(&owner())).await;
    assert_eq!((limited.status.as_u16(), &limited.headers["retry-after"]), (429, &9.into()));
    aster.exchange.fail_next(NONCE, Fault::Garbage);
    assert!(aster.form("POST", NONCE, &ask(&owner())).await.body.parse::<u64>().is_err());
    aster.exchange.fail_next("createApiKey", Fault::AppliedButLost);
    assert_eq!(create(&aster, &owner(), "&desc=bot").await.status, 502);
    assert_eq!(aster.exchange.v1_keys_of(owner().address()).len(), 1);
    let requests = aster.exchange.requests();
    let seen: Vec<_> = requests.iter().map(|it| (it.kind, it.accepted)).collect();
    let expected =
        [("getNonce", false), ("getNonce", false), ("getNonce", true), ("createApiKey", true)];
    assert_eq!(seen, expected);
}
