//! Tests the alias of the cosigner that each function uses: what an attacker with the rights of one
//! function can call, and how the audit log records the alias.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failing test panics")]

use cosigner::audit::verify::Verifier;
use cosigner::audit::{Decision, Entry, Record};
use cosigner::callers::{CALLERS, Right};
use cosigner::{Cosigner, Policy, Setting};
use domain::eth::Address;
use domain::intent::{
    AsterApproveBuilder, AsterDeleteAgent, AsterLogin, AsterRegisterAgent, HyperliquidApproveAgent,
    HyperliquidApproveBuilder, HyperliquidChain, HyperliquidRevokeAgent, Intent, PersonalMessage,
};
use domain::random::Random;
use e2e::attacker::{Attacker, find, refusal};
use e2e::{DAY_MS, RENEW_LIMITS, invariants};
use hyperdex_local::{COSIGNER_KEY, COSIGNER_TABLE};
use protocol::{
    Answer, Call, FinishSign, KeyShare, PROTOCOL, PaymentRefusal, Refusal, ReportedOutcome,
    Request, SettlePayment, StartSign, WalletKey, party_2, sign_data,
};
use shared::aws::LambdaClient;
use shared::credentials::RenewLimits;
use shared::mpc::{self, CosignerClient, CosignerError, ProtocolError};

const USER: &str = "victim";

fn client(attacker: &Attacker, alias: &str) -> CosignerClient {
    let function = format!("cosigner:{alias}");
    CosignerClient::new(LambdaClient::new(&attacker.app.stack.aws()), function, "attacker")
}

fn refused<T>(made: Result<T, ProtocolError>) -> Option<Refusal> {
    match made {
        Ok(_) => None,
        Err(ProtocolError::Cosigner(CosignerError::Refused(refusal))) => Some(refusal),
        Err(other) => panic!("{other}"),
    }
}

fn share(attacker: &Attacker) -> KeyShare {
    KeyShare::new(attacker.share.party().clone())
}

/// Returns one intent of every kind. The policy refuses each of them, so no session starts.
fn intents() -> [Intent; 8] {
    let (chain, agent, name) = (HyperliquidChain::Testnet, Address::ZERO, "other".to_owned());
    // Builds the message as an endpoint that skips its own check would send it.
    let reserved = postcard::to_stdvec("You are signing into Astherus 1").unwrap();
    [
        Intent::PersonalMessage(postcard::from_bytes(&reserved).unwrap()),
        Intent::AsterLogin(AsterLogin { nonce: "1".to_owned() }),
        Intent::AsterRegisterAgent(AsterRegisterAgent {
            user: agent,
            nonce_us: 0,
            name: name.clone(),
            agent,
            expires_ms: 0,
            signature_chain_id: 1,
            can_spot_trade: true,
            can_perp_trade: true,
            ip_whitelist: None,
        }),
        Intent::AsterDeleteAgent(AsterDeleteAgent {
            agent,
            chain,
            user: agent,
            nonce_us: 0,
            signature_chain_id: 1,
        }),
        Intent::HyperliquidApproveAgent(HyperliquidApproveAgent {
            chain,
            agent,
            name: name.clone(),
            valid_until_ms: 0,
            nonce_ms: 0,
        }),
        Intent::HyperliquidRevokeAgent(HyperliquidRevokeAgent { chain, name, nonce_ms: 0 }),
        Intent::HyperliquidApproveBuilder(HyperliquidApproveBuilder {
            chain,
            builder: agent,
            max_fee: 1.try_into().unwrap(),
            nonce_ms: 0,
        }),
        Intent::AsterApproveBuilder(AsterApproveBuilder {
            is_update: false,
            builder: agent,
            max_fee: 1.try_into().unwrap(),
            chain,
            user: agent,
            nonce_us: 0,
            signature_chain_id: 1,
        }),
    ]
}

fn start(attacker: &Attacker, session: [u8; 32], intent: Intent) -> Call {
    let data = sign_data(&attacker.key, session, party_2(), intent.digest());
    let (_, _, mut phase_1) = attacker.share.party().sign_phase1(&data).unwrap();
    Call::StartSign(StartSign { intent, message: phase_1.remove(0) })
}

