//! Property tests of the cosigner's messages. A message that does not parse is refused as
//! malformed, without a panic and without a remote call. Every case that failed once is kept in
//! `corpus/`.

#![expect(clippy::unwrap_used, reason = "a test panics on failure")]

use cosigner::{Cosigner, Policy, Setting};
use domain::clock::Clock;
use domain::intent::HyperliquidChain;
use domain::random::Random;
use platform::aws::Aws;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use protocol::{Answer, Call, PROTOCOL, Refusal, Request, WalletKey};
use uuid::Uuid;

/// Calls a cosigner whose cloud is unreachable; a malformed message is refused before any remote
/// call.
fn answer(payload: &str) -> Option<Answer> {
    let aws = Aws::local("http://127.0.0.1:9", "http://127.0.0.1:9", "http://127.0.0.1:9");
    let setting = Setting {
        hyperliquid_chain: HyperliquidChain::Mainnet,
        aster_chain: HyperliquidChain::Mainnet,
        aster_signature_chain_id: 56,
        aster_login: false,
    };
    let policy = Policy::default_for(setting).unwrap();
    let cosigner = Cosigner::new(&aws, "table", "key", policy, Clock::system(), Random::system());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let answer = runtime.block_on(cosigner.handle("", payload)).ok()?;
    Answer::from_payload(answer.get().as_bytes())
}

fn refused(payload: &str) -> bool {
    matches!(answer(payload), Some(Answer::Refused(Refusal::Malformed)))
}

fn honest() -> String {
    let key = WalletKey {
        tenant: "tenant".parse().unwrap(),
        wallet_id: Uuid::from_u128(7),
        key_version: 1,
    };
    let request = Request {
        protocol: PROTOCOL,
        key,
        session: [3; 32],
        request_id: "request".to_owned(),
        caller: "test".to_owned(),
        call: Call::Retire,
    };
    String::from_utf8(request.to_payload()).unwrap().trim_matches('"').to_owned()
}

/// Asserts that a payload is refused, or read without loss.
fn refused_or_read(payload: &str) -> Result<(), TestCaseError> {
    match Request::from_payload(payload) {
        Err(_) => prop_assert!(refused(payload)),
        Ok(request) => {
            let again = request.to_payload();
            let text: String = String::from_utf8(again.clone()).unwrap();
            let read = Request::from_payload(text.trim_matches('"'));
            prop_assert_eq!(read.map(|request| request.to_payload()).ok(), Some(again));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 256,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/regressions.txt"),
        ))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_text_is_refused_or_read(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        refused_or_read(&String::from_utf8_lossy(&bytes))?;
    }

    #[test]
    fn altered_message_is_refused_or_read(
        bent in proptest::collection::vec((any::<usize>(), 0..64_u8), 1..6),
        cut in any::<usize>(),
        whole in any::<bool>(),
    ) {
        const LETTERS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut text = honest().into_bytes();
        for (at, letter) in bent {
            let at = at % text.len();
            text[at] = LETTERS[usize::from(letter)];
        }
        if !whole {
            text.truncate(cut % text.len() / 4 * 4);
        }
        refused_or_read(&String::from_utf8(text).unwrap())?;
    }

    /// Appends trailing data of any length to a message.
    #[test]
    fn oversized_message_is_refused(groups in 1..200_000_usize) {
        let text = format!("{}{}", honest().trim_end_matches('='), "AAAA".repeat(groups));
        prop_assert!(Request::from_payload(&text).is_err());
        prop_assert!(refused(&text));
    }
}

/// Asserts that each kept case is refused.
#[test]
fn corpus_cases_are_refused() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let kept = files.filter(|file| file.extension().is_some_and(|kind| kind == "payload"));
    let mut count = 0;
    for file in kept {
        assert!(refused(&std::fs::read_to_string(&file).unwrap()), "{}", file.display());
        count += 1;
    }
    assert!(count >= 6, "the corpus was read");
    assert!(Request::from_payload(&honest()).is_ok(), "an honest message is read");
}

/// JSON allows several escapes of one text; the reader must accept all of them.
#[test]
fn response_with_any_json_escapes_parses() {
    let answer = Answer::Refused(Refusal::Newest(7)).to_payload();
    let plain = answer.get();
    let first = plain.as_bytes()[1];
    let escaped = format!("\"\\u{first:04x}{}", &plain[2..]);
    for text in [plain, &escaped] {
        let read = Answer::from_payload(text.as_bytes());
        assert!(matches!(read, Some(Answer::Refused(Refusal::Newest(7)))), "{text}");
    }
}
