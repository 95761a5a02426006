//! The calls about a tenant's policy, and the policy that payments read.

mod origin;

use domain::ids::Tenant;
use domain::policy::{
    Approved, AssetId, Change, ChangeRecord, ChangeState, PolicyState, Proposal, Quorum,
};
use platform::items::{Item, StoreError};
use platform::metrics::{self, About, Metric};
use protocol::{PolicyAnswer, PolicyCall, PolicyFault, Refusal};

use crate::audit::RequestContext;
use crate::party::{CallError, Cosigner, Failure};
use crate::policy_chain::{
    Action, Case, Chain, Decided, Entry, First, Origin, Rules, View, head_of,
};

/// Attempts of a write that meets other writers.
const TRIES: u32 = 6;
/// Longest pause between them, in milliseconds.
const PAUSE_MS: u64 = 200;

impl Cosigner {
    /// Handles a call about the policy of the context's tenant.
    pub(crate) async fn policy_call(
        &self,
        context: &RequestContext,
        call: PolicyCall,
    ) -> Result<PolicyAnswer, CallError> {
        let action = match call {
            PolicyCall::Show => {
                return self.show_policy(&context.key.tenant).await.map(PolicyAnswer::State);
            }
            PolicyCall::Propose(proposal) => Action::Propose(proposal),
            PolicyCall::Approve { seq, approval } => Action::Approve { seq, approval },
            PolicyCall::Cancel { seq } => Action::Cancel { seq },
            PolicyCall::Freeze => Action::Freeze {},
        };
        self.change_policy(context, action).await.map(PolicyAnswer::Change)
    }

    async fn show_policy(&self, tenant: &Tenant) -> Result<PolicyState, CallError> {
        let (origin, stored) = tokio::join!(self.origin(), self.shares.policy_chain(tenant));
        let (origin, rules) = (origin?, self.policy.chain_rules());
        let chain = self.chain_or_first(stored?, tenant, &origin);
        let chain = chain.at_place(self.clock.now_ms(), &origin.found());
        let pending = chain.pending.iter();
        let pending = pending.map(|it| it.record(threshold(&chain, it.quorum, &rules))).collect();
        Ok(PolicyState {
            payments_on: self.payments_on(tenant, &origin, &chain),
            chain_id: origin.chain_id,
            delay_s: chain.delay_s(&rules),
            min_delay_s: rules.min_delay_s,
            root_delay_s: rules.root_delay_s,
            root_authority: rules.root,
            destinations: chain.destinations(),
            pending,
            seq: chain.seq,
            head_hash: chain.hash,
            authority: chain.state.authority,
            exports: chain.state.exports,
            limits: chain.state.limits.into_iter().map(|known| known.limit).collect(),
            frozen: chain.state.frozen,
        })
    }

    /// Makes the view of a tenant's policy from the item with [`View::key`], as read just before.
    pub(crate) async fn policy_view(
        &self,
        tenant: &Tenant,
        head: Option<Item>,
    ) -> Result<View, CallError> {
        let origin = self.origin().await?;
        let chain = self.chain_or_first(head.map(head_of).transpose()?, tenant, &origin);
        let chain = chain.at_place(self.clock.now_ms(), &origin.found());
        self.payments_on(tenant, &origin, &chain);
        Ok(View::of(tenant, &origin, chain, &self.policy.chain_rules()))
    }

    fn chain_or_first(&self, stored: Option<Chain>, tenant: &Tenant, origin: &Origin) -> Chain {
        let first = || Chain::begin(self.policy.first_authority(tenant), origin.began());
        stored.unwrap_or_else(first)
    }

