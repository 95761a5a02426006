//! The Lambda function `close-position-hyperliquid`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(close_position_hyperliquid::router_from_env).await
}
