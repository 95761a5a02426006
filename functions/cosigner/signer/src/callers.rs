//! The table of callers: which function may make which call.
//!
//! Each function that invokes the cosigner has its own Lambda alias, named like the function, and
//! IAM lets its role invoke only that alias. Lambda reports the alias in the invoked ARN, so the
//! caller cannot choose it. [`CALLERS`] is the whole table; a test compares it with the templates.

use domain::policy::Change;
use protocol::{Call, PolicyCall, PreparePayment, StartPayment};

/// A call that an alias may make.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Right {
    /// Make a wallet's key.
    Keygen,
    /// Sign an intent of this name (`Intent::NAMES`).
    Sign(&'static str),
    /// Refresh a wallet's shares: make new ones, try them, and retire the others.
    Refresh,
    /// Sign a payment of this name (`Payment::NAMES`).
    Pay(&'static str),
    /// Report the outcomes of payments.
    Settle,
    /// Make a call about a tenant's policy.
    Policy(PolicyRight),
    /// Restore shares from recovery records.
    Recover,
}

/// A call about a tenant's policy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PolicyRight {
    /// Read it.
    Show,
    /// Propose a change with an approver's signature.
    Propose,
    /// Add an approver's signature to a change.
    Approve,
    /// Cancel a change with an approver's signature.
    Cancel,
    /// Cancel a change without a signature.
    CancelUnsigned,
}

use PolicyRight::{Approve, Cancel, CancelUnsigned, Propose, Show};
use Right::{Keygen, Pay, Recover, Refresh, Settle, Sign};

/// Every alias with its rights. An alias that is not in this table has no rights.
pub const CALLERS: [(&str, &[Right]); 20] = [
    ("create-wallet", &[Keygen]),
    ("sign-message", &[Sign("PersonalMessage")]),
    // A registration may replace an expired agent, and then removes the old one.
    (
        "register-aster",
        &[
            Sign("AsterRegisterAgent"),
            Sign("AsterDeleteAgent"),
            Sign("AsterLogin"),
            Sign("AsterApproveBuilder"),
        ],
    ),
    (
        "register-hyperliquid",
        &[
            Sign("HyperliquidApproveAgent"),
            Sign("HyperliquidRevokeAgent"),
            Sign("HyperliquidApproveBuilder"),
        ],
    ),
    ("rotate-apikey", &AGENTS),
    ("renew-apikeys", &AGENTS),
    ("delete-apikey", &[Sign("AsterDeleteAgent"), Sign("HyperliquidRevokeAgent")]),
    ("delete-agent", &[Sign("AsterDeleteAgent"), Sign("HyperliquidRevokeAgent")]),
    ("refresh-shares", &[Refresh]),
    ("withdraw-hyperliquid", &[Pay("HyperliquidWithdraw")]),
    ("transfer-hyperliquid", &[Pay("HyperliquidMoveOwn"), Pay("HyperliquidSendAsset")]),
    ("withdraw-aster", &[Pay("AsterWithdraw")]),
    ("send-tokens", &[Pay("EvmTokenTransfer")]),
    // The jobs that find out the outcomes. They sign nothing.
    ("resolve-orders-hyperliquid", &[Settle]),
    ("resolve-orders-aster", &[Settle]),
    ("get-policy", &[Right::Policy(Show)]),
    // Without signatures, both return the text to sign, which they make from the policy.
    ("propose-policy-change", &[Right::Policy(Show), Right::Policy(Propose)]),
    ("approve-policy-change", &[Right::Policy(Approve)]),
    ("cancel-policy-change", &[Right::Policy(Show), Right::Policy(Cancel)]),
    (
        OPERATOR,
        &[
            Right::Policy(Show),
            Right::Policy(Propose),
            Right::Policy(Approve),
            Right::Policy(Cancel),
            Right::Policy(CancelUnsigned),
            Recover,
        ],
    ),
];

/// The alias of the cosigner's own account: no function's role may invoke it.
pub const OPERATOR: &str = "operator";