/// Returns the audit records of the attacker's wallet, oldest first, and checks that its chain
/// verifies.
async fn entries(attacker: &Attacker) -> Vec<Entry> {
    let (all, partition) =
        (attacker.app.scan(COSIGNER_TABLE).await, format!("local#W#{}", attacker.key.wallet_id));
    let mut verifier = Verifier::default();
    let mut records: Vec<Record> = Vec::new();
    for item in all {
        let sort = item["sk"].as_s().unwrap();
        if *item["pk"].as_s().unwrap() == partition && sort.starts_with("audit#") {
            records.push(serde_dynamo::from_item(item.clone()).unwrap());
        }
        verifier.item(item);
    }
    assert_eq!(verifier.finish().faults, []);
    records.sort_by_key(|record| record.seq);
    records.iter().map(|record| serde_json::from_str(&record.body).unwrap()).collect()
}

/// A compromised endpoint with the right to refresh could keep the new share, prove that it works,
/// and retire the old one. Then the wallet would be lost.
#[tokio::test(flavor = "multi_thread")]
async fn endpoint_cannot_destroy_a_wallet_by_refresh() {
    let attacker = Attacker::new().await;
    let (random, next) = (Random::system(), WalletKey { key_version: 2, ..attacker.key.clone() });
    // New shares exist too, as after an interrupted honest refresh.
    let refresh = client(&attacker, "refresh-shares");
    let made = mpc::refresh(&refresh, &random, &attacker.key, 2, share(&attacker)).await.unwrap();
    let before = entries(&attacker).await.len();
    let mut attempts = 0;
    let aliases = CALLERS.iter().map(|(alias, _)| *alias);
    let others: Vec<&str> = aliases.filter(|alias| *alias != "refresh-shares").collect();
    for alias in &others {
        // The log records a limited number of refusals in a minute.
        attacker.app.clock.advance_ms(60_000);
        let cosigner = client(&attacker, alias);
        let to = mpc::refresh(&cosigner, &random, &attacker.key, 3, share(&attacker)).await;
        assert_eq!(refused(to), Some(Refusal::NotAllowed), "{alias}");
        let tried = mpc::confirm(&cosigner, &random, &next, &made).await;
        assert_eq!(refused(tried), Some(Refusal::NotAllowed), "{alias}");
        for key in [&attacker.key, &next] {
            let retired = mpc::retire(&cosigner, &random, key).await;
            assert_eq!(refused(retired), Some(Refusal::NotAllowed), "{alias}");
        }
        attempts += 4;
    }
    // Each attempt is recorded under the alias that was used, not under the name in the request.
    let attempted = entries(&attacker).await.split_off(before);
    assert_eq!(attempted.len(), attempts);
    for (entry, nth) in attempted.iter().zip(0..) {
        let (alias, call) = (others[nth / 4], ["StartRefresh", "StartConfirm"].get(nth % 4));
        let call = call.copied().unwrap_or("Retire").to_owned();
        assert_eq!(entry.alias.as_deref(), Some(alias));
        assert_eq!(entry.caller, "attacker");
        assert_eq!(entry.decision, Decision::CallRefused { call });
    }
    let view = find(&attacker.app, USER).await;
    assert_eq!(invariants::cosigner_shares(&attacker.app, &view).await, [1, 2]);
    attacker.still_signs().await;
}

/// An alias without rights to a wallet floods it with calls. The wallet still signs, and its log
/// records the first refusals of the minute.
#[tokio::test(flavor = "multi_thread")]
async fn wallet_signs_during_a_flood_of_refused_calls() {
    let attacker = Attacker::new().await;
    let cosigner = client(&attacker, "create-wallet");
    let before = entries(&attacker).await.len();
    let flood = (0..120).map(|nth| {
        let [.., intent] = intents();
        let session = [nth; 32];
        let call = start(&attacker, session, intent);
        let (cosigner, attacker) = (&cosigner, &attacker);
        async move { refusal(cosigner.call(&attacker.key, session, call).await) }
    });
    let honest = async {
        for _ in 0..5 {
            attacker.still_signs().await;
        }
    };
    let (results, ()) = tokio::join!(futures_util::future::join_all(flood), honest);
    assert!(results.iter().all(|result| *result == Err(Refusal::NotAllowed)), "{results:?}");
    let recorded = entries(&attacker).await.split_off(before);
    let refused = recorded.iter().filter(|it| matches!(it.decision, Decision::Refused { .. }));
    // The flood may cross the end of a minute.
    assert!((1..=60).contains(&refused.count()));
}

