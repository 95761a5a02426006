//! Kills proposals, approvals and cancellations of the payment policy at each of their remote calls.
//! The retry with the same signatures returns the one record, and the chain verifies.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use cosigner::audit::verify::Verifier;
use domain::policy::PolicyState;
use e2e::Reply;
use e2e::kill::{Call, Harness};
use e2e::payments::{Approvers, DELAY_S, limit, policy};
use serde_json::{Value, json};

use super::report;

/// A tenant whose policy changes.
struct Chain {
    h: Harness,
    approvers: Approvers,
    drawn: AtomicUsize,
    /// The policy before the call under way.
    before: Mutex<Option<PolicyState>>,
}

impl Chain {
    async fn start() -> Self {
        let approvers = Approvers::new();
        let mut h = Harness::start_with(|options| approvers.install(options)).await;
        h.one_in = 4;
        let (drawn, before) = Default::default();
        Self { h, approvers, drawn, before }
    }

    /// Returns a change of a limit that no other change sets.
    fn new_limit(&self) -> Value {
        let number = self.drawn.fetch_add(1, Ordering::SeqCst);
        limit("hyperliquid/USDC", &format!("{}", 1_000 + number), None)
    }

    /// Notes the policy before a call.
    async fn begins(&self, call: Call) -> Call {
        *self.before.lock().unwrap() = Some(policy(&self.h.app).await);
        call
    }

    /// Returns the policy before the call and now. The call has added one record.
    async fn one_record_more(&self) -> (PolicyState, PolicyState) {
        let before = self.before.lock().unwrap().clone().unwrap();
        let now = policy(&self.h.app).await;
        assert_eq!(now.seq, before.seq + 1, "{now:?}");
        (before, now)
    }

    /// Proposes a new limit with these signatures. Returns its number.
    async fn proposed(&self, signers: &[usize]) -> u64 {
        let change = self.new_limit();
        self.approvers.change(&self.h.app, &change, signers).await.unwrap().seq
    }

    /// Cancels every pending change, so that the next case has room.
    async fn cancel_pending(&self) {
        for pending in policy(&self.h.app).await.pending {
            let change = json!({ "type": "cancel", "seq": pending.seq });
            self.approvers.change(&self.h.app, &change, &[2]).await.unwrap();
        }
        // A key makes a limited number of records in an hour.
        self.h.app.clock.advance_ms(10 * 60 * 1_000);
    }

    /// Checks the log of the whole table.
    async fn verifies(&self) {
        let mut verifier = Verifier::default();
        for item in self.h.app.scan(hyperdex_local::COSIGNER_TABLE).await {
            verifier.item(item);
        }
        let report = verifier.finish();
        assert!(report.faults.is_empty(), "{:?}", report.faults);
    }
}

fn ended(reply: &Reply) -> bool {
    matches!(reply.status, 200 | 201)
}

#[tokio::test(flavor = "multi_thread")]
async fn proposal_killed_at_any_call_is_recorded_once() {
    let chain = Chain::start().await;
    let h = &chain.h;
    let propose = async || {
        let proposal = chain.approvers.proposal(&h.app, &chain.new_limit(), &[0]).await;
        chain.begins(Call::propose(&proposal)).await
    };
    let recorded = async |_: &Call| {
        let (before, now) = chain.one_record_more().await;
        assert_eq!((before.pending.len(), now.pending.len()), (0, 1), "{now:?}");
        let pending = &now.pending[0];
        assert_eq!((pending.approvals.len(), pending.effective_at_ms), (1, None), "{pending:?}");
        chain.cancel_pending().await;
    };
    let freeze = async || {
        let change = json!({ "type": "freeze" });
        let proposal = chain.approvers.proposal(&h.app, &change, &[1]).await;
        chain.begins(Call::propose(&proposal)).await
    };
    let frozen = async |_: &Call| {
        let (before, now) = chain.one_record_more().await;
        assert_eq!((before.frozen, now.frozen), (false, true));
        let change = json!({ "type": "unfreeze" });
        chain.approvers.change(&h.app, &change, &[0, 1]).await.unwrap();
        h.app.clock.advance_ms(DELAY_S * 1_000);
    };
    let rows = [
        h.drive("propose a change", propose, ended, recorded).await,
        h.drive("freeze payments", freeze, ended, frozen).await,
    ];
    report("kill-points-policy-propose.md", &rows);
    chain.verifies().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn approval_killed_at_any_call_is_recorded_once() {
    let chain = Chain::start().await;
    let h = &chain.h;
    let approve = async || {
        let seq = chain.proposed(&[0]).await;
        let state = policy(&h.app).await;
        let pending = state.pending.iter().find(|pending| pending.seq == seq).unwrap();
        let text = domain::policy::change_text(
            &state.chain_id,
            &domain::ids::Tenant::local(),
            seq,
            &pending.prev_hash,
            &pending.change,
            pending.not_after_s,
        );
        chain.begins(Call::approve(seq, &chain.approvers.sign(1, &text))).await
    };
    let waits = async |_: &Call| {
        let (_, now) = chain.one_record_more().await;
        let [pending] = now.pending.as_slice() else { panic!("{now:?}") };
        assert_eq!(pending.approvals.len(), 2, "{pending:?}");
        assert!(pending.effective_at_ms.is_some(), "{pending:?}");
        h.app.clock.advance_ms(DELAY_S * 1_000);
        assert_eq!(policy(&h.app).await.pending, []);
    };
    let rows = [h.drive("approve a change", approve, ended, waits).await];
    report("kill-points-policy-approve.md", &rows);
    chain.verifies().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancellation_killed_at_any_call_is_recorded_once() {
    let chain = Chain::start().await;
    let h = &chain.h;
    let cancel = async || {
        let seq = chain.proposed(&[0, 1]).await;
        let change = json!({ "type": "cancel", "seq": seq });
        let cancellation = chain.approvers.proposal(&h.app, &change, &[2]).await;
        chain.begins(Call::cancel_change(seq, &cancellation)).await
    };
    let cancelled = async |_: &Call| {
        let (before, now) = chain.one_record_more().await;
        assert_eq!((before.pending.len(), now.pending.len()), (1, 0), "{now:?}");
        h.app.clock.advance_ms(DELAY_S * 1_000);
        assert_eq!(policy(&h.app).await.limits, before.limits);
    };
    let rows = [h.drive("cancel a change", cancel, ended, cancelled).await];
    report("kill-points-policy-cancel.md", &rows);
    chain.verifies().await;
}