    /// Decides on an action and appends its record. Only an allowed action is recorded, so that
    /// an endpoint cannot lengthen the chain.
    async fn change_policy(
        &self,
        context: &RequestContext,
        action: Action,
    ) -> Result<ChangeRecord, CallError> {
        let tenant = &context.key.tenant;
        let rules = self.policy.chain_rules();
        for _ in 0..TRIES {
            let now_ms = self.clock.now_ms();
            // A flood of other calls takes the table's capacity for a moment.
            let (origin, stored) = match self.read_chain(tenant).await {
                Err(CallError::Failed(Failure::Store(StoreError::Busy(_)))) => {
                    self.pause_policy().await?;
                    continue;
                }
                read => read?,
            };
            let chain = self.chain_or_first(stored, tenant, &origin);
            if let Some(known) = self.repeated(&chain, tenant, &rules, &action).await? {
                return Ok(known);
            }
            let place = origin.found();
            let case =
                Case { rules: &rules, chain_id: &origin.chain_id, tenant, place: &place, now_ms };
            let decided = chain.decide(case, &action).map_err(Refusal::PolicyChange)?;
            if let Action::Propose(proposal) = &action {
                self.check_assets(&chain.at(now_ms), &proposal.change)
                    .map_err(Refusal::PolicyChange)?;
            }
            let entry = self.entry(context, &chain, case, &action, &decided);
            // Before the write, so that a process that dies in between has raised the alarm.
            self.publish(tenant, &action, &decided);
            match self.shares.append_policy(&chain, decided.chain.clone(), &entry).await {
                Ok(_) => return Ok(decided.record(&action)),
                Err(StoreError::Conflict | StoreError::Busy(_)) => self.pause_policy().await?,
                Err(error) => return Err(error.into()),
            }
        }
        Err(Refusal::Busy.into())
    }

    /// Checks that payments use the assets of a destination, or of a limit for another asset than
    /// before. It does not belong to the decision: the policy document changes, and what is stored stays
    /// valid.
    fn check_assets(&self, chain: &Chain, change: &Change) -> Result<(), PolicyFault> {
        let (rules, network) = (self.policy.payments(), self.policy.setting().hyperliquid_chain);
        let (assets, known) = match change {
            Change::AddDestination { destination } => {
                (destination.assets.as_slice(), rules.received(network))
            }
            Change::SetLimit { limit } if chain.state.limit(&limit.asset).is_none() => {
                (std::slice::from_ref(&limit.asset), rules.counted(network))
            }
            _ => return Ok(()),
        };
        let Some(asset) = assets.iter().find(|asset| !known.contains(*asset)) else {
            return Ok(());
        };
        let is_near = |it: &AssetId| it.venue() == asset.venue();
        let is_venue_known = known.iter().any(is_near);
        let known = known.iter().filter(|it| !is_venue_known || is_near(it)).cloned().collect();
        Err(PolicyFault::UnknownAsset { asset: asset.clone(), known })
    }

    async fn read_chain(&self, tenant: &Tenant) -> Result<(Origin, Option<Chain>), CallError> {
        Ok((self.origin().await?, self.shares.policy_chain(tenant).await?))
    }

    async fn pause_policy(&self) -> Result<(), CallError> {
        let pause_ms = u64::from_be_bytes(self.random.bytes()?) % PAUSE_MS;
        self.clock.sleep_ms(pause_ms).await;
        Ok(())
    }

    fn entry(
        &self,
        context: &RequestContext,
        chain: &Chain,
        case: Case<'_>,
        action: &Action,
        decided: &Decided,
    ) -> Entry {
        let Rules { root, delay_s, min_delay_s, root_delay_s, .. } = case.rules;
        let first = (chain.seq == 0).then(|| First {
            authority: chain.state.authority.clone(),
            place: chain.place.clone(),
        });
        Entry {
            seq: chain.seq + 1,
            at_ms: case.now_ms,
            tenant: case.tenant.clone(),
            chain_id: case.chain_id.to_owned(),
            caller: context.caller.clone(),
            alias: context.alias.clone(),
            request_id: context.request_id.clone(),
            policy: self.policy.version().to_owned(),
            delays_s: [*delay_s, *min_delay_s, *root_delay_s],
            place: case.place.clone(),
            root: root.clone(),
            first,
            action: action.clone(),
            effective_at_ms: decided.change.effective_at_ms,
        }
    }

