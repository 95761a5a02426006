//! Calls as they arrive, and what becomes of them.

use exchange_sim::faults::Fault;

use super::crowd::Crowd;

/// Which side of a call a process dies on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// The call is never sent.
    Before,
    /// The call has taken effect, and its answer is not read.
    After,
}

/// What becomes of a call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fate {
    /// Nothing happens to it.
    Pass,
    /// Its process dies.
    Die(Side),
    /// It fails, and its process lives.
    Fail(Fault),
    /// It has taken effect, and the connection breaks before its answer is read.
    Lose,
    /// It waits for the others.
    Hold(Crowd),
    /// AWS rejects it without executing it.
    Reject(Rejection),
}

/// How AWS rejects a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rejection {
    /// DynamoDB: another transaction that names an item of this write is in progress.
    Conflict,
    /// DynamoDB and Lambda: too many calls.
    Throttled,
}

/// A call as it arrives.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// Such as `DynamoDB.GetItem`, `Cosigner.KMS.Decrypt`, `Lambda.Invoke`,
    /// `Hyperliquid.approveAgent`, `Aster.GET agent`, `Api.POST apikey`.
    pub name: &'a str,
    /// How many of this name the process has made with this one.
    pub nth_of_name: usize,
    /// How many it has made with this one.
    pub nth: usize,
    /// What is sent.
    pub body: &'a [u8],
}

/// Decides over each call of a process.
pub type Plan = Box<dyn Fn(Arrival<'_>) -> Fate + Send + Sync>;
