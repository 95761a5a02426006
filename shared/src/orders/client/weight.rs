//! The request weight of calls, and what requests to Lighter take of its budget.

use domain::ids::{Exchange, Tenant};

use super::call::Unsigned;
use super::wire::Wire;
use super::{Question, TradeClient};
use crate::exchanges::aster::trade::read::AskError;
use crate::exchanges::lighter::profile::{Request, cost};

/// The request weight of a signed call for one order on Aster and Hyperliquid.
const CALL_WEIGHT: u64 = 1;

impl TradeClient {
    /// Takes the weight of a signed call for one order from the budget.
    ///
    /// # Errors
    /// As [`TradeClient::take`].
    pub(in crate::orders) async fn take_call(&self, tenant: &Tenant) -> Result<(), AskError> {
        let weight = match self.exchange() {
            Exchange::Aster | Exchange::Hyperliquid => CALL_WEIGHT,
            Exchange::Lighter => self.lighter_cost(&[Request::Send]),
        };
        self.take(tenant, weight).await
    }

    /// Returns the request weight of a call.
    pub(in crate::orders) fn weight_of(&self, call: &Unsigned) -> u64 {
        match call {
            Unsigned::Aster(call, _) => call.weight(),
            Unsigned::Hyperliquid(action) => action.weight(),
            Unsigned::Lighter(_) => self.lighter_cost(&[Request::Send]),
        }
    }

    /// Returns what requests to Lighter take of the budget.
    fn lighter_cost(&self, requests: &[Request]) -> u64 {
        cost(requests, self.budget.per_minute())
    }

    /// Asks Lighter a question that is one request, and again if it never arrived.
    pub(in crate::orders) async fn ask_lighter<'a, T>(
        &self,
        tenant: &Tenant,
        request: Request,
        question: impl Fn() -> Question<'a, T> + Send + Sync,
    ) -> Result<T, AskError> {
        self.ask(tenant, self.lighter_cost(&[request]), question).await
    }

    /// Returns the weight of a question to Lighter that needs the list of markets, which the first one
    /// of a process reads.
    pub(super) fn with_markets(&self, requests: &[Request]) -> u64 {
        let weight = self.lighter_cost(requests);
        match &self.wire {
            Wire::Lighter(client) if !client.has_markets() => {
                weight + self.lighter_cost(&[Request::Question])
            }
            _ => weight,
        }
    }
}