/// Approval and removal of agents on every exchange, and approval of builders.
const AGENTS: [Right; 6] = [
    Sign("AsterRegisterAgent"),
    Sign("AsterDeleteAgent"),
    Sign("HyperliquidApproveAgent"),
    Sign("HyperliquidRevokeAgent"),
    Sign("HyperliquidApproveBuilder"),
    Sign("AsterApproveBuilder"),
];

/// The alias that a local stack assumes for an invocation without a qualifier. It has every right,
/// and exists only on a local stack: see [`Unqualified`].
pub const LOCAL: &str = "local";

/// The longest alias that Lambda accepts, in characters.
const MAX_ALIAS: usize = 128;

/// The treatment of an invocation without a qualifier.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Unqualified {
    /// Refuse it. The cloud uses this.
    #[default]
    Refused,
    /// Treat it as the alias [`LOCAL`], for a local stack or an emulator without aliases.
    Local,
}

/// Returns the alias in the ARN of an invoked function:
/// `arn:aws:lambda:REGION:ACCOUNT:function:NAME:ALIAS`. Returns a version number as well. Counts
/// the parts, so that a function whose own name is an alias of [`CALLERS`] is not mistaken for it.
fn alias_of(invoked: &str) -> Option<String> {
    let parts: Vec<&str> = invoked.split(':').collect();
    let ["arn", _, "lambda", _, _, "function", _, alias] = parts[..] else { return None };
    Some(alias.chars().take(MAX_ALIAS).collect())
}

impl Unqualified {
    /// Returns the alias to record for an invocation of this ARN; `None` when it had none.
    pub(crate) fn alias(self, invoked: &str) -> Option<String> {
        let local = || (self == Self::Local).then(|| LOCAL.to_owned());
        alias_of(invoked).or_else(local)
    }

    /// Returns whether an alias may make this call.
    pub(crate) fn allows(self, alias: Option<&str>, call: &Call) -> bool {
        let Some(alias) = alias else { return false };
        if alias == LOCAL {
            return self == Self::Local;
        }
        let rights = CALLERS.iter().find(|(known, _)| *known == alias).map(|(_, rights)| *rights);
        rights.is_some_and(|rights| rights.iter().any(|right| right.allows(call)))
    }
}

