//! The Lambda function `transfer-hyperliquid`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(transfer_hyperliquid::router_from_env).await
}
