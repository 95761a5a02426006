//! Output of `hyperdex policy`.

use domain::policy::{
    Authority, Cap, ChangeRecord, ChangeState, PermittedExport, PolicyState, Quorum, canonical_json,
};
use domain::time::rfc3339_seconds;
use protocol::{CountedState, OpenPayment};

use crate::commands::arguments::Output;

/// Prints the seven lines of a text with their meaning, before the approver signs them.
pub(super) fn show_terms(approver: &str, text: &str, output: &impl Output) {
    let is_payment = text.starts_with(domain::policy::PAYMENT_TITLE);
    let names = if is_payment {
        ["signs", "chain", "tenant", "wallet", "payment id", "payment", "until"]
    } else {
        ["signs", "chain", "tenant", "number", "after", "change", "until"]
    };
    output.note(&format!("Approver {approver}:"));
    for (name, line) in names.into_iter().zip(text.lines()) {
        let line = match (name, line.parse::<u64>()) {
            ("until", Ok(seconds)) => format!("{line} ({})", rfc3339_seconds(seconds * 1_000)),
            _ => line.to_owned(),
        };
        output.note(&format!("  {name:10}  {line}"));
    }
}

/// Prints a change.
pub(super) fn show_record(record: &ChangeRecord, now_ms: u64, output: &impl Output) {
    let change = canonical_json(&record.change).unwrap_or_default();
    output.say(&format!("change {}  {}", record.seq, state_of(record, now_ms)));
    output.say(&format!("  {change}"));
    let names: Vec<&str> =
        record.approvals.iter().map(|approved| approved.approver.as_str()).collect();
    let (count, threshold) = (names.len(), record.threshold);
    if count == 0 && threshold == 0 {
        // The operator freezes and cancels without a signature.
        output.say("  made by the operator, whom IAM or this machine identifies");
    } else {
        output.say(&format!("  approved by {} ({count} of {threshold})", names.join(", ")));
        if record.quorum == Quorum::Root {
            output.say("  signed by the operator's approvers");
        }
    }
    if record.state == ChangeState::Approving {
        let until = rfc3339_seconds(record.not_after_s * 1_000);
        output.say(&format!("  approvals count until {until}"));
    }
}

fn state_of(record: &ChangeRecord, now_ms: u64) -> String {
    match (record.state, record.effective_at_ms) {
        (ChangeState::Waiting, Some(at_ms)) => {
            let left_s = at_ms.saturating_sub(now_ms).div_ceil(1_000);
            format!("waits: in effect at {} (in {left_s} s)", rfc3339_seconds(at_ms))
        }
        (ChangeState::Waiting | ChangeState::Approving, _) => "needs approvals".to_owned(),
        (ChangeState::Active, _) => "in effect".to_owned(),
        (ChangeState::Cancelled, _) => "cancelled".to_owned(),
        (ChangeState::Expired, _) => "expired".to_owned(),
    }
}

