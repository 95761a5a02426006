//! Tests refreshes against old shares and against a compromised endpoint function.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failing test panics")]

use domain::ids::Tenant;
use domain::intent::{Intent, PersonalMessage};
use domain::random::Random;
use e2e::{TestApp, invariants, shares};
use protocol::{
    Answer, Call, FinishSign, KeyShare, Point, Refusal, Scalar, SessionId, StartConfirm, StartSign,
    WalletKey, confirm_digest, party_1, party_2, sign_data,
};
use shared::aws::LambdaClient;
use shared::mpc::{self, CosignerClient, CosignerError, ProtocolError};
use shared::wallets::{RefreshError, Refreshed, SignError};
use uuid::Uuid;

const USER: &str = "user_1";

/// A stack with one wallet, and what a compromised endpoint function has.
pub(super) struct Scene {
    pub(super) app: TestApp,
    pub(super) id: Uuid,
    cosigner: CosignerClient,
    random: Random,
}

impl Scene {
    pub(super) async fn start() -> Self {
        let app = TestApp::start().await;
        let id = app.wallet(USER).await.text("/walletId").parse().unwrap();
        let cosigner =
            CosignerClient::new(LambdaClient::new(&app.stack.aws()), "cosigner", "attacker");
        Self { app, id, cosigner, random: Random::system() }
    }

    fn key(&self, key_version: u32) -> WalletKey {
        WalletKey { tenant: Tenant::local(), wallet_id: self.id, key_version }
    }

    /// Returns party 1's share in use.
    async fn share(&self) -> KeyShare {
        shares::party_1(&self.app, USER).await
    }

    /// Returns party 2's share, which only a test can read.
    async fn cosigner_share(&self, version: u32) -> KeyShare {
        shares::party_2(&self.app, self.id, version).await
    }

    pub(super) async fn refresh(&self) -> Result<Refreshed, RefreshError> {
        self.app.stack.custody.refresh(&Tenant::local(), self.id, None).await
    }

    pub(super) async fn signs(&self) {
        let reply = self.app.sign(USER).await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }

    async fn cosigner_shares(&self) -> Vec<u32> {
        invariants::cosigner_shares(&self.app, &invariants::view(&self.app, USER).await).await
    }

    /// Checks that the wallet signs, can be refreshed, and then has one share on each side.
    pub(super) async fn assert_works(&self) {
        self.signs().await;
        self.app.clock.advance_ms(61_000);
        while !matches!(self.refresh().await.unwrap(), Refreshed::New(_)) {}
        self.signs().await;
        let version = invariants::view(&self.app, USER).await.wallet.key_version;
        assert_eq!(self.cosigner_shares().await, [version]);
    }

    async fn sign_as(&self, version: u32, share: &KeyShare) -> Result<(), ProtocolError> {
        let key = self.key(version);
        let passed = Box::pin(std::future::ready(()));
        mpc::sign(&self.cosigner, &self.random, &key, share, &intent(), passed).await.map(|_| ())
    }

    /// Runs an attacker's refresh, including its trial. The wallet's record does not show it.
    async fn refresh_secretly(&self, from: u32, to: u32, share: KeyShare) -> KeyShare {
        let key = self.key(from);
        let made = mpc::refresh(&self.cosigner, &self.random, &key, to, share).await.unwrap();
        mpc::confirm(&self.cosigner, &self.random, &self.key(to), &made).await.unwrap();
        made
    }

    async fn retire(&self, version: u32) -> Result<(), ProtocolError> {
        mpc::retire(&self.cosigner, &self.random, &self.key(version)).await
    }

