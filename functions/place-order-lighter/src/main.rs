//! The Lambda function `place-order-lighter`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(place_order_lighter::router_from_env).await
}
