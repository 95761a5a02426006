//! The Lambda function `place-order-hyperliquid`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(place_order_hyperliquid::router_from_env).await
}
