//! State kept between two calls. It travels to party 1 with the response and returns with the next
//! call, sealed under a key of its own. The table holds that key until it is taken out, once. The
//! key is sealed under the share's data key (in a key generation under a data key of its own), and
//! so under KMS key B.
//!
//! A session therefore costs the table a few hundred bytes, instead of 20 KB for a signature's
//! state or 160 KB for a key generation's. Party 1 cannot read or change the state it carries, or
//! substitute another session's. The state is worthless once the key has been taken.

use platform::envelope::BesideKey;
use platform::items::Item;
use protocol::{OnceKey, Refusal, SessionId, UnusedKey, WalletKey};
use zeroize::Zeroizing;

use crate::audit::RequestContext;
use crate::party::{CallError, Cosigner, Failure};
use crate::store::{SessionKind, SessionRecord, session_context, session_item};

/// Returns the associated data that binds the state to its session.
pub(crate) fn about(key: &WalletKey, session: SessionId, kind: SessionKind) -> Vec<u8> {
    let mut about = format!("hyperdex/kept/1/{}/{key}/", kind.as_str()).into_bytes();
    about.extend_from_slice(&session);
    about
}

/// A session's keys, as sealed in its item.
pub(crate) struct SessionKeys(Zeroizing<Vec<u8>>);

impl SessionKeys {
    const KEY: usize = 32;

    /// Holds the key of the kept state, and the key of the data revealed in between, if any.
    pub(crate) fn new(kept: &OnceKey, reveal: Option<&OnceKey>) -> Self {
        let mut keys = Zeroizing::new(Vec::with_capacity(2 * Self::KEY));
        for key in [Some(kept), reveal].into_iter().flatten() {
            keys.extend_from_slice(key.expose());
        }
        Self(keys)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Opens the state that party 1 returned. If it belongs to another session, this session has
    /// still ended.
    fn open(&self, about: &[u8], kept: Vec<u8>) -> Result<Zeroizing<Vec<u8>>, CallError> {
        let once = self.0.get(..Self::KEY).and_then(OnceKey::from_bytes).ok_or_else(damaged)?;
        Ok(once.open(about, kept).map_err(|_| Refusal::NoSession)?)
    }

    pub(crate) fn reveal(&self) -> Option<OnceKey> {
        OnceKey::from_bytes(self.0.get(Self::KEY..)?)
    }
}

/// A session that is not stored yet.
pub(crate) struct NewSession {
    /// The item to write.
    pub(crate) item: Item,
    /// The key that seals the state carried by party 1.
    pub(crate) once: UnusedKey,
    /// Unix seconds.
    pub(crate) expires_at_s: u64,
}

impl Cosigner {
    /// Makes a session for a key that has a share. Both calls open the share anyway, so the
    /// session's key is sealed under the share's data key, without a call of KMS.
    pub(crate) fn session_beside(
        &self,
        beside: &BesideKey,
        RequestContext { key, session, .. }: &RequestContext,
        kind: SessionKind,
        life_s: u64,
    ) -> Result<NewSession, Failure> {
        let once = UnusedKey::draw(&self.random)?;
        let keys = SessionKeys::new(once.key(), None);
        let sealed_for = session_context(key, *session, kind);
        let sealed = beside.seal(&self.random, &sealed_for, keys.bytes())?;
        let expires_at_s = self.clock.now_ms() / 1_000 + life_s;
        let item = session_item(key, *session, kind, expires_at_s, sealed)?;
        Ok(NewSession { item, once, expires_at_s })
    }

    /// Opens the state that party 1 returned, with the session taken out of the table.
    pub(crate) fn kept_beside(
        &self,
        beside: &BesideKey,
        context: &RequestContext,
        record: &SessionRecord,
        kept: Vec<u8>,
    ) -> Result<Zeroizing<Vec<u8>>, CallError> {
        let about = about(&context.key, context.session, record.kind);
        self.kept_about(beside, context, record, &about, kept)
    }

    /// As [`Cosigner::kept_beside`], for state that is bound to more than its session.
    pub(crate) fn kept_about(
        &self,
        beside: &BesideKey,
        RequestContext { key, session, .. }: &RequestContext,
        record: &SessionRecord,
        about: &[u8],
        kept: Vec<u8>,
    ) -> Result<Zeroizing<Vec<u8>>, CallError> {
        let sealed_for = session_context(key, *session, record.kind);
        let keys = SessionKeys(beside.open(&sealed_for, &record.sealed)?);
        keys.open(about, kept)
    }

    /// Takes a session out of the table, which ends it.
    pub(crate) async fn take(
        &self,
        RequestContext { key, session, .. }: &RequestContext,
        kind: SessionKind,
    ) -> Result<SessionRecord, CallError> {
        let record = self.shares.take(key, *session).await?.ok_or(Refusal::NoSession)?;
        self.usable(kind, record)
    }

    fn usable(&self, kind: SessionKind, record: SessionRecord) -> Result<SessionRecord, CallError> {
        if record.kind != kind || self.clock.now_ms() / 1_000 >= record.expires_at_s {
            return Err(Refusal::NoSession.into());
        }
        Ok(record)
    }

    /// Takes the session of a key generation, and opens the state that party 1 returned.
    pub(crate) async fn take_keygen(
        &self,
        context: &RequestContext,
        kept: Vec<u8>,
    ) -> Result<Zeroizing<Vec<u8>>, CallError> {
        let record = self.take(context, SessionKind::Keygen).await?;
        let keys = self.keygen_keys(context, record).await?;
        keys.open(&about(&context.key, context.session, SessionKind::Keygen), kept)
    }

    /// Opens the keys of an open key generation. No share exists yet whose data key could
    /// seal them.
    pub(crate) async fn keygen_keys(
        &self,
        RequestContext { key, session, .. }: &RequestContext,
        record: SessionRecord,
    ) -> Result<SessionKeys, CallError> {
        let record = self.usable(SessionKind::Keygen, record)?;
        let sealed_for = session_context(key, *session, SessionKind::Keygen);
        Ok(SessionKeys(self.envelope.open(&sealed_for, &record.sealed).await?))
    }
}

pub(crate) fn damaged() -> Failure {
    Failure::Damaged("a session's keys".to_owned())
}