    /// Makes call 1 of a signature with these shares and returns the message of call 2.
    async fn open(&self, version: u32, share: &KeyShare, session: SessionId) -> FinishSign {
        let key = self.key(version);
        let data = sign_data(&key, session, party_2(), intent().digest());
        let party = share.party();
        let (unique, kept, mut phase_1) = party.sign_phase1(&data).unwrap();
        let start = StartSign { intent: intent(), message: phase_1.remove(0) };
        let answer = self.cosigner.call(&key, session, Call::StartSign(start)).await;
        let Ok(Answer::SignAnswered(answered)) = answer else {
            panic!("expected an answer to the honest call 1")
        };
        let (unique, kept, mut phase_2) =
            party.sign_phase2(&data, unique, kept, &[answered.phase_1]).unwrap();
        let (_, share) = party.sign_phase3(&data, unique, kept, &[answered.phase_2]).unwrap();
        FinishSign { message: phase_2.remove(0), share, kept: answered.kept }
    }
}

fn intent() -> Intent {
    Intent::PersonalMessage(PersonalMessage::parse("hello").unwrap())
}

fn refusal(error: ProtocolError) -> Refusal {
    match error {
        ProtocolError::Cosigner(CosignerError::Refused(refusal)) => refusal,
        other => panic!("expected a typed refusal: {other}"),
    }
}

/// Returns true if these two shares sign together, without the two functions.
fn sign_together(one: &KeyShare, two: &KeyShare) -> bool {
    let key = WalletKey { tenant: Tenant::local(), wallet_id: Uuid::nil(), key_version: 1 };
    let digest = intent().digest();
    let first = sign_data(&key, [1; 32], party_2(), digest);
    let second = sign_data(&key, [1; 32], party_1(), digest);
    let (one, two) = (one.party(), two.party());
    let run = || {
        let (unique_1, kept_1, sent_1) = one.sign_phase1(&first)?;
        let (unique_2, kept_2, sent_2) = two.sign_phase1(&second)?;
        let (unique_1, kept_1, sent_1b) = one.sign_phase2(&first, unique_1, kept_1, &sent_2)?;
        let (unique_2, kept_2, sent_2b) = two.sign_phase2(&second, unique_2, kept_2, &sent_1)?;
        let (x, half_1) = one.sign_phase3(&first, unique_1, kept_1, &sent_2b)?;
        let (_, half_2) = two.sign_phase3(&second, unique_2, kept_2, &sent_1b)?;
        one.sign_phase4(&first, &x, &[half_1, half_2], true)
    };
    run().is_ok()
}

/// Returns the public key of the secret that the two shares give.
fn key_of(one: &KeyShare, two: &KeyShare) -> Point {
    // The value of the polynomial at 0, from its values at 1 and 2.
    let (at_1, at_2) = (one.party().poly_point, two.party().poly_point);
    let secret: Scalar = at_1 + at_1 - at_2;
    (Point::GENERATOR * secret).into()
}

#[tokio::test(flavor = "multi_thread")]
async fn old_and_new_shares_do_not_sign_together() {
    let scene = Scene::start().await;
    let (old_1, old_2) = (scene.share().await, scene.cosigner_share(1).await);
    let public = old_1.party().pk;
    assert!(sign_together(&old_1, &old_2) && key_of(&old_1, &old_2) == public);
    assert_eq!(scene.refresh().await.unwrap(), Refreshed::New(2));
    let (new_1, new_2) = (scene.share().await, scene.cosigner_share(2).await);
    assert!(sign_together(&new_1, &new_2) && key_of(&new_1, &new_2) == public);

    for (one, two) in [(&old_1, &new_2), (&new_1, &old_2)] {
        assert!(key_of(one, two) != public);
        assert!(!sign_together(one, two));
        // The old share does not sign if it claims to belong to the new session either.
        let mut forged = one.party().clone();
        forged.session_id.clone_from(&two.party().session_id);
        assert!(!sign_together(&KeyShare::new(forged), two));
    }
    // The cosigner refuses the stolen share under both versions.
    let refused = scene.sign_as(1, &old_1).await.unwrap_err();
    assert_eq!(refusal(refused), Refusal::Retired);
    let refused = scene.sign_as(2, &old_1).await.unwrap_err();
    assert!(matches!(refusal(refused), Refusal::Aborted(_)));
    scene.signs().await;
    // Key generation does not replace a retired version either.
    let again = mpc::generate(&scene.cosigner, &scene.random, &scene.key(1)).await.unwrap_err();
    assert_eq!(refusal(again), Refusal::KeyExists);
    let other = mpc::generate(&scene.cosigner, &scene.random, &scene.key(3)).await.unwrap_err();
    assert_eq!(refusal(other), Refusal::Malformed);
}

