//! The Lambda function `cancel-orders-lighter`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(cancel_orders_lighter::router_from_env).await
}
