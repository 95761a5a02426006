//! Calls as they arrive at the proxy, and what happens to them.

use exchange_sim::faults::Fault;

use super::rendezvous::Rendezvous;

/// The side of a call at which a process is killed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// The call is not sent.
    Before,
    /// The call has taken effect, and its response is not read.
    After,
}

/// What happens to a call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fate {
    /// The call is forwarded.
    Pass,
    /// The process is killed.
    Die(Side),
    /// The call fails, and the process continues. [`Fault::Late`] calls arrive when the test's clock
    /// has advanced, whatever became of the process; only exchanges have [`Fault::ReadsLag`].
    Fail(Fault),
    /// The call takes effect, and the connection breaks before its response is read.
    Lose,
    /// The call waits for the other attempts.
    Hold(Rendezvous),
    /// AWS rejects the call without executing it.
    Reject(Rejection),
}

/// How AWS rejects a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rejection {
    /// DynamoDB: another transaction in progress contains an item of this write.
    Conflict,
    /// DynamoDB and Lambda: too many calls.
    Throttled,
}

/// A call as it arrives.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// The name, such as `DynamoDB.GetItem`, `Cosigner.KMS.Decrypt`, `Lambda.Invoke`,
    /// `Hyperliquid.approveAgent`, `Aster.GET agent`, `Api.POST apikey`.
    pub name: &'a str,
    /// The number of this call among the process's calls of this name, from 1.
    pub nth_of_name: usize,
    /// The number of this call among all calls of the process, from 1.
    pub nth: usize,
    /// The query of the URL, without the question mark.
    pub query: &'a str,
    /// The request body.
    pub body: &'a [u8],
}

/// Decides what happens to each call of a process.
pub type Plan = Box<dyn Fn(Arrival<'_>) -> Fate + Send + Sync>;
