//! Tests operations whose process is killed, whose remote calls fail, or that run concurrently.
//! Nothing is lost, and nothing happens twice.

/// Defines two tests of an operation, one for each exchange. Keep it before the modules that use
/// it.
macro_rules! on_both {
    ($($operation:ident: $hyperliquid:ident, $aster:ident;)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $hyperliquid() {
            $operation(Exchange::Hyperliquid).await;
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn $aster() {
            $operation(Exchange::Aster).await;
        }
    )*};
}

mod builders;
mod conflicts;
mod idempotency;
mod interrupted;
mod operations;
mod payments;
mod random;
mod tenant_keys;
mod trading;