/// Makes every call with every alias. An alias may make the calls of its own function only.
#[tokio::test(flavor = "multi_thread")]
async fn alias_allows_only_its_functions_calls() {
    let attacker = Attacker::new().await;
    let random = Random::system();
    for ((alias, rights), number) in CALLERS.iter().zip(1..) {
        let cosigner = client(&attacker, alias);
        for (intent, nth) in intents().into_iter().zip(0..) {
            let name = intent.name();
            let mut session = [nth; 32];
            session[0] = number;
            let call = start(&attacker, session, intent);
            let answer = refusal(cosigner.call(&attacker.key, session, call).await);
            if rights.contains(&Right::Sign(name)) {
                assert!(matches!(answer, Err(Refusal::Policy(_))), "{alias} {name}: {answer:?}");
            } else {
                assert_eq!(answer, Err(Refusal::NotAllowed), "{alias} {name}");
            }
        }
        let wallet_id = random.uuid().unwrap();
        let key = WalletKey { wallet_id, key_version: 1, ..attacker.key.clone() };
        let made = refused(mpc::generate(&cosigner, &random, &key).await);
        let allowed = rights.contains(&Right::Keygen);
        assert_eq!(made, (!allowed).then_some(Refusal::NotAllowed), "{alias}");
        // Party 2 retires shares only after a trial. The refusal shows which check applied.
        let retired = refused(mpc::retire(&cosigner, &random, &attacker.key).await);
        let allowed = rights.contains(&Right::Refresh);
        let expected = if allowed { Refusal::NotConfirmed } else { Refusal::NotAllowed };
        assert_eq!(retired, Some(expected), "{alias}");
        // No payment was signed.
        let report = SettlePayment {
            id: "p-1".parse().unwrap(),
            outcome: ReportedOutcome::Completed,
            reference: None,
        };
        let call = Call::SettlePayment(report);
        let reported = refusal(cosigner.call(&attacker.key, [9; 32], call).await);
        let expected = if rights.contains(&Right::Settle) {
            Refusal::Payment(PaymentRefusal::NotSigned)
        } else {
            Refusal::NotAllowed
        };
        assert_eq!(reported, Err(expected), "{alias}");
    }
    attacker.still_signs().await;
}

/// The second call of a signature is checked too.
#[tokio::test(flavor = "multi_thread")]
async fn alias_without_signing_right_cannot_finish() {
    let attacker = Attacker::new().await;
    let intent = Intent::PersonalMessage(PersonalMessage::parse("hello").unwrap());
    let opened = attacker.open([1; 32], &intent).await.unwrap();
    let FinishSign { message, share, kept } = opened.phase_2;
    for alias in ["create-wallet", "refresh-shares"] {
        let (message, share) = (message.clone(), share.clone());
        let finish = FinishSign { message, share, kept: kept.clone() };
        let cosigner = client(&attacker, alias);
        let answer = cosigner.call(&attacker.key, [1; 32], Call::FinishSign(finish)).await;
        assert_eq!(refusal(answer), Err(Refusal::NotAllowed), "{alias}");
    }
    let finish = FinishSign { message, share, kept };
    let cosigner = client(&attacker, "sign-message");
    let answer = cosigner.call(&attacker.key, [1; 32], Call::FinishSign(finish)).await;
    assert_eq!(refusal(answer), Ok(()));
}