/// Prints a policy.
pub(super) fn show_state(whose: &str, state: &PolicyState, now_ms: u64, output: &impl Output) {
    output.say(&format!("Payment policy of {whose}"));
    output.say(&format!("  chain     {}", state.chain_id));
    output.say(&format!("  change    {} ({})", state.seq, state.head_hash));
    let payments = match (state.payments_on, state.frozen) {
        (false, _) => "off until the operator's approvers resume them",
        (true, true) => "frozen",
        (true, false) => "allowed within the limits",
    };
    output.say(&format!("  payments  {payments}"));
    output.say(&format!("  delay     {} s (at least {} s)", state.delay_s, state.min_delay_s));
    show_authority("approvers", state.authority.as_ref(), output);
    show_authority("operator's approvers", state.root_authority.as_ref(), output);
    output.say("");
    output.say(if state.limits.is_empty() {
        "No limits: nothing is paid."
    } else {
        "Limits of 24 hours:"
    });
    for limit in &state.limits {
        let cap = |cap: &Cap| format!("{} in {} payments", cap.amount, cap.payments);
        let above = limit.approve_above.map(|above| format!(", approvals above {above}"));
        output.say(&format!(
            "  {}  wallet {}, tenant {}{}",
            limit.asset,
            cap(&limit.wallet),
            cap(&limit.tenant),
            above.unwrap_or_default()
        ));
    }
    output.say(if state.destinations.is_empty() { "No destinations." } else { "Destinations:" });
    for listed in &state.destinations {
        let to = &listed.destination;
        let assets: Vec<String> = to.assets.iter().map(ToString::to_string).collect();
        let most = to.per_payment.map(|most| format!(", at most {most} each"));
        let from = (listed.active_from_ms > now_ms)
            .then(|| format!(", from {}", rfc3339_seconds(listed.active_from_ms)));
        output.say(&format!(
            "  {} {}  {} ({}){}{}",
            to.venue,
            to.address,
            to.label,
            assets.join(", "),
            most.unwrap_or_default(),
            from.unwrap_or_default()
        ));
    }
    for PermittedExport { export, change } in &state.exports {
        output.say(&format!(
            "Export of wallet {} ({}), share version {}, to {} until {} (change {change})",
            export.wallet_id,
            export.address,
            export.share_version,
            export.recipient,
            rfc3339_seconds(export.until_s.saturating_mul(1_000))
        ));
    }
    output.say(if state.pending.is_empty() { "No pending changes." } else { "Pending changes:" });
    for record in &state.pending {
        show_record(record, now_ms, output);
    }
}

/// Prints counted payments by their state.
pub(super) fn show_payments(payments: &[OpenPayment], now_ms: u64, output: &impl Output) {
    if payments.is_empty() {
        output.say("No counted payments.");
    }
    for state in [
        CountedState::Signed,
        CountedState::Counted,
        CountedState::Expired,
        CountedState::ReportedCompleted,
        CountedState::ReportedRefused,
    ] {
        let mut of_state = payments.iter().filter(|it| it.state(now_ms) == state).peekable();
        if of_state.peek().is_some() {
            output.say(heading(state));
        }
        of_state.for_each(|payment| show_payment(payment, output));
    }
}

const fn heading(state: CountedState) -> &'static str {
    match state {
        CountedState::Signed => "Signed and not settled. They may still be made:",
        CountedState::Counted => "Counted and not signed. A freeze stops them:",
        CountedState::Expired => "Signed, not settled, and no longer valid:",
        CountedState::ReportedCompleted => {
            "Settled as reported by the service, which the cosigner cannot verify:"
        }
        CountedState::ReportedRefused => {
            "Not made as reported by the service, which the cosigner cannot verify:"
        }
    }
}

fn show_payment(payment: &OpenPayment, output: &impl Output) {
    let content = canonical_json(&payment.payment).unwrap_or_default();
    output.say(&format!("  {}  wallet {}", payment.id, payment.wallet_id));
    output.say(&format!("    {content}"));
    let until =
        payment.valid_until_ms.map(|at_ms| format!(", valid until {}", rfc3339_seconds(at_ms)));
    let counted = rfc3339_seconds(payment.counted_at_ms);
    output.say(&format!("    counted at {counted}{}", until.unwrap_or_default()));
    if let Some(report) = &payment.report {
        let (at, by) = (rfc3339_seconds(report.at_ms), &report.by);
        let name = report.reference.as_ref().map(|name| format!(", {name}"));
        output.say(&format!("    reported at {at} by {by}{}", name.unwrap_or_default()));
    }
}

fn show_authority(name: &str, authority: Option<&Authority>, output: &impl Output) {
    let Some(authority) = authority else {
        output.say(&format!("  {name}: none"));
        return;
    };
    output.say(&format!("  {name}: {} of {}", authority.threshold, authority.approvers.len()));
    for approver in &authority.approvers {
        let kind = approver.webauthn.as_ref().map_or("", |_| " (WebAuthn)");
        output.say(&format!("    {}{kind}  {}", approver.id, approver.public_key));
    }
}
