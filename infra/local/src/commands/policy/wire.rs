//! The API's JSON as the types of the policy.

use domain::policy::{ChangeRecord, PolicyState};
use protocol::{CountedState, OpenPayment, OpenPayments, OutcomeReport};
use serde_json::{Map, Value, json};

/// Returns a policy from the `data` of `GET /api/policy`.
pub(super) fn state_of(data: &Value) -> Option<PolicyState> {
    let mut state = renamed(
        data,
        &[
            ("sequence", "seq"),
            ("delaySeconds", "delayS"),
            ("minimumDelaySeconds", "minDelayS"),
            ("rootDelaySeconds", "rootDelayS"),
        ],
    )?;
    let destinations = data["destinations"].as_array()?.iter().map(|listed| {
        let mut destination = listed.as_object()?.clone();
        let active_from = destination.remove("activeFrom")?;
        let change = destination.remove("change")?;
        Some(json!({ "destination": destination, "activeFromMs": active_from, "change": change }))
    });
    state.insert("destinations".to_owned(), destinations.collect::<Option<Vec<_>>>()?.into());
    let exports = data["exports"].as_array()?.iter().map(|permitted| {
        let mut export = permitted.as_object()?.clone();
        let (until, change) = (export.remove("until")?, export.remove("change")?);
        export.insert("untilS".to_owned(), until);
        Some(json!({ "export": export, "change": change }))
    });
    state.insert("exports".to_owned(), exports.collect::<Option<Vec<_>>>()?.into());
    let pending = data["pending"].as_array()?.iter().map(record);
    state.insert("pending".to_owned(), pending.collect::<Option<Vec<_>>>()?.into());
    serde_json::from_value(state.into()).ok()
}

/// Returns a change from the `data` of a response.
pub(super) fn record_of(data: &Value) -> Option<ChangeRecord> {
    serde_json::from_value(record(data)?).ok()
}

/// Returns a page of counted payments from the `data` of `GET /api/policy`.
pub(super) fn payments_of(data: &Value) -> Option<OpenPayments> {
    let payments = data["countedPayments"].as_array()?.iter().map(payment);
    let next = data["nextCursor"].as_str().map(str::to_owned);
    Some(OpenPayments { payments: payments.collect::<Option<_>>()?, next })
}

fn payment(data: &Value) -> Option<OpenPayment> {
    let report = data.get("report").map(|report| {
        let outcome = serde_json::from_value(report["outcome"].clone()).ok()?;
        Some(OutcomeReport {
            outcome,
            reference: report["reference"].as_str().map(str::to_owned),
            at_ms: report["at"].as_u64()?,
            by: report["by"].as_str()?.to_owned(),
        })
    });
    Some(OpenPayment {
        wallet_id: data["walletId"].as_str()?.parse().ok()?,
        id: data["paymentId"].as_str()?.parse().ok()?,
        payment: serde_json::from_value(data["payment"].clone()).ok()?,
        counted_at_ms: data["countedAt"].as_u64()?,
        valid_until_ms: data["validUntil"].as_u64(),
        is_signed: data["state"].as_str()? != CountedState::Counted.as_str(),
        report: match report {
            Some(report) => Some(report?),
            None => None,
        },
    })
}

fn record(data: &Value) -> Option<Value> {
    let mut record = renamed(
        data,
        &[
            ("sequence", "seq"),
            ("previousHash", "prevHash"),
            ("notAfter", "notAfterS"),
            ("effectiveAt", "effectiveAtMs"),
        ],
    )?;
    let approvals = data["approvals"].as_array()?.iter();
    let approvals = approvals
        .map(|approval| json!({ "approver": approval["approver"], "atMs": approval["at"] }));
    record.insert("approvals".to_owned(), approvals.collect());
    Some(record.into())
}

