//! The recorded requests of one tenant, in minutes.

use std::collections::VecDeque;

use domain::ids::{Exchange, PerExchange};

use super::route::Route;
use crate::series::{Metrics, Refusal, Series};

/// Length of one period, in milliseconds.
pub(super) const PERIOD_MS: u64 = 60_000;
/// Number of periods that are kept.
const PERIODS: usize = 60;
/// Requests of a period whose durations are kept: the first ones.
const DURATIONS: usize = 2_000;
/// Number of errors that are kept.
const REFUSALS: usize = 50;

/// A request and its response.
pub(super) struct Finished {
    /// Time of the response, Unix milliseconds.
    pub(super) at_ms: u64,
    pub(super) took_ms: u64,
    pub(super) status: u16,
    pub(super) code: Option<String>,
    pub(super) route: Route,
    /// Whether the response repeats an earlier one.
    pub(super) is_replay: bool,
    /// Orders of a batch that were placed.
    pub(super) placed: Option<u64>,
    /// Orders of a batch that were refused.
    pub(super) refused: Option<u64>,
    pub(super) refusal: Option<Refusal>,
}

/// Counts of one exchange.
#[derive(Clone, Copy, Default)]
struct Counts {
    registered: u64,
    not_registered: u64,
    placed: u64,
    refused: u64,
    unknown: u64,
}

struct Period {
    at_ms: u64,
    requests: u64,
    client_errors: u64,
    server_errors: u64,
    took_ms: Vec<u64>,
    of: PerExchange<Counts>,
}

/// The recorded requests of a tenant.
#[derive(Default)]
pub(super) struct History {
    periods: VecDeque<Period>,
    refusals: VecDeque<Refusal>,
}

impl Period {
    fn new(at_ms: u64) -> Self {
        let of = PerExchange::from_fn(|_| Counts::default());
        Self { at_ms, requests: 0, client_errors: 0, server_errors: 0, took_ms: Vec::new(), of }
    }

    fn add(&mut self, finished: &Finished) {
        self.requests += 1;
        match finished.status {
            400..500 => self.client_errors += 1,
            500.. => self.server_errors += 1,
            _ => {}
        }
        if self.took_ms.len() < DURATIONS {
            self.took_ms.push(finished.took_ms);
        }
        let is_error = finished.status >= 400;
        match finished.route {
            Route::Register(exchange) => match (is_error, finished.is_replay) {
                (true, _) => self.of[exchange].not_registered += 1,
                (false, false) => self.of[exchange].registered += 1,
                (false, true) => {}
            },
            Route::Order(exchange) => self.order(exchange, finished, is_error),
            Route::Other => {}
        }
    }

    fn order(&mut self, exchange: Exchange, finished: &Finished, is_error: bool) {
        let counts = &mut self.of[exchange];
        let is_unknown = finished.code.as_deref() == Some("ORDER_UNKNOWN");
        // Another request is placing the order, and counts it.
        if finished.is_replay || finished.code.as_deref() == Some("ORDER_IN_PROGRESS") {
            return;
        }
        counts.placed += finished.placed.unwrap_or(u64::from(!is_error));
        counts.unknown += u64::from(is_unknown);
        let refused = finished.refused.unwrap_or(u64::from(is_error));
        let refused = if is_unknown { 0 } else { refused };
        counts.refused += refused;
    }

    /// Returns a percentile of the durations, in milliseconds.
    fn percentile(&self, percent: usize) -> Option<u64> {
        let mut sorted = self.took_ms.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100);
        sorted.get(rank.saturating_sub(1)).copied()
    }
}

impl History {
    /// Returns the start of the last period with a request, Unix milliseconds.
    pub(super) fn last_ms(&self) -> u64 {
        self.periods.back().map_or(0, |period| period.at_ms)
    }

    pub(super) fn add(&mut self, mut finished: Finished) {
        // A clock that moves back adds to the last period.
        let at_ms = (finished.at_ms / PERIOD_MS * PERIOD_MS).max(self.last_ms());
        if self.periods.back().is_none_or(|last| last.at_ms < at_ms) {
            self.periods.push_back(Period::new(at_ms));
        }
        while self.periods.len() > PERIODS {
            self.periods.pop_front();
        }
        if let Some(period) = self.periods.back_mut() {
            period.add(&finished);
        }
        if let Some(refusal) = finished.refusal.take() {
            self.refusals.push_front(refusal);
            self.refusals.truncate(REFUSALS);
        }
    }

    /// Returns the series of the last hour, or since the stack started.
    pub(super) fn metrics(&self, now: u64, started_ms: u64) -> Metrics {
        let back_ms = PERIOD_MS * PERIODS as u64;
        let from = now.saturating_sub(back_ms).max(started_ms).min(now);
        let series = |metric, unit, stat, exchange, value: &dyn Fn(&Period) -> Option<u64>| {
            let recent = self.periods.iter().filter(|period| period.at_ms + PERIOD_MS > from);
            let points =
                recent.filter_map(|period| Some((period.at_ms, as_number(value(period)?))));
            Series { metric, unit, stat, exchange, points: points.collect() }
        };
        let each = |metric, value: fn(&Counts) -> u64| {
            Exchange::ALL.map(|exchange| {
                series(metric, "Count", "Sum", Some(exchange), &|period| {
                    Some(value(&period.of[exchange])).filter(|count| *count > 0)
                })
            })
        };
        let sum = |metric, value: fn(&Period) -> u64| {
            series(metric, "Count", "Sum", None, &|period| {
                Some(value(period)).filter(|count| *count > 0)
            })
        };
        let mut all = Vec::new();
        all.extend(each("Registrations", |counts| counts.registered));
        all.extend(each("RegistrationFailures", |counts| counts.not_registered));
        all.extend(each("OrdersPlaced", |counts| counts.placed));
        all.extend(each("OrdersRefused", |counts| counts.refused));
        all.extend(each("OrdersUnknown", |counts| counts.unknown));
        all.push(sum("Count", |period| period.requests));
        all.push(series("Latency", "Milliseconds", "p99", None, &|period| period.percentile(99)));
        all.push(sum("4XXError", |period| period.client_errors));
        all.push(sum("5XXError", |period| period.server_errors));
        let refusals = self.refusals.iter().cloned().collect();
        let period_s = (PERIOD_MS / 1_000).try_into().unwrap_or(u16::MAX);
        Metrics { now, from, period_s, series: all, alarms: Vec::new(), refusals }
    }
}

