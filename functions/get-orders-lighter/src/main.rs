//! The Lambda function `get-orders-lighter`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(get_orders_lighter::router_from_env).await
}
