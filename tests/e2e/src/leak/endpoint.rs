//! A compromised endpoint function that probes the bits of the cosigner's correlation.

use std::collections::BTreeMap;
use std::sync::Arc;

use dkls23_secp256k1::protocols::PartyIndex;
use dkls23_secp256k1::protocols::signing::{KeepPhase1to2, SignData, UniqueKeep1to2};
use domain::intent::{Intent, PersonalMessage};
use domain::random::Random;
use platform::aws::Aws;
use protocol::{
    Answer, Call, Curve, FinishRefresh, FinishSign, KeyShare, RefreshCommitments, RefreshReveal,
    Scalar, SessionId, SignAnswered, StartConfirm, StartRefresh, StartSign, WalletKey,
    confirm_digest, party_2, refresh_id, sign_data,
};
use shared::aws::LambdaClient;
use shared::mpc::{CosignerClient, CosignerError};

use super::tamper;

/// The kind of run that a message starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Begin {
    /// A signature.
    Sign,
    /// The trial of new shares.
    Confirm,
}

/// Party 1 of one share version. It can use every cosigner process freely.
#[derive(Debug)]
pub struct Endpoint {
    /// The share version.
    pub key: WalletKey,
    /// Party 1's share.
    pub share: Arc<KeyShare>,
    cosigners: Vec<CosignerClient>,
}

/// A first message that is ready to be sent.
#[expect(missing_debug_implementations, reason = "the protocol's messages have none")]
pub struct Attempt {
    /// The session of its run.
    pub session: SessionId,
    begin: Begin,
    data: SignData,
    unique: UniqueKeep1to2<Curve>,
    kept: BTreeMap<PartyIndex, KeepPhase1to2<Curve>>,
    call: Call,
}

/// A run whose first message passed the check.
#[expect(missing_debug_implementations, reason = "the protocol's messages have none")]
pub struct Passed {
    session: SessionId,
    begin: Begin,
    data: SignData,
    unique: UniqueKeep1to2<Curve>,
    kept: BTreeMap<PartyIndex, KeepPhase1to2<Curve>>,
    answered: SignAnswered,
}

#[expect(clippy::expect_used, reason = "a failing test panics")]
impl Endpoint {
    /// Makes an attacker that can reach the cosigner processes at these URLs.
    #[must_use]
    pub fn new(key: WalletKey, share: KeyShare, urls: &[String]) -> Self {
        let client = |url: &String| {
            CosignerClient::new(LambdaClient::new(&Aws::local("", "", url)), "cosigner", "attacker")
        };
        Self { key, share: Arc::new(share), cosigners: urls.iter().map(client).collect() }
    }

    /// Returns the same attacker with another process.
    #[must_use]
    pub fn through(&self, url: &str) -> Self {
        let cosigner = CosignerClient::new(
            LambdaClient::new(&Aws::local("", "", url)),
            "cosigner",
            "attacker",
        );
        Self { key: self.key.clone(), share: self.share.clone(), cosigners: vec![cosigner] }
    }

    /// Prepares a first message, tampered at this row or honest.
    #[must_use]
    pub fn prepare(&self, begin: Begin, row: Option<usize>) -> Attempt {
        self.prepare_in(None, begin, row)
    }

    /// Prepares a first message in this session or in a new one.
    #[must_use]
    pub fn prepare_in(
        &self,
        session: Option<SessionId>,
        begin: Begin,
        row: Option<usize>,
    ) -> Attempt {
        let session = session.unwrap_or_else(|| Random::system().bytes().expect("randomness"));
        let message = PersonalMessage::parse("hello").expect("a message");
        let intent = Intent::PersonalMessage(message);
        let hash = match begin {
            Begin::Sign => intent.digest(),
            Begin::Confirm => confirm_digest(&self.key, session),
        };
        let data = sign_data(&self.key, session, party_2(), hash);
        let party = self.share.party();
        let (unique, mut kept, mut sent) = party.sign_phase1(&data).expect("phase 1");
        let mut message = sent.remove(0);
        if let Some(row) = row {
            let transcript = tamper(party, party_2(), &data, &mut message, row);
            let kept = kept.get_mut(&party_2()).expect("one counterparty");
            kept.mul_keep.ote_transcript = transcript;
        }
        let call = match begin {
            Begin::Sign => Call::StartSign(StartSign { intent, message }),
            Begin::Confirm => Call::StartConfirm(StartConfirm { message }),
        };
        Attempt { session, begin, data, unique, kept, call }
    }

