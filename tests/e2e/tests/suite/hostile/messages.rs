//! Sends randomly corrupted messages to the cosigner. Each gets a typed answer, none gets a
//! signature, and the cosigner keeps working. The test prints its seed, and `HOSTILE_SEED` repeats
//! a run.

#![expect(clippy::unwrap_used, reason = "a failing test panics")]

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use domain::intent::{Intent, PersonalMessage};
use e2e::attacker::{Attacker, find};
use protocol::{Answer, Call, PROTOCOL, Request, StartSign, party_2, sign_data};
use serde_json::json;

/// xorshift64*: a portable random generator, good enough for mutations.
struct Mutator(u64);

impl Mutator {
    #[expect(clippy::print_stdout, reason = "prints the seed, to repeat a failed run")]
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

    /// Applies a random mutation.
    fn mutate(&mut self, honest: &[u8]) -> Vec<u8> {
        let mut bytes = honest.to_vec();
        // Half of the mutations affect the start, which has lengths and tags.
        let near = |mutator: &mut Self, len: usize| {
            let end = if mutator.below(2) == 0 { len.min(160) } else { len };
            mutator.below(end)
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
async fn mutated_cosigner_messages_get_typed_answers() {
    let attacker = Attacker::new().await;
    attacker.app.wallet("bystander").await;
    let url = format!("{}/2015-03-31/functions/cosigner/invocations", attacker.app.stack.lambda);
    let mut mutator = Mutator::new();
    let (mut malformed, mut refused, mut answered) = (0, 0, 0);
    for round in 0..200_u32 {
        let mut session = [0xaa; 32];
        session[..4].copy_from_slice(&round.to_le_bytes());
        let mutated = mutator.mutate(&first_call(&attacker, session));
        let body = json!(BASE64.encode(&mutated)).to_string();
        let reply = attacker.app.send(attacker.app.request_to(&url).body(body)).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        match Answer::from_payload(reply.body.to_string().as_bytes()) {
            Some(Answer::Refused(protocol::Refusal::Malformed)) => malformed += 1,
            Some(Answer::Refused(_)) => refused += 1,
            // A mutation that changed nothing relevant, such as the caller's name.
            Some(Answer::SignAnswered(_)) => answered += 1,
            Some(_) => panic!("an answer to another call"),
            None => panic!("expected a typed answer: {reply:?}"),
        }
    }
    assert!(malformed > 50, "{malformed} malformed, {refused} refused, {answered} answered");
    // A mutation of the protocol's numbers may have barred this key, but no other.
    let victim = attacker.app.post("/api/wallets/victim/sign", json!({ "message": "hello" })).await;
    assert!(matches!(victim.status, 200 | 422), "{victim:?}");
    let other = json!({ "message": "hello" });
    let bystander = attacker.app.post("/api/wallets/bystander/sign", other).await;
    assert_eq!(bystander.status, 200, "{bystander:?}");
    assert!(!find(&attacker.app, "bystander").await.wallet.frozen);
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_cosigner_payloads_are_harmless() {
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
