//! A compromised endpoint function: it has its share, table and keys, and it can use the Invoke API
//! freely.

use dkls23_secp256k1::protocols::signing::Broadcast3to4;
use domain::ids::{Tenant, WalletRef};
use domain::intent::Intent;
use hyperdex_local::Options;
use protocol::{
    Answer, Call, Curve, FinishSign, KeyShare, Refusal, SessionId, StartSign, WalletKey, party_2,
    sign_data,
};
use shared::aws::LambdaClient;
use shared::mpc::{CosignerClient, CosignerError};
use shared::store::WalletView;

use crate::TestApp;

/// An attacker with party 1 of one wallet.
#[derive(Debug)]
pub struct Attacker {
    /// The stack.
    pub app: TestApp,
    /// The client of the cosigner.
    pub cosigner: CosignerClient,
    /// The wallet's key.
    pub key: WalletKey,
    /// Party 1's share of the key.
    pub share: KeyShare,
}

/// A session after call 1.
#[expect(missing_debug_implementations, reason = "the protocol's messages have none")]
pub struct Opened {
    /// The session.
    pub session: SessionId,
    /// The message of call 2.
    pub phase_2: FinishSign,
}

#[expect(clippy::expect_used, clippy::panic, reason = "a failing test panics")]
impl Attacker {
    /// Starts an attacker on its own stack, with the wallet of the user `victim`.
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// Starts an attacker on a stack with changed options.
    pub async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let app = TestApp::start_with(change).await;
        app.wallet("victim").await;
        let view = find(&app, "victim").await;
        let share = app.stack.custody.share(&view.wallet).await.expect("a share");
        let cosigner =
            CosignerClient::new(LambdaClient::new(&app.stack.aws()), "cosigner", "attacker");
        Self { key: view.wallet.key(), share, cosigner, app }
    }

    /// Makes call 1 for an intent and returns the message of call 2.
    ///
    /// # Errors
    ///
    /// Returns the cosigner's refusal.
    pub async fn open(&self, session: SessionId, intent: &Intent) -> Result<Opened, Refusal> {
        let data = sign_data(&self.key, session, party_2(), intent.digest());
        let party = self.share.party();
        let (unique, kept, mut phase_1) = party.sign_phase1(&data).expect("phase 1");
        let start = StartSign { intent: intent.clone(), message: phase_1.remove(0) };
        let answered = match self.cosigner.call(&self.key, session, Call::StartSign(start)).await {
            Ok(Answer::SignAnswered(answered)) => answered,
            Err(CosignerError::Refused(refusal)) => return Err(refusal),
            Ok(_) => panic!("expected an answer to call 1"),
            Err(other) => panic!("expected a typed refusal: {other}"),
        };
        let (unique, kept, mut phase_2) =
            party.sign_phase2(&data, unique, kept, &[answered.phase_1]).expect("phase 2");
        let (_, share): (_, Broadcast3to4<Curve>) =
            party.sign_phase3(&data, unique, kept, &[answered.phase_2]).expect("phase 3");
        let (message, kept) = (phase_2.remove(0), answered.kept);
        Ok(Opened { session, phase_2: FinishSign { message, share, kept } })
    }

    /// Makes call 2.
    ///
    /// # Errors
    ///
    /// Returns the cosigner's refusal.
    pub async fn finish(&self, session: SessionId, message: FinishSign) -> Result<(), Refusal> {
        refusal(self.cosigner.call(&self.key, session, Call::FinishSign(message)).await)
    }

    /// Checks that the wallet still signs for its owner.
    pub async fn still_signs(&self) {
        let body = serde_json::json!({ "message": "hello" });
        let reply = self.app.post("/api/wallets/victim/sign", body).await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }
}

/// Returns the refusal of a call, if it was refused.
///
/// # Errors
///
/// Returns the refusal.
#[expect(clippy::panic, reason = "a failing test panics")]
pub fn refusal(answer: Result<Answer, CosignerError>) -> Result<(), Refusal> {
    match answer {
        Ok(_) => Ok(()),
        Err(CosignerError::Refused(refusal)) => Err(refusal),
        Err(other) => panic!("expected a typed refusal: {other}"),
    }
}

/// Returns a user's wallet as stored.
#[expect(clippy::expect_used, reason = "a failing test panics")]
pub async fn find(app: &TestApp, user: &str) -> WalletView {
    let name: WalletRef = user.parse().expect("a name");
    let found = app.stack.custody.store.find(&Tenant::local(), &name).await;
    found.expect("a readable table").expect("a wallet")
}
