use http::Request;
use http::header::CONTENT_TYPE;

use super::given::{Given, Source};
use crate::api::error::ApiError;

const KEY: &str =
    "0915b889c9631706684d65f004fb858275092036a85d9f7516ae34fc9c292f1e96fb5e73f33e9c62";

fn take(
    uri: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<(Given, String, String), ApiError> {
    let mut request = Request::builder().uri(uri).header(CONTENT_TYPE, "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    let (given, body) = Given::take(&mut parts, body.as_bytes())?;
    assert!(parts.headers.keys().all(|name| !name.as_str().starts_with("x-lighter")));
    Ok((given, parts.uri.to_string(), String::from_utf8(body).unwrap()))
}

fn query(key: &str) -> String {
    format!("/api/trading/lighter/orders?apiKeyPrivateKey={key}&apiKeyIndex=5&accountIndex=281190")
}

fn headers(key: &str) -> [(&str, &str); 3] {
    [
        ("X-LIGHTER-API-KEY-PRIVATE-KEY", key),
        ("X-LIGHTER-API-KEY-INDEX", "5"),
        ("X-LIGHTER-ACCOUNT-INDEX", "281190"),
    ]
}

fn body(key: &str) -> String {
    format!(
        r#"{{"symbol":"BTC","credentials":{{"lighter":{{"apiKeyPrivateKey":"{key}","apiKeyIndex":5,"accountIndex":281190}}}}}}"#
    )
}

#[test]
fn key_is_taken_out_of_each_source() {
    let plain = "/api/trading/lighter/orders";
    for (uri, headers, body, source) in [
        (query(KEY), &[][..], "{}".to_owned(), Source::Query),
        (plain.to_owned(), &headers(KEY)[..], "{}".to_owned(), Source::Headers),
        (plain.to_owned(), &[][..], body(KEY), Source::Body),
    ] {
        let (given, uri, body) = take(&uri, headers, &body).unwrap();
        assert_eq!(given.source, source);
        assert_eq!(given.has_key_in_query(), source == Source::Query);
        let credential = given.credential().unwrap().unwrap();
        assert_eq!((credential.account_index, credential.api_key_index), (281_190, 5));
        assert_eq!(uri, plain);
        assert!(!uri.contains(KEY) && !body.contains(KEY), "{uri} {body}");
    }
}

#[test]
fn other_parameters_and_fields_are_kept() {
    let uri = format!("{}&symbol=ETH%2FUSDC", query(KEY));
    let (_, uri, _) = take(&uri, &[], "").unwrap();
    assert_eq!(uri, "/api/trading/lighter/orders?symbol=ETH%2FUSDC");
    let (_, _, body) = take("/x", &[], &body(KEY)).unwrap();
    assert_eq!(body, r#"{"symbol":"BTC"}"#);
}

#[test]
fn encoded_name_is_taken_and_a_repeated_part_is_refused() {
    let encoded = query(KEY).replace("apiKeyPrivateKey", "api%4BeyPrivateKey");
    let (given, uri, _) = take(&encoded, &[], "").unwrap();
    assert!(given.credential().unwrap().is_some() && !uri.contains(KEY));
    for uri in [
        format!("{}&apiKeyPrivateKey={KEY}", query(KEY)),
        format!("{}&api%4BeyPrivateKey={KEY}", query(KEY)),
    ] {
        let Err(error) = take(&uri, &[], "") else { panic!("refused") };
        assert_eq!(
            (error.status, error.error.as_ref()),
            (400, "apiKeyPrivateKey must be given once")
        );
    }
}

#[test]
fn two_sources_are_refused() {
    let plain = "/api/trading/lighter/orders";
    let account = [("X-LIGHTER-ACCOUNT-INDEX", "281190")];
    for (uri, headers, body) in [
        (query(KEY), &headers(KEY)[..], "{}".to_owned()),
        (query(KEY), &account[..], "{}".to_owned()),
        (query(KEY), &[][..], body(KEY)),
        (plain.to_owned(), &headers(KEY)[..], body(KEY)),
    ] {
        let Err(error) = take(&uri, headers, &body) else { panic!("refused") };
        assert_eq!(error.status, 400);
        assert!(!format!("{error:?}").contains(KEY));
    }
}

#[test]
fn incomplete_or_invalid_key_is_refused_without_its_value() {
    for (query, part) in [
        (format!("apiKeyPrivateKey={KEY}&apiKeyIndex=5"), "accountIndex"),
        (format!("apiKeyPrivateKey={KEY}&accountIndex=1"), "apiKeyIndex"),
        ("apiKeyIndex=5&accountIndex=1".to_owned(), "apiKeyPrivateKey"),
        (format!("apiKeyPrivateKey={KEY}00&apiKeyIndex=5&accountIndex=1"), "apiKeyPrivateKey"),
        (format!("apiKeyPrivateKey={KEY}&apiKeyIndex=255&accountIndex=1"), "apiKeyIndex"),
    ] {
        let (given, ..) = take(&format!("/x?{query}"), &[], "").unwrap();
        let error = given.credential().unwrap_err();
        assert_eq!(error.status, 400);
        assert!(error.error.contains(part) && !error.error.contains(&KEY[..16]), "{}", error.error);
    }
}

#[test]
fn body_may_omit_the_slot() {
    let slotless = body(KEY).replace(r#""apiKeyIndex":5,"#, "");
    let (given, ..) = take("/x", &[], &slotless).unwrap();
    let (key, account) = given.without_slot().unwrap().unwrap();
    assert_eq!((key.to_bytes()[..4].to_vec(), account), (vec![0x09, 0x15, 0xb8, 0x89], 281_190));
    // The other forms name all three parts, as published.
    let query = format!("/x?apiKeyPrivateKey={KEY}&accountIndex=281190");
    for (uri, headers) in [(query.as_str(), &[][..]), ("/x", &headers(KEY)[..1])] {
        let (given, ..) = take(uri, headers, "").unwrap();
        assert!(given.without_slot().unwrap().is_none());
        assert_eq!(given.credential().unwrap_err().status, 400);
    }
    let (given, ..) = take("/x", &[], &slotless.replace("281190", "-1")).unwrap();
    let Err(error) = given.without_slot() else { panic!("refused") };
    assert_eq!((error.status, error.error.starts_with("accountIndex")), (400, true));
}

#[test]
fn account_alone_names_a_stored_key() {
    for (uri, headers) in
        [("/x?accountIndex=281190", &[][..]), ("/x", &[("X-LIGHTER-ACCOUNT-INDEX", "281190")][..])]
    {
        let (given, ..) = take(uri, headers, "").unwrap();
        assert!(given.credential().unwrap().is_none() && !given.has_key_in_query());
        assert_eq!(given.account().unwrap(), Some(281_190));
    }
    let (given, ..) = take("/x", &[], "").unwrap();
    assert_eq!((given.source, given.account().unwrap()), (Source::Nothing, None));
}

#[test]
fn named_wallet_is_refused() {
    let uri = format!("{}&walletIdOrAddress=user_1", query(KEY));
    let named = body(KEY).replace(r#""symbol":"BTC""#, r#""walletIdOrAddress":"user_1""#);
    for (uri, body) in [(uri.as_str(), ""), ("/x?walletIdOrAddress=user_1", ""), ("/x", &named)] {
        let Err(error) = take(uri, &[], body) else { panic!("refused") };
        assert_eq!((error.status, error.error.as_ref()), (400, "Lighter orders name no wallet"));
    }
}