impl Right {
    /// Returns whether the right covers this call. Exhaustive, so that a new call needs a right
    /// before it can be made.
    fn allows(self, call: &Call) -> bool {
        match call {
            Call::StartKeygen(_) | Call::CommitKeygen(_) | Call::FinishKeygen(_) => self == Keygen,
            Call::StartSign(start) => self == Sign(start.intent.name()),
            // Call 1 was checked, and fixed the signed content.
            Call::FinishSign(_) => matches!(self, Sign(_)),
            Call::PreparePayment(PreparePayment { order, .. })
            | Call::StartPayment(StartPayment { order, .. }) => self == Pay(order.payment.name()),
            Call::FinishPayment(_) => matches!(self, Pay(_)),
            Call::SettlePayment(_) => self == Settle,
            Call::ListPayments { .. } => self == Self::Policy(Show),
            Call::StartRefresh(_)
            | Call::FinishRefresh(_)
            | Call::StartConfirm(_)
            | Call::FinishConfirm(_)
            | Call::Retire
            | Call::RetireRecorded => self == Refresh,
            Call::Recovery(_) => self == Recover,
            Call::Policy(call) => match call {
                PolicyCall::Show => self == Self::Policy(Show),
                PolicyCall::Propose(proposal) => {
                    let cancels = matches!(proposal.change, Change::Cancel { .. });
                    self == Self::Policy(Propose) || (cancels && self == Self::Policy(Cancel))
                }
                PolicyCall::Approve { .. } => self == Self::Policy(Approve),
                PolicyCall::Cancel { .. } | PolicyCall::Freeze => {
                    self == Self::Policy(CancelUnsigned)
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use domain::intent::Intent;
    use domain::money::Payment;

    use super::*;

    const FUNCTION: &str = "arn:aws:lambda:eu-west-1:222222222222:function:hyperdex-cosigner";

    #[test]
    fn alias_is_the_qualifier_of_the_invoked_arn() {
        assert_eq!(alias_of(&format!("{FUNCTION}:sign-message")).as_deref(), Some("sign-message"));
        assert_eq!(alias_of(&format!("{FUNCTION}:7")).as_deref(), Some("7"));
        assert_eq!(alias_of(&format!("{FUNCTION}:$LATEST")).as_deref(), Some("$LATEST"));
        let long = "a".repeat(1_000);
        assert_eq!(alias_of(&format!("{FUNCTION}:{long}")), Some("a".repeat(MAX_ALIAS)));
        // A function may have the name of an alias.
        let named = "arn:aws:lambda:eu-west-1:222222222222:function:refresh-shares";
        for without in [FUNCTION, named, "refresh-shares", "function-arn", "", ":::::::local"] {
            assert_eq!(alias_of(without), None, "{without}");
        }
        let more = format!("{FUNCTION}:sign-message:refresh-shares");
        assert_eq!(alias_of(&more), None);
    }

    #[test]
    fn unqualified_invocation_has_rights_only_locally() {
        let (cloud, local) = (Unqualified::default(), Unqualified::Local);
        assert_eq!((cloud.alias(FUNCTION), local.alias(FUNCTION).as_deref()), (None, Some(LOCAL)));
        assert!(local.allows(Some(LOCAL), &Call::Retire));
        // Holds even if an alias of that name is made in the cloud.
        let made = cloud.alias(&format!("{FUNCTION}:{LOCAL}"));
        assert!(!cloud.allows(made.as_deref(), &Call::Retire));
        assert!(!cloud.allows(None, &Call::Retire));
        for unknown in ["$LATEST", "7", "reconcile-apikeys", ""] {
            assert!(!cloud.allows(Some(unknown), &Call::Retire), "{unknown}");
            assert!(!local.allows(Some(unknown), &Call::Retire), "{unknown}");
        }
    }

    #[test]
    fn refresh_and_keygen_require_their_own_alias() {
        let with = |right: Right| -> Vec<&str> {
            let having = CALLERS.iter().filter(|(_, rights)| rights.contains(&right));
            having.map(|(alias, _)| *alias).collect()
        };
        assert_eq!(with(Refresh), ["refresh-shares"]);
        assert_eq!(with(Keygen), ["create-wallet"]);
        assert_eq!(with(Settle), ["resolve-orders-hyperliquid", "resolve-orders-aster"]);
        assert_eq!(with(Sign("PersonalMessage")), ["sign-message"]);
        assert_eq!(with(Sign("AsterLogin")), ["register-aster"]);
    }

    #[test]
    fn table_names_every_intent_and_no_other() {
        let rights = CALLERS.iter().flat_map(|(_, rights)| rights.iter());
        let named: BTreeSet<&str> = rights
            .filter_map(|right| match right {
                Sign(intent) => Some(*intent),
                Keygen | Refresh | Recover | Settle | Pay(_) | Right::Policy(_) => None,
            })
            .collect();
        assert_eq!(named, BTreeSet::from(Intent::NAMES));
        let rights = CALLERS.iter().flat_map(|(_, rights)| rights.iter());
        let paid: BTreeSet<&str> = rights
            .filter_map(|right| match right {
                Pay(payment) => Some(*payment),
                Keygen | Refresh | Recover | Settle | Sign(_) | Right::Policy(_) => None,
            })
            .collect();
        assert_eq!(paid, BTreeSet::from(Payment::NAMES));
        let aliases: BTreeSet<&str> = CALLERS.iter().map(|(alias, _)| *alias).collect();
        assert_eq!(aliases.len(), CALLERS.len());
        assert!(!aliases.contains(LOCAL));
    }
}
