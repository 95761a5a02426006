//! The Lambda function `place-order-aster`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(place_order_aster::router_from_env).await
}