#[tokio::test(flavor = "multi_thread")]
async fn signature_during_refresh_uses_the_new_shares() {
    let scene = Scene::start().await;
    let (before, share) = (invariants::view(&scene.app, USER).await, scene.share().await);
    let half = scene.open(1, &share, [5; 32]).await;
    scene.refresh().await.unwrap();
    let late = scene.cosigner.call(&scene.key(1), [5; 32], Call::FinishSign(half)).await;
    assert!(matches!(late, Err(CosignerError::Refused(Refusal::Retired))));
    // A caller that has read wallet and share before the refresh does not notice it.
    let signature = scene.app.stack.custody.sign(&before.wallet, &share, &intent()).await.unwrap();
    assert_eq!(signature.recover(&intent().digest()).unwrap(), before.wallet.address);
}

#[tokio::test(flavor = "multi_thread")]
async fn share_is_not_retired_before_the_new_ones_sign() {
    let scene = Scene::start().await;
    let made = {
        let share = scene.share().await;
        mpc::refresh(&scene.cosigner, &scene.random, &scene.key(1), 2, share).await.unwrap()
    };
    assert_eq!(refusal(scene.retire(2).await.unwrap_err()), Refusal::NotConfirmed);
    // The old share does not pass the trial of the new one.
    let (share, key) = (scene.share().await, scene.key(2));
    let tried = mpc::confirm(&scene.cosigner, &scene.random, &key, &share).await;
    assert!(matches!(refusal(tried.unwrap_err()), Refusal::Aborted(_)));
    assert_eq!(refusal(scene.retire(2).await.unwrap_err()), Refusal::NotConfirmed);
    assert_eq!(refusal(scene.retire(1).await.unwrap_err()), Refusal::NotConfirmed);
    assert_eq!(refusal(scene.retire(3).await.unwrap_err()), Refusal::UnknownKey);
    assert_eq!(scene.cosigner_shares().await, [1, 2]);
    assert_eq!(made.version(), 2);
    scene.assert_works().await;
}

/// Shares that a compromised endpoint function makes do not survive the next refresh.
#[tokio::test(flavor = "multi_thread")]
async fn refresh_invalidates_shares_of_an_attacker() {
    let scene = Scene::start().await;
    let private = scene.refresh_secretly(1, 50, scene.share().await).await;
    assert!(scene.sign_as(50, &private).await.is_ok());
    scene.signs().await;
    // The honest refresh requests version 2, learns about version 50, and uses the next one.
    assert_eq!(scene.refresh().await.unwrap(), Refreshed::New(51));
    assert_eq!(scene.cosigner_shares().await, [51]);
    let refused = scene.sign_as(50, &private).await.unwrap_err();
    assert_eq!(refusal(refused), Refusal::Retired);
    // An attacker cannot use up all versions.
    let share = scene.share().await;
    let key = scene.key(51);
    for to in [u32::MAX, 51, 50, 1] {
        let share = KeyShare::new(share.party().clone());
        let made = mpc::refresh(&scene.cosigner, &scene.random, &key, to, share).await;
        assert_eq!(refusal(made.unwrap_err()), Refusal::Newest(51));
    }
    scene.assert_works().await;
}

