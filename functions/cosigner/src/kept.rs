//! What is kept between two calls. It goes to party 1 with the answer and comes back with the next
//! call, sealed under a key of its own; the table holds that key, sealed under KMS key B, until it
//! is taken out, once.
//!
//! So a session costs the table a few hundred bytes, and not the 20 KB of a signature's state or the
//! 160 KB of a key generation's. Party 1 cannot read what it carries, change it, or bring that of
//! another session; what it carries is worth nothing once the key has been taken.

use shared::envelope::OnceKey;
use shared::mpc::{Refusal, SessionId, WalletKey};
use zeroize::Zeroizing;

use crate::store::{SessionKind, SessionRecord, session_context};
use crate::{Cosigner, End, Failure};

/// What the state says that it is.
fn about(key: &WalletKey, session: SessionId, kind: SessionKind) -> Vec<u8> {
    let mut about = format!("hyperdex/kept/1/{}/{key}/", kind.as_str()).into_bytes();
    about.extend_from_slice(&session);
    about
}

/// The keys of a session, as they are sealed in its item.
pub(crate) struct SessionKeys(Zeroizing<Vec<u8>>);

impl SessionKeys {
    const KEY: usize = 32;

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// With the key of what is revealed in between.
    pub(crate) fn with(mut self, reveal: &OnceKey) -> Self {
        self.0.extend_from_slice(reveal.expose());
        self
    }

    fn kept(&self) -> Option<OnceKey> {
        OnceKey::from_bytes(self.0.get(..Self::KEY)?)
    }

    pub(crate) fn reveal(&self) -> Option<OnceKey> {
        OnceKey::from_bytes(self.0.get(Self::KEY..)?)
    }
}

impl Cosigner {
    /// Seals what is kept; the keys are for the session's item, the rest for party 1.
    pub(crate) fn keep(
        &self,
        key: &WalletKey,
        session: SessionId,
        kind: SessionKind,
        state: &[u8],
    ) -> Result<(SessionKeys, Vec<u8>), Failure> {
        let (once, kept) = OnceKey::seal(&self.random, &about(key, session, kind), state)?;
        let mut keys = Zeroizing::new(Vec::with_capacity(2 * SessionKeys::KEY));
        keys.extend_from_slice(once.expose());
        Ok((SessionKeys(keys), kept))
    }

    /// Takes a session out of the table, and opens what party 1 has brought back.
    pub(crate) async fn take_session(
        &self,
        key: &WalletKey,
        session: SessionId,
        kind: SessionKind,
        kept: Vec<u8>,
    ) -> Result<Zeroizing<Vec<u8>>, End> {
        let record = self.shares.take(key, session).await?.ok_or(Refusal::NoSession)?;
        let keys = self.session_keys(key, session, kind, &record).await?;
        let once = keys.kept().ok_or_else(damaged)?;
        // What is brought is of another session: this one is over all the same.
        Ok(once.open(&about(key, session, kind), kept).map_err(|_| Refusal::NoSession)?)
    }

    /// The keys of a session that is open.
    pub(crate) async fn session_keys(
        &self,
        key: &WalletKey,
        session: SessionId,
        kind: SessionKind,
        record: &SessionRecord,
    ) -> Result<SessionKeys, End> {
        if record.kind != kind || self.clock.now_ms() / 1_000 >= record.expires_at_s {
            return Err(Refusal::NoSession.into());
        }
        let context = session_context(key, session, kind);
        Ok(SessionKeys(self.envelope.open(&context, &record.sealed).await?))
    }
}

pub(crate) fn damaged() -> Failure {
    Failure::Damaged("a session's keys".to_owned())
}