    /// Returns the change of an action that was recorded before, for a caller that repeats it.
    async fn repeated(
        &self,
        chain: &Chain,
        tenant: &Tenant,
        rules: &Rules,
        action: &Action,
    ) -> Result<Option<ChangeRecord>, CallError> {
        let now = chain.at(self.clock.now_ms());
        let report = |seq| {
            let found = now.pending(seq)?;
            Some(found.record(threshold(&now, found.quorum, rules)))
        };
        match action {
            Action::Cancel { .. } | Action::Freeze {} => Ok(None),
            Action::Approve { seq, approval } => {
                let Some(found) = now.pending(*seq) else { return Ok(None) };
                let authority = now.authority(found.quorum, rules);
                let key = authority.and_then(|it| it.approver(&approval.approver));
                let has = found.approvals.iter().any(|held| {
                    held.approver == approval.approver
                        && key.is_some_and(|key| key.public_key == held.public_key)
                });
                Ok(report(*seq).filter(|_| has || found.effective_at_ms.is_some()))
            }
            Action::Propose(proposal) if (1..=chain.seq).contains(&proposal.seq) => {
                let entry = self.shares.policy_entry(tenant, proposal.seq).await?;
                let Some(Entry { action: Action::Propose(stored), effective_at_ms, at_ms, .. }) =
                    entry
                else {
                    return Ok(None);
                };
                if !is_same(&stored, proposal) {
                    return Ok(None);
                }
                // A change that took effect at once is reported from its record.
                let at_once = effective_at_ms == Some(at_ms);
                Ok(report(proposal.seq).or_else(|| at_once.then(|| done(&stored, at_ms))))
            }
            Action::Propose(_) => Ok(None),
        }
    }

    /// Publishes a pending change, or the end of one, in the cosigner's own account. A delay is
    /// worth only as much as its alarm.
    fn publish(&self, tenant: &Tenant, action: &Action, decided: &Decided) {
        let change = &decided.change;
        tracing::warn!(
            tenant = %tenant,
            seq = change.seq,
            change = change.change.name(),
            quorum = ?change.quorum,
            approvals = change.approvals.len(),
            threshold = decided.threshold,
            effectiveAtMs = change.effective_at_ms,
            isFinal = decided.is_final,
            byOperator = matches!(action, Action::Cancel { .. } | Action::Freeze {}),
            "policy change"
        );
        let all: &[Metric] = if decided.is_final {
            &[Metric::PolicyChanged]
        } else if change.effective_at_ms.is_some() {
            // A metric of its own: one stolen key can keep the alarm of the other one raised, so that
            // it does not report again.
            &[Metric::PolicyChangePending, Metric::PolicyChangeApproved]
        } else {
            &[Metric::PolicyChangePending]
        };
        for metric in all {
            metrics::emit(&self.clock, About::SERVICE, &[(*metric, 1)]);
        }
    }
}

fn threshold(chain: &Chain, quorum: Quorum, rules: &Rules) -> u8 {
    chain.authority(quorum, rules).map_or(0, |authority| authority.threshold)
}

/// Returns whether a proposal is the stored one, apart from its approvals.
fn is_same(stored: &Proposal, proposal: &Proposal) -> bool {
    let Proposal { seq, prev_hash, change, not_after_s, quorum, .. } = stored;
    (*seq, prev_hash, change, *not_after_s, *quorum)
        == (
            proposal.seq,
            &proposal.prev_hash,
            &proposal.change,
            proposal.not_after_s,
            proposal.quorum,
        )
}

/// Returns a change that took effect with its proposal.
fn done(stored: &Proposal, at_ms: u64) -> ChangeRecord {
    let approvals = stored.approvals.iter();
    ChangeRecord {
        seq: stored.seq,
        prev_hash: stored.prev_hash.clone(),
        change: stored.change.clone(),
        not_after_s: stored.not_after_s,
        quorum: stored.quorum,
        approvals: approvals
            .map(|approval| Approved { approver: approval.approver.clone(), at_ms })
            .collect(),
        threshold: if matches!(stored.change, Change::Resume { .. }) {
            u8::try_from(stored.approvals.len()).unwrap_or(u8::MAX)
        } else {
            1
        },
        state: ChangeState::Active,
        effective_at_ms: Some(at_ms),
    }
}