fn renamed(data: &Value, names: &[(&str, &str)]) -> Option<Map<String, Value>> {
    let mut fields = data.as_object()?.clone();
    for (from, to) in names {
        if let Some(value) = fields.remove(*from) {
            fields.insert((*to).to_owned(), value);
        }
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    use domain::money::{AccountType, AsterWithdraw};
    use domain::policy::{
        Amount, Approved, AssetLimit, Authority, Cap, Change, ChangeState, Destination, GENESIS,
        ListedDestination, PermittedExport, Quorum, WalletExport,
    };
    use protocol::ReportedOutcome;
    use shared::api::policy_chain::{ChangeData, PaymentPolicyData};

    use super::*;

    fn counted(is_signed: bool, report: Option<OutcomeReport>) -> OpenPayment {
        OpenPayment {
            wallet_id: uuid::Uuid::from_u128(7),
            id: "p-1".parse().unwrap(),
            payment: domain::money::Payment::AsterWithdraw(AsterWithdraw {
                chain_id: 56,
                asset: "USDT".to_owned(),
                amount: Amount::parse("50").unwrap(),
                fee: Amount::parse("0.11").unwrap(),
                account_type: AccountType::Perp,
            }),
            counted_at_ms: 12,
            valid_until_ms: Some(30),
            is_signed,
            report,
        }
    }

    fn report() -> OutcomeReport {
        OutcomeReport {
            outcome: ReportedOutcome::Completed,
            reference: Some("0xaa".to_owned()),
            at_ms: 15,
            by: "resolve-orders-aster".to_owned(),
        }
    }

    /// The API's body of a policy reads back as the same policy.
    #[test]
    fn body_of_the_api_reads_back_as_the_policy() {
        let cap = Cap { amount: Amount::parse("10.5").unwrap(), payments: 3 };
        let record = ChangeRecord {
            seq: 7,
            prev_hash: GENESIS.to_owned(),
            change: Change::Cancel { seq: 6 },
            not_after_s: 1_790_000_000,
            quorum: Quorum::Root,
            approvals: vec![Approved { approver: "alice".to_owned(), at_ms: 5 }],
            threshold: 2,
            state: ChangeState::Waiting,
            effective_at_ms: Some(9),
        };
        let approver = json!({ "id": "alice", "publicKey": format!("04{}", "ab".repeat(64)),
            "webauthn": { "origin": "https://a.example", "rpId": "a.example" } });
        let authority = json!({ "threshold": 1, "approvers": [approver] });
        let authority: Authority = serde_json::from_value(authority).unwrap();
        let state = PolicyState {
            chain_id: "c0ffee".to_owned(),
            seq: 8,
            head_hash: GENESIS.to_owned(),
            authority: Some(authority),
            root_authority: None,
            delay_s: 60,
            min_delay_s: 1,
            root_delay_s: 120,
            limits: vec![AssetLimit {
                asset: "aster/USDT".parse().unwrap(),
                wallet: cap,
                tenant: cap,
                approve_above: Some(cap.amount),
            }],
            destinations: vec![ListedDestination {
                destination: Destination {
                    venue: "evm:56".parse().unwrap(),
                    address: "0x173404aAAa4d6539e2C7dbcC1931Cf41b3A3D5c7".parse().unwrap(),
                    assets: vec!["evm:56/USDT".parse().unwrap()],
                    label: "Treasury".to_owned(),
                    per_payment: None,
                },
                active_from_ms: 11,
                change: 3,
            }],
            exports: vec![PermittedExport {
                export: WalletExport {
                    wallet_id: uuid::Uuid::from_u128(7),
                    address: "0x173404aAAa4d6539e2C7dbcC1931Cf41b3A3D5c7".parse().unwrap(),
                    share_version: 2,
                    recipient: format!("04{}", "ab".repeat(64)),
                    until_s: 12,
                },
                change: 5,
            }],
            pending: vec![record.clone()],
            frozen: true,
            payments_on: true,
        };
        let payments =
            vec![counted(false, None), counted(true, None), counted(true, Some(report()))];
        let page = OpenPayments { payments, next: None };
        let body = serde_json::to_value(PaymentPolicyData::new(&state, &page, 20)).unwrap();
        assert_eq!(state_of(&body), Some(state));
        assert_eq!(payments_of(&body), Some(page));
        let body = serde_json::to_value(ChangeData::from(&record)).unwrap();
        assert_eq!(record_of(&body), Some(record));
        assert_eq!(record_of(&json!({})), None);
    }
}
