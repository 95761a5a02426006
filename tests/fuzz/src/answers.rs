//! Target for responses of an exchange. The first byte selects the status, and the rest is the
//! body.

use domain::eth::Address;
use shared::exchanges::aster::{answer as aster, v1};
use shared::exchanges::http::Answer;
use shared::exchanges::hyperliquid::answer as hyperliquid;
use shared::exchanges::{LookupError, Outcome, Refusal};

use crate::messages::WALLET;

const STATUSES: [u16; 12] = [200, 201, 204, 302, 400, 404, 408, 418, 422, 429, 500, 503];

/// Parses the bytes as the response to every request.
pub fn run(data: &[u8]) {
    let Some((first, body)) = data.split_first() else { return };
    let status = STATUSES[usize::from(*first) % STATUSES.len()];
    let body = String::from_utf8_lossy(body).into_owned();
    let answer = || Answer::new(status, body.clone());
    let wallet: Address = WALLET.parse().expect("an address");

    sent(&aster::outcome(&answer()), status);
    sent(&hyperliquid::outcome(&answer(), wallet), status);
    assert_not_quoted(aster::agents(&answer()).err());
    assert_not_quoted(hyperliquid::agents(&answer()).err());
    match hyperliquid::is_agent_of(&answer(), wallet) {
        // True only if the exchange named the wallet.
        Ok(true) => assert!(status == 200 && body.to_lowercase().contains("agent")),
        Ok(false) => assert_eq!(status, 200),
        Err(error) => assert_not_quoted(Some(error)),
    }
    if let Ok(login) = v1::login(&answer()) {
        assert!(status == 200 && login.nonce.bytes().all(|digit| digit.is_ascii_digit()));
    }
    match v1::created(answer()) {
        v1::V1Outcome::Created(key) => {
            assert!((200..300).contains(&status) && !key.api_key.is_empty());
            // A secret of a minimum length that is not part of the public key.
            let secret = key.api_secret.as_str();
            let is_one = secret.len() >= 20 && !key.api_key.contains(secret);
            assert!(!is_one || !format!("{key:?}").contains(secret));
        }
        v1::V1Outcome::Refused(refused) => {
            refusal(&refused);
            // A secret in the refusal's text must be hidden.
            let hex = |letter: char| letter.is_ascii_hexdigit();
            let longest = refused.text.split(|letter| !hex(letter)).map(str::len).max();
            assert!(longest.unwrap_or_default() <= 40, "{refused:?}");
        }
        v1::V1Outcome::NotSent(_) | v1::V1Outcome::Unknown(_) => {}
    }
}

fn sent(outcome: &Outcome, status: u16) {
    match outcome {
        Outcome::Done => assert!((200..300).contains(&status)),
        Outcome::Refused(refused) => refusal(refused),
        Outcome::Unknown(_) => {}
        Outcome::NotSent(_) => unreachable!("a response exists"),
    }
}

/// Checks that the refusal's text is short and has no control characters.
fn refusal(refusal: &Refusal) {
    assert!(refusal.text.chars().count() <= 200, "{refusal:?}");
    assert!(!refusal.text.chars().any(char::is_control), "{refusal:?}");
}

/// Checks that the error does not quote an unreadable response.
fn assert_not_quoted(error: Option<LookupError>) {
    if let Some(error @ LookupError::Unreadable { .. }) = error {
        let text = error.to_string();
        assert!(text.len() < 60 && text.ends_with("not of the protocol"), "{text}");
    }
}
