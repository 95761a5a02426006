//! An endpoint function in an attacker's hands: its share, its table and keys, and free use of the
//! Invoke API.

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

/// The attacker, who holds party 1 of one wallet.
#[derive(Debug)]
pub struct Attacker {
    /// The stack.
    pub app: TestApp,
    /// The way to the cosigner.
    pub cosigner: CosignerClient,
    /// The wallet's key.
    pub key: WalletKey,
    /// Party 1's share of it.
    pub share: KeyShare,
}

/// A run that has begun.
#[expect(missing_debug_implementations, reason = "the protocol's messages have none")]
pub struct Opened {
    /// The run.
    pub session: SessionId,
    /// The message of call 2.
    pub phase_2: FinishSign,
}

#[expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on says so and ends")]
impl Attacker {
    /// On a stack of its own, with the wallet of the user `victim`.
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// The same with other options.
    pub async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let app = TestApp::start_with(change).await;
        app.wallet("victim").await;
        let view = find(&app, "victim").await;
        let share = app.stack.custody.share(&view.wallet).await.expect("its share");
        let cosigner =
            CosignerClient::new(LambdaClient::new(&app.stack.aws()), "cosigner", "attacker");
        Self { key: view.wallet.key(), share, cosigner, app }
    }

    /// Call 1 for an intent, up to the message of call 2.
    ///
    /// # Errors
    /// What the cosigner refuses.
    pub async fn open(&self, session: SessionId, intent: &Intent) -> Result<Opened, Refusal> {
        let data = sign_data(&self.key, session, party_2(), intent.digest());
        let party = self.share.party();
        let (unique, kept, mut phase_1) = party.sign_phase1(&data).expect("phase 1");
        let start = StartSign { intent: intent.clone(), message: phase_1.remove(0) };
        let theirs = match self.cosigner.call(&self.key, session, Call::StartSign(start)).await {
            Ok(Answer::SignAnswered(theirs)) => theirs,
            Err(CosignerError::Refused(refusal)) => return Err(refusal),
            Ok(_) => panic!("an answer to call 1 is wanted"),
            Err(other) => panic!("a typed refusal is wanted: {other}"),
        };
        let (unique, kept, mut phase_2) =
            party.sign_phase2(&data, unique, kept, &[theirs.phase_1]).expect("phase 2");
        let (_, share): (_, Broadcast3to4<Curve>) =
            party.sign_phase3(&data, unique, kept, &[theirs.phase_2]).expect("phase 3");
        let (message, kept) = (phase_2.remove(0), theirs.kept);
        Ok(Opened { session, phase_2: FinishSign { message, share, kept } })
    }

    /// Call 2.
    ///
    /// # Errors
    /// What the cosigner refuses.
    pub async fn finish(&self, session: SessionId, message: FinishSign) -> Result<(), Refusal> {
        refusal(self.cosigner.call(&self.key, session, Call::FinishSign(message)).await)
    }

    /// The wallet still signs for its owner.
    pub async fn still_signs(&self) {
        let body = serde_json::json!({ "message": "hello" });
        let reply = self.app.post("/api/wallets/victim/sign", body).await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }
}

/// The refusal, if the answer is one.
///
/// # Errors
/// The refusal.
#[expect(clippy::panic, reason = "a test that cannot go on says so and ends")]
pub fn refusal(answer: Result<Answer, CosignerError>) -> Result<(), Refusal> {
    match answer {
        Ok(_) => Ok(()),
        Err(CosignerError::Refused(refusal)) => Err(refusal),
        Err(other) => panic!("a typed refusal is wanted: {other}"),
    }
}

/// A user's wallet, as the product sees it.
#[expect(clippy::expect_used, reason = "a test that cannot go on says so and ends")]
pub async fn find(app: &TestApp, user: &str) -> WalletView {
    let name: WalletRef = user.parse().expect("a name");
    let found = app.stack.custody.store.find(&Tenant::local(), &name).await;
    found.expect("the table answers").expect("the wallet is there")
}
