//! Tests of the chain's rules: the attack list from the position of an endpoint with all rights,
//! and of a thief with some of the approvers' keys.

mod authority;
mod changes;

use domain::ids::Tenant;
use domain::policy::{Authority, Change, Proposal, Quorum, change_text};
use protocol::PolicyFault;
use serde_json::json;

use super::chain::{Chain, Place};
use super::decide::{Case, Decided};
use super::{Action, Rules};
use crate::approval::tests::{Signer, authority};

const CHAIN: &str = "00112233445566778899aabbccddeeff";
const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;
const START_MS: u64 = 1_790_000_000_000;
const TREASURY: &str = "0x00000000000000000000000000000000000000aa";

/// A chain with approvers, driven as the cosigner drives it.
struct World {
    tenant: Tenant,
    rules: Rules,
    chain: Chain,
    now_ms: u64,
    found: Place,
    signers: Vec<Signer>,
    root: Signer,
}

impl World {
    /// Two of three approvers, and a root authority of one.
    fn new() -> Self {
        Self::of(2, &["alice", "bob", "carol"])
    }

    fn of(threshold: u8, names: &[&str]) -> Self {
        let signers: Vec<Signer> = names.iter().map(|name| Signer::new(name)).collect();
        let root = Signer::new("root");
        let first = authority(threshold, &signers.iter().collect::<Vec<_>>());
        let place = Place { table_id: "table-1".to_owned(), accepted_seal: None };
        Self {
            tenant: "acme".parse().unwrap(),
            rules: Rules {
                root: Some(authority(1, &[&root])),
                delay_s: 86_400,
                min_delay_s: 3_600,
                root_delay_s: 7 * 86_400,
                caps: Vec::new(),
            },
            chain: Chain::begin(Some(first), place.clone()),
            now_ms: START_MS,
            found: place,
            signers,
            root,
        }
    }

    fn first_authority(&self) -> Authority {
        authority(2, &self.signers.iter().collect::<Vec<_>>())
    }

    fn case(&self) -> Case<'_> {
        Case {
            rules: &self.rules,
            chain_id: CHAIN,
            tenant: &self.tenant,
            place: &self.found,
            now_ms: self.now_ms,
        }
    }

    fn signer(&self, name: &str) -> &Signer {
        let all = self.signers.iter().chain([&self.root]);
        all.into_iter().find(|signer| signer.approver.id == name).unwrap()
    }

    fn text(&self, proposal: &Proposal) -> String {
        let Proposal { seq, prev_hash, change, not_after_s, .. } = proposal;
        change_text(CHAIN, &self.tenant, *seq, prev_hash, change, *not_after_s)
    }

    /// Returns the next proposal, signed by these approvers.
    fn proposal(&self, change: &Change, by: &[&str]) -> Proposal {
        let quorum = if by == ["root"] { Quorum::Root } else { Quorum::Tenant };
        let mut proposal = Proposal {
            seq: self.chain.seq + 1,
            prev_hash: self.chain.hash.clone(),
            change: change.clone(),
            not_after_s: self.now_ms / 1_000 + 3_600,
            quorum,
            approvals: Vec::new(),
        };
        let text = self.text(&proposal);
        proposal.approvals = by.iter().map(|name| self.signer(name).sign(&text)).collect();
        proposal
    }

    fn act(&mut self, action: &Action) -> Result<Decided, PolicyFault> {
        let decided = self.chain.decide(self.case(), action)?;
        self.chain = decided.chain.clone();
        self.chain.seq += 1;
        self.chain.hash = format!("{:064x}", self.chain.seq);
        Ok(decided)
    }

    fn propose(&mut self, change: &Change, by: &[&str]) -> Result<Decided, PolicyFault> {
        let proposal = self.proposal(change, by);
        self.act(&Action::Propose(proposal))
    }

    /// Adds an approver's signature to a pending change.
    fn approve(&mut self, seq: u64, by: &str) -> Result<Decided, PolicyFault> {
        let pending = self.chain.pending(seq).unwrap();
        let (change, not_after_s) = (&pending.change, pending.not_after_s);
        let text = change_text(CHAIN, &self.tenant, seq, &pending.prev_hash, change, not_after_s);
        let approval = self.signer(by).sign(&text);
        self.act(&Action::Approve { seq, approval })
    }

    fn after(&mut self, ms: u64) {
        self.now_ms += ms;
    }

    fn now(&self) -> Chain {
        self.chain.at(self.now_ms)
    }

    fn is_listed(&self) -> bool {
        !self.now().state.destinations.is_empty()
    }
}

fn change(json: &serde_json::Value) -> Change {
    Change::parse(&json.to_string()).unwrap()
}

fn add() -> Change {
    change(&json!({ "type": "addDestination", "destination":
        { "venue": "evm:56", "address": TREASURY, "assets": ["evm:56/USDT"], "label": "" } }))
}

fn limit(amount: &str) -> Change {
    let cap = json!({ "amount": amount, "payments": 5 });
    change(&json!({ "type": "setLimit", "limit":
        { "asset": "evm:56/USDT", "wallet": cap, "tenant": cap } }))
}

fn replace(authority: Authority) -> Change {
    Change::SetAuthority { authority }
}