/// Tests the cosigner as deployed, on the tables of the local stack.
#[tokio::test(flavor = "multi_thread")]
async fn invocation_without_a_known_alias_is_refused() {
    let attacker = Attacker::new().await;
    let setting = Setting {
        hyperliquid_chain: HyperliquidChain::Mainnet,
        aster_chain: HyperliquidChain::Mainnet,
        aster_signature_chain_id: 56,
        aster_login: false,
    };
    let (aws, clock) = (attacker.app.stack.aws(), attacker.app.clock.clock());
    let policy = Policy::default_for(setting).unwrap();
    let cosigner =
        Cosigner::new(&aws, COSIGNER_TABLE, COSIGNER_KEY, policy, clock, Random::system());
    let ask = async |name: &str| {
        let request = Request {
            protocol: PROTOCOL,
            key: attacker.key.clone(),
            session: [1; 32],
            request_id: "request".to_owned(),
            // The caller's name in the request does not count.
            caller: "refresh-shares".to_owned(),
            call: Call::Retire,
        };
        let payload: String = serde_json::from_slice(&request.to_payload()).unwrap();
        let arn = format!("arn:aws:lambda:eu-west-1:222222222222:function:{name}");
        let answer = cosigner.handle(&arn, &payload).await.unwrap();
        match Answer::from_payload(answer.get().as_bytes()) {
            Some(Answer::Refused(refusal)) => refusal,
            _ => panic!("expected a refusal"),
        }
    };
    let before = entries(&attacker).await.len();
    let unknown =
        ["cosigner", "refresh-shares", "cosigner:$LATEST", "cosigner:3", "cosigner:local"];
    for name in unknown {
        assert_eq!(ask(name).await, Refusal::NotAllowed, "{name}");
    }
    assert_eq!(ask("cosigner:refresh-shares").await, Refusal::NotConfirmed);
    let recorded = entries(&attacker).await.split_off(before);
    let aliases: Vec<Option<&str>> = recorded.iter().map(|entry| entry.alias.as_deref()).collect();
    assert_eq!(aliases, [None, None, Some("$LATEST"), Some("3"), Some("local")]);
}

/// A refusal does not start an audit chain for an unknown wallet.
#[tokio::test(flavor = "multi_thread")]
async fn refused_caller_does_not_start_an_audit_chain() {
    let attacker = Attacker::new().await;
    let before = attacker.app.scan(COSIGNER_TABLE).await.len();
    let wallet_id = Random::system().uuid().unwrap();
    let key = WalletKey { wallet_id, ..attacker.key.clone() };
    let cosigner = client(&attacker, "sign-message");
    let retired = mpc::retire(&cosigner, &Random::system(), &key).await;
    assert_eq!(refused(retired), Some(Refusal::NotAllowed));
    assert_eq!(attacker.app.scan(COSIGNER_TABLE).await.len(), before);
}

/// The API and the jobs of the local stack invoke the cosigner by alias, as the deployed functions
/// do.
#[tokio::test(flavor = "multi_thread")]
async fn audit_record_has_the_callers_alias() {
    let attacker = Attacker::new().await;
    let app = &attacker.app;
    attacker.still_signs().await;
    for exchange in ["aster", "hyperliquid"] {
        assert_eq!(app.register(exchange, USER).await.status, 200);
        app.clock.advance_ms(60_000);
        assert_eq!(app.rotate(exchange, USER).await.status, 200);
    }
    app.clock.advance_ms(170 * DAY_MS);
    let limits = RenewLimits { keys_are_handed_out: true, ..RENEW_LIMITS };
    app.stack.jobs.renew(&limits).await.unwrap();
    let (tenant, id) = (&attacker.key.tenant, attacker.key.wallet_id);
    app.stack.refresh.refresh(tenant, id, None).await.unwrap();
    app.clock.advance_ms(60_000);
    assert_eq!(app.delete("hyperliquid", USER).await.status, 200);

    let entries = entries(&attacker).await;
    let mut aliases: Vec<&str> = entries.iter().map(|it| it.alias.as_deref().unwrap()).collect();
    aliases.dedup();
    assert_eq!(
        aliases,
        [
            "create-wallet",
            "sign-message",
            "register-aster",
            "rotate-apikey",
            "register-hyperliquid",
            "rotate-apikey",
            "renew-apikeys",
            "refresh-shares",
            "delete-apikey",
        ]
    );
    let refusals = entries.iter().filter(|entry| {
        matches!(entry.decision, Decision::CallRefused { .. } | Decision::Refused { .. })
    });
    assert_eq!(refusals.count(), 0);
}
