//! The Lambda function `modify-order-lighter`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(modify_order_lighter::router_from_env).await
}
