//! One operation on a wallet's credential: its initiator, the wallet, and the time.

use super::Registrar;
use crate::caller::Caller;
use crate::store::{CredentialRecord, WalletView};

/// The initiator of an operation.
#[derive(Clone, Copy, Debug)]
pub(super) enum Initiator<'a> {
    /// A caller, who receives the result.
    Caller(&'a Caller),
    /// A scheduled job. It finishes operations on behalf of the caller who began them.
    Job,
}

impl Initiator<'_> {
    /// Marks a record with the request being served.
    pub(super) fn mark(self, record: &mut CredentialRecord) {
        if let Self::Caller(caller) = self {
            record.request = caller.request.as_ref().map(|once| once.mark.clone());
        }
    }

    pub(super) const fn is_caller(self) -> bool {
        matches!(self, Self::Caller(_))
    }
}

/// One operation on a wallet's credential.
#[derive(Clone, Copy)]
pub(super) struct Operation<'a> {
    pub(super) registrar: &'a Registrar,
    pub(super) initiator: Initiator<'a>,
    pub(super) view: &'a WalletView,
    /// Start of the operation, Unix milliseconds. The lease counts from this time.
    pub(super) received_ms: u64,
}
