//! The routes that the charts count by exchange.

use domain::ids::Exchange;
use http::Method;

/// What a request asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Route {
    /// The registration of a trading key.
    Register(Exchange),
    /// An order, a batch of orders, or an order that closes a position.
    Order(Exchange),
    /// Everything else.
    Other,
}

impl Route {
    pub(super) fn of(method: &Method, path: &str) -> Self {
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        if method != Method::POST {
            return Self::Other;
        }
        let of = |name: &str| Exchange::ALL.into_iter().find(|known| known.as_str() == name);
        match parts.as_slice() {
            ["api", "trading", exchange, "apikey"] => of(exchange).map_or(Self::Other, Self::Register),
            ["api", "trading", exchange, "orders"]
            | ["api", "trading", exchange, "positions", "close" | "close-all"]
            // The second published generation of paths.
            | ["api", exchange, "perp", _, "order" | "orders" | "close-position"]
            | ["api", exchange, _, "order" | "orders"]
            | ["api", exchange, _, "positions", "close-all"]
            | ["api", exchange, _, "positions", "close", _] => {
                of(exchange).map_or(Self::Other, Self::Order)
            }
            _ => Self::Other,
        }
    }

    pub(super) const fn is_order(self) -> bool {
        matches!(self, Self::Order(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn route_is_found_by_method_and_path() {
        let (post, aster, hyperliquid) = (Method::POST, Exchange::Aster, Exchange::Hyperliquid);
        for (path, route) in [
            ("/api/trading/aster/apikey", Route::Register(aster)),
            ("/api/trading/hyperliquid/orders", Route::Order(hyperliquid)),
            ("/api/trading/aster/positions/close", Route::Order(aster)),
            ("/api/aster/perp/29dd4dc0/order", Route::Order(aster)),
            ("/api/hyperliquid/29dd4dc0/positions/close/BTC", Route::Order(hyperliquid)),
            ("/api/trading/lighter/apikey", Route::Other),
            ("/api/trading/aster/apikey/rotate", Route::Other),
            ("/api/wallets/aster/sign", Route::Other),
            ("/api/wallets", Route::Other),
        ] {
            assert_eq!(Route::of(&post, path), route, "{path}");
            assert_eq!(Route::of(&Method::GET, path), Route::Other, "{path}");
        }
    }
}
