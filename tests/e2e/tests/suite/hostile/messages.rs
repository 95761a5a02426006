//! Messages to the cosigner that were bent at random, from a seed that is printed
//! (`HOSTILE_SEED` repeats one): each gets a typed answer, none a signature, and the cosigner goes
//! on.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so and ends")]

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use domain::intent::{Intent, PersonalMessage};
use e2e::attacker::{Attacker, find};
use protocol::{Answer, Call, PROTOCOL, Request, StartSign, party_2, sign_data};
use serde_json::json;

/// xorshift64*: enough to bend messages with, and the same everywhere.
struct Bender(u64);

impl Bender {
    #[expect(clippy::print_stdout, reason = "the seed of a run that failed is shown")]
    fn new() -> Self {
        let given = std::env::var("HOSTILE_SEED").ok().and_then(|text| text.parse().ok());
        let drawn = || u64::from_le_bytes(domain::random::Random::system().bytes().unwrap());
        let seed = given.unwrap_or_else(drawn) | 1;
        println!("HOSTILE_SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(drawn).unwrap() % bound
    }

    /// One of the ways in which bytes go wrong.
    fn bend(&mut self, honest: &[u8]) -> Vec<u8> {
        let mut bytes = honest.to_vec();
        // Lengths and tags stand at the beginning.
        let near = |bender: &mut Self, len: usize| {
            let end = if bender.below(2) == 0 { len.min(160) } else { len };
            bender.below(end)
        };
        match self.below(6) {
            0 => bytes.truncate(self.below(honest.len())),
            1 => {
                let more = self.below(4_096) + 1;
                bytes.extend((0..more).map(|byte| u8::try_from(byte & 0xff).unwrap()));
            }
            2 => {
                let at = near(self, bytes.len());
                bytes[at] ^= 1 << self.below(8);
            }
            3 => {
                let at = near(self, bytes.len());
                bytes[at] = 0xff;
            }
            4 => {
                let (at, len) = (near(self, bytes.len()), self.below(64) + 1);
                let end = (at + len).min(bytes.len());
                bytes[at..end].fill(0);
            }
            _ => {
                let at = near(self, bytes.len());
                bytes.splice(at..at, [0xff; 9]);
            }
        }
        bytes
    }
}

fn first_call(attacker: &Attacker, session: [u8; 32]) -> Vec<u8> {
    let intent = Intent::PersonalMessage(PersonalMessage::parse("hello").unwrap());
    let data = sign_data(&attacker.key, session, party_2(), intent.digest());
    let (_, _, mut phase_1) = attacker.share.party().sign_phase1(&data).unwrap();
    let request = Request {
        protocol: PROTOCOL,
        key: attacker.key.clone(),
        session,
        request_id: "request".to_owned(),
        caller: "attacker".to_owned(),
        call: Call::StartSign(StartSign { intent, message: phase_1.remove(0) }),
    };
    let payload = request.to_payload();
    BASE64.decode(&payload[1..payload.len() - 1]).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn bent_messages_get_typed_answers_and_do_no_harm() {
    let attacker = Attacker::new().await;
    attacker.app.wallet("bystander").await;
    let url = format!("{}/2015-03-31/functions/cosigner/invocations", attacker.app.stack.lambda);
    let mut bender = Bender::new();
    let (mut malformed, mut refused, mut answered) = (0, 0, 0);
    for round in 0..200_u32 {
        let mut session = [0xaa; 32];
        session[..4].copy_from_slice(&round.to_le_bytes());
        let bent = bender.bend(&first_call(&attacker, session));
        let body = json!(BASE64.encode(&bent)).to_string();
        let reply = attacker.app.send(attacker.app.request_to(&url).body(body)).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        match Answer::from_payload(reply.body.to_string().as_bytes()) {
            Some(Answer::Refused(protocol::Refusal::Malformed)) => malformed += 1,
            Some(Answer::Refused(_)) => refused += 1,
            // A bend that changed nothing that counts, such as the name of the caller.
            Some(Answer::SignAnswered(_)) => answered += 1,
            Some(_) => panic!("an answer to another question"),
            None => panic!("no typed answer: {reply:?}"),
        }
    }
    assert!(malformed > 50, "{malformed} malformed, {refused} refused, {answered} answered");
    // Whoever bends the protocol's own numbers may have barred that key, and no other.
    let victim = attacker.app.post("/api/wallets/victim/sign", json!({ "message": "hello" })).await;
    assert!(matches!(victim.status, 200 | 422), "{victim:?}");
    let other = json!({ "message": "hello" });
    let bystander = attacker.app.post("/api/wallets/bystander/sign", other).await;
    assert_eq!(bystander.status, 200, "{bystander:?}");
    assert!(!find(&attacker.app, "bystander").await.wallet.frozen);
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_that_are_no_text_or_too_large_fail_and_do_no_harm() {
    let attacker = Attacker::new().await;
    let url = format!("{}/2015-03-31/functions/cosigner/invocations", attacker.app.stack.lambda);
    let huge = json!("A".repeat(2 << 20)).to_string();
    for body in ["", "{}", "[1,2]", "null", "\"\\ud800\"", huge.as_str()] {
        let reply = attacker.app.send(attacker.app.request_to(&url).body(body.to_owned())).await;
        let answer = Answer::from_payload(reply.body.to_string().as_bytes());
        let refused = matches!(answer, Some(Answer::Refused(_)));
        let failed = reply.headers.contains_key("x-amz-function-error") || reply.status >= 400;
        assert!(refused || failed, "{} bytes: {reply:?}", body.len());
    }
    attacker.still_signs().await;
}