/// Shares sign only after their trial, and each has one trial. An endpoint with signing rights
/// alone takes none of their slots before it.
#[tokio::test(flavor = "multi_thread")]
async fn untried_shares_do_not_sign_and_have_one_trial() {
    let scene = Scene::start().await;
    let (key, next, share) = (scene.key(1), scene.key(2), scene.share().await);
    let made = mpc::refresh(&scene.cosigner, &scene.random, &key, 2, share).await.unwrap();
    for _ in 0..5 {
        let refused = scene.sign_as(2, &made).await.unwrap_err();
        assert_eq!(refusal(refused), Refusal::NotConfirmed);
    }
    mpc::confirm(&scene.cosigner, &scene.random, &next, &made).await.unwrap();
    let again = mpc::confirm(&scene.cosigner, &scene.random, &next, &made).await.unwrap_err();
    assert_eq!(refusal(again), Refusal::Tried);
    scene.sign_as(2, &made).await.unwrap();
    scene.assert_works().await;
}

/// An interrupted trial is not retried. The next refresh makes new shares.
#[tokio::test(flavor = "multi_thread")]
async fn interrupted_trial_is_not_retried() {
    let scene = Scene::start().await;
    let (key, share) = (scene.key(1), scene.share().await);
    let made = mpc::refresh(&scene.cosigner, &scene.random, &key, 2, share).await.unwrap();
    let session = [7; 32];
    let (key, digest) = (scene.key(2), confirm_digest(&scene.key(2), session));
    let data = sign_data(&key, session, party_2(), digest);
    let (_, _, mut phase_1) = made.party().sign_phase1(&data).unwrap();
    let start = StartConfirm { message: phase_1.remove(0) };
    scene.cosigner.call(&key, session, Call::StartConfirm(start)).await.unwrap();
    let again = mpc::confirm(&scene.cosigner, &scene.random, &key, &made).await.unwrap_err();
    assert_eq!(refusal(again), Refusal::Tried);
    scene.assert_works().await;
}

/// A late retirement does not affect shares that were made from the retired ones.
#[tokio::test(flavor = "multi_thread")]
async fn late_retirement_keeps_newer_shares() {
    let scene = Scene::start().await;
    let second = scene.refresh_secretly(1, 2, scene.share().await).await;
    scene.refresh_secretly(2, 3, second).await;
    scene.retire(2).await.unwrap();
    assert_eq!(scene.cosigner_shares().await, [2, 3]);
    scene.retire(3).await.unwrap();
    assert_eq!(scene.cosigner_shares().await, [3]);
    assert_eq!(refusal(scene.retire(2).await.unwrap_err()), Refusal::Retired);
    assert_eq!(scene.cosigner_shares().await, [3]);
}

/// Abandoned refreshes do not accumulate.
#[tokio::test(flavor = "multi_thread")]
async fn abandoned_refreshes_leave_few_shares() {
    let scene = Scene::start().await;
    for to in 2..5 {
        let share = scene.share().await;
        mpc::refresh(&scene.cosigner, &scene.random, &scene.key(1), to, share).await.unwrap();
        assert_eq!(scene.cosigner_shares().await, [1, to]);
    }
    for to in 5..14 {
        scene.refresh_secretly(1, to, scene.share().await).await;
        assert!(scene.cosigner_shares().await.len() <= 9);
    }
    scene.assert_works().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn barred_key_is_barred_for_all_shares() {
    let scene = Scene::start().await;
    let private = scene.refresh_secretly(1, 2, scene.share().await).await;
    let share = scene.share().await;
    let mut cheat = scene.open(1, &share, [9; 32]).await;
    cheat.message.gamma_u = cheat.message.gamma_v;
    let finish = Call::FinishSign(cheat);
    let refused = scene.cosigner.call(&scene.key(1), [9; 32], finish).await;
    assert!(matches!(refused, Err(CosignerError::Refused(Refusal::Aborted(_)))));

    assert_eq!(refusal(scene.sign_as(2, &private).await.unwrap_err()), Refusal::Barred);
    assert_eq!(refusal(scene.sign_as(1, &share).await.unwrap_err()), Refusal::Barred);
    let refreshed = scene.refresh().await.unwrap_err();
    let RefreshError::Sign(SignError::Protocol(error)) = refreshed else { panic!("{refreshed}") };
    assert_eq!(refusal(error), Refusal::Barred);
}
