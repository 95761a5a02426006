//! The payment policy over HTTP: handlers and errors. The functions add the routes.

mod data;
mod error;
mod exports;
mod payments;
#[cfg(test)]
mod tests;

use crate::api::Handled;
use axum::Json;
use axum::extract::State;
use domain::clock::Clock;
use domain::ids::Tenant;
use domain::policy::{Approval, Change, PolicyState, Quorum, change_text};
use http::{StatusCode, Uri};

use super::body::{JsonBody, PathName};
use super::error::ApiError;
use super::requests::{ApprovePolicyChange, CancelPolicyChange, ProposePolicyChange};
use super::responses::DataBody;
use crate::caller::Caller;
use crate::policy_chain::PolicyChain;

pub use data::{ChangeData, ChangeTextData, PaymentPolicyData, ProposedData};
pub use error::{Action, approval_required, authority_missing, not_pending, policy_chain_error};
pub use payments::payments_from;

/// Time for which approvals count when the request names none: long enough for approvers in several
/// time zones and a weekend.
const VALIDITY_S: u64 = 3 * 24 * 60 * 60;

/// `GET /api/policy`: returns the tenant's payment policy, and a page of its counted payments.
///
/// # Errors
/// When the cosigner refuses or does not respond.
pub fn get_policy(
    State(chain): State<PolicyChain>,
    caller: Caller,
    uri: Uri,
) -> Handled<Json<DataBody<PaymentPolicyData>>> {
    Box::pin(async move {
        let from = payments_from(&uri)?;
        let tenant = &caller.tenant;
        let failed = |error| policy_chain_error(Action::Read, &error);
        let (state, page) = tokio::join!(chain.state(tenant), chain.payments(tenant, from));
        let (state, page) = (state.map_err(failed)?, page.map_err(failed)?);
        let now_ms = chain.clock.now_ms();
        let data = PaymentPolicyData::new(&state, &page, now_ms);
        Ok(Json(DataBody::new(None, data, now_ms)))
    })
}

/// `POST /api/policy/changes`: without approvals returns the text to sign, and with approvals submits
/// the change.
///
/// # Errors
/// When the request is invalid, or the cosigner refuses or does not respond.
pub fn propose_change(
    State(chain): State<PolicyChain>,
    caller: Caller,
    body: JsonBody,
) -> Handled<(StatusCode, Json<DataBody<ProposedData>>)> {
    Box::pin(async move {
        let asked = ProposePolicyChange::read(&body)?;
        let failed = |error| policy_chain_error(Action::Propose, &error);
        let (status, data) = match asked.proposal()? {
            Some(proposal) => {
                let record = chain.propose(&caller.tenant, proposal).await.map_err(failed)?;
                (StatusCode::CREATED, ProposedData::Change(ChangeData::from(&record)))
            }
            None => {
                let state = chain.state(&caller.tenant).await.map_err(failed)?;
                let terms = (asked.not_after, asked.quorum);
                let text = text_of(&state, &caller.tenant, &asked.change, terms, &chain.clock)?;
                (StatusCode::OK, ProposedData::Text(text))
            }
        };
        Ok((status, Json(DataBody::new(None, data, chain.clock.now_ms()))))
    })
}

/// `POST /api/policy/changes/{sequence}/approvals`: adds an approval.
///
/// # Errors
/// When the request is invalid, or the cosigner refuses or does not respond.
pub fn approve_change(
    State(chain): State<PolicyChain>,
    caller: Caller,
    PathName(sequence): PathName,
    body: JsonBody,
) -> Handled<Json<DataBody<ChangeData>>> {
    Box::pin(async move {
        let ApprovePolicyChange { seq, approver, signature } =
            ApprovePolicyChange::read(&sequence, &body)?;
        let approval = Approval { approver, signature };
        let record = chain.approve(&caller.tenant, seq, approval).await;
        let record = record.map_err(|error| policy_chain_error(Action::Approve, &error))?;
        Ok(Json(DataBody::new(None, ChangeData::from(&record), chain.clock.now_ms())))
    })
}

/// `DELETE /api/policy/changes/{sequence}`: submits a signed cancellation. Without a signature,
/// returns 409 with the text to sign, so that no caller takes a text for a cancellation.
///
/// # Errors
/// When the request is invalid or has no signature, or the cosigner refuses or does not respond.
pub fn cancel_change(
    State(chain): State<PolicyChain>,
    caller: Caller,
    PathName(sequence): PathName,
    body: JsonBody,
) -> Handled<Json<DataBody<ChangeData>>> {
    Box::pin(async move {
        let asked = CancelPolicyChange::read(&sequence, &body)?;
        let failed = |error| policy_chain_error(Action::Cancel, &error);
        let Some(proposal) = asked.proposal()? else {
            let state = chain.state(&caller.tenant).await.map_err(failed)?;
            if !state.pending.iter().any(|change| change.seq == asked.target) {
                return Err(not_pending());
            }
            let terms = (asked.not_after, asked.quorum);
            let text = text_of(&state, &caller.tenant, &asked.change(), terms, &chain.clock)?;
            return Err(approval_required(&text));
        };
        let record = chain.propose(&caller.tenant, proposal).await.map_err(failed)?;
        Ok(Json(DataBody::new(None, ChangeData::from(&record), chain.clock.now_ms())))
    })
}

/// Returns the text of the tenant's next change.
fn text_of(
    state: &PolicyState,
    tenant: &Tenant,
    change: &Change,
    (not_after_s, quorum): (Option<u64>, Quorum),
    clock: &Clock,
) -> Result<ChangeTextData, ApiError> {
    let authority = match quorum {
        Quorum::Tenant => &state.authority,
        Quorum::Root => &state.root_authority,
    };
    let authority = authority.as_ref().ok_or_else(authority_missing)?;
    let not_after_s = not_after_s.unwrap_or(clock.now_ms() / 1_000 + VALIDITY_S);
    let seq = state.seq + 1;
    let text = change_text(&state.chain_id, tenant, seq, &state.head_hash, change, not_after_s);
    Ok(ChangeTextData::new(state, (seq, not_after_s), (quorum, authority), change, text))
}