    /// Sends a first message to one of the processes. Returns the observation, and the run if the
    /// message passed.
    pub async fn send(&self, process: usize, attempt: Attempt) -> (String, Option<Passed>) {
        let Attempt { session, begin, data, unique, kept, call } = attempt;
        match self.call(process, session, call).await {
            Ok(Answer::SignAnswered(answered)) => {
                let passed = Passed { session, begin, data, unique, kept, answered };
                ("answered".to_owned(), Some(passed))
            }
            Ok(_) => ("another answer".to_owned(), None),
            Err(outcome) => (outcome, None),
        }
    }

    /// Finishes a run honestly and returns the observation.
    pub async fn close(&self, process: usize, passed: Passed) -> String {
        self.finish(process, passed, |_| {}).await
    }

    /// Finishes a run with a cheat that the cosigner detects, and returns the observation.
    pub async fn cheat(&self, process: usize, passed: Passed) -> String {
        let corrupt = |finish: &mut FinishSign| finish.message.gamma_u = finish.message.gamma_v;
        self.finish(process, passed, corrupt).await
    }

    async fn finish(
        &self,
        process: usize,
        passed: Passed,
        change: impl FnOnce(&mut FinishSign),
    ) -> String {
        let Passed { session, begin, data, unique, kept, answered } = passed;
        let party = self.share.party();
        let second = party.sign_phase2(&data, unique, kept, &[answered.phase_1]);
        let (unique, pair, mut sent) = second.expect("a valid answer");
        let third = party.sign_phase3(&data, unique, pair, &[answered.phase_2]);
        let (_, share) = third.expect("a valid answer");
        let mut finish = FinishSign { message: sent.remove(0), share, kept: answered.kept };
        change(&mut finish);
        let call = match begin {
            Begin::Sign => Call::FinishSign(finish),
            Begin::Confirm => Call::FinishConfirm(finish),
        };
        match self.call(process, session, call).await {
            Ok(_) => "signed".to_owned(),
            Err(outcome) => outcome,
        }
    }

    /// Runs a refresh with a tampered proof in this row of its new oblivious transfers, and returns
    /// the observation.
    pub async fn tampered_refresh(&self, process: usize, to: u32, row: usize) -> String {
        let session: SessionId = Random::system().bytes().expect("randomness");
        let id = refresh_id(&self.key, to, session);
        let party = self.share.party();
        let fragments = party.refresh_complete_phase1();
        let start = StartRefresh { to, fragment: fragments[1] };
        let committed = match self.call(process, session, Call::StartRefresh(start)).await {
            Ok(Answer::RefreshCommitted(committed)) => committed,
            Ok(_) => return "another answer".to_owned(),
            Err(outcome) => return outcome,
        };
        let (_, proof, kept, mut zero) =
            party.refresh_complete_phase2(&id, &[fragments[0], committed.fragment]);
        let (_, mut revealed, _, mut mul) = party.refresh_complete_phase3(&id, &kept);
        let mut mul = mul.remove(0);
        mul.enc_proofs[row].challenge0 += Scalar::ONE;
        let finish = FinishRefresh {
            commitments: RefreshCommitments { proof: proof.commitment, zero: zero.remove(0) },
            reveal: RefreshReveal { proof: proof.proof, zero: revealed.remove(0), mul },
            kept: committed.kept,
        };
        match self.call(process, session, Call::FinishRefresh(finish)).await {
            Ok(_) => "refreshed".to_owned(),
            Err(outcome) => outcome,
        }
    }

    /// Makes a call. An error is the observation.
    ///
    /// # Errors
    ///
    /// Returns the refusal's text, or that the invocation failed.
    pub async fn call(
        &self,
        process: usize,
        session: SessionId,
        call: Call,
    ) -> Result<Answer, String> {
        let cosigner = &self.cosigners[process % self.cosigners.len()];
        match cosigner.call(&self.key, session, call).await {
            Ok(answer) => Ok(answer),
            Err(CosignerError::Refused(refusal)) => Err(refusal.to_string()),
            Err(_) => Err("failed".to_owned()),
        }
    }
}