/// Returns a count or a duration as a JSON number. All are far below 2^32.
fn as_number(value: u64) -> f64 {
    u32::try_from(value).unwrap_or(u32::MAX).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = PERIOD_MS;

    fn finished(at_ms: u64, route: Route, status: u16, code: Option<&str>) -> Finished {
        Finished {
            at_ms,
            took_ms: at_ms % MINUTE,
            status,
            code: code.map(str::to_owned),
            route,
            is_replay: false,
            placed: None,
            refused: None,
            refusal: (status >= 400).then(|| Refusal {
                at: at_ms,
                method: "POST".to_owned(),
                path: "/api/x".to_owned(),
                status,
                code: code.map(str::to_owned),
                request_id: None,
            }),
        }
    }

    fn points(metrics: &Metrics, metric: &str, exchange: Option<Exchange>) -> Vec<(u64, f64)> {
        let mut all = metrics.series.iter();
        let series = all.find(|one| one.metric == metric && one.exchange == exchange).unwrap();
        series.points.clone()
    }

    #[test]
    fn requests_count_by_minute_exchange_and_outcome() {
        let (aster, start) = (Exchange::Aster, 1_000 * MINUTE);
        let order = Route::Order(aster);
        let mut history = History::default();
        history.add(finished(start + 5, Route::Register(aster), 200, None));
        let replay = finished(start + 6, Route::Register(aster), 200, None);
        history.add(Finished { is_replay: true, ..replay });
        history.add(finished(start + 7, Route::Register(aster), 422, Some("DEPOSIT_REQUIRED")));
        history.add(finished(start + 8, order, 504, Some("ORDER_UNKNOWN")));
        history.add(finished(start + 9, order, 409, Some("ORDER_IN_PROGRESS")));
        let batch = finished(start + MINUTE + 1, order, 200, None);
        history.add(Finished { placed: Some(3), refused: Some(2), ..batch });
        history.add(finished(start + MINUTE + 2, order, 200, None));
        history.add(finished(start + MINUTE + 3, order, 422, Some("POLICY_REFUSED")));
        let metrics = history.metrics(start + 2 * MINUTE, start);
        let first = |value| vec![(start, value)];
        let second = |value| vec![(start + MINUTE, value)];
        assert_eq!(points(&metrics, "Registrations", Some(aster)), first(1.0));
        assert_eq!(points(&metrics, "RegistrationFailures", Some(aster)), first(1.0));
        assert_eq!(points(&metrics, "OrdersUnknown", Some(aster)), first(1.0));
        assert_eq!(points(&metrics, "OrdersPlaced", Some(aster)), second(4.0));
        assert_eq!(points(&metrics, "OrdersRefused", Some(aster)), second(3.0));
        assert_eq!(points(&metrics, "OrdersPlaced", Some(Exchange::Hyperliquid)), vec![]);
        let both = |one, two| vec![(start, one), (start + MINUTE, two)];
        assert_eq!(points(&metrics, "Count", None), both(5.0, 3.0));
        assert_eq!(points(&metrics, "4XXError", None), both(2.0, 1.0));
        assert_eq!(points(&metrics, "5XXError", None), first(1.0));
        assert_eq!(points(&metrics, "Latency", None), both(9.0, 3.0));
        let codes: Vec<_> = metrics.refusals.iter().map(|one| one.code.as_deref()).collect();
        assert_eq!(codes.first(), Some(&Some("POLICY_REFUSED")), "newest first");
        assert_eq!(codes.len(), 4);
    }

    #[test]
    fn history_is_bounded_and_ends_after_an_hour() {
        let start = 5_000 * MINUTE;
        let mut history = History::default();
        for minute in 0..200 {
            for _ in 0..3 {
                let at_ms = start + minute * MINUTE;
                history.add(finished(at_ms, Route::Other, 404, Some("WALLET_NOT_FOUND")));
            }
        }
        assert_eq!((history.periods.len(), history.refusals.len()), (PERIODS, REFUSALS));
        let now = start + 199 * MINUTE;
        let metrics = history.metrics(now, start);
        assert_eq!(metrics.from, now - 60 * MINUTE);
        assert!(points(&metrics, "Count", None).len() <= PERIODS);
        // A stack that has just started shows its own time only.
        assert_eq!(history.metrics(now, now - MINUTE).from, now - MINUTE);
        // A clock that moves back adds to the last minute.
        history.add(finished(start, Route::Other, 200, None));
        assert_eq!(history.last_ms(), now);
    }
}
