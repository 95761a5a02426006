//! The Lambda function `get-transfer-hyperliquid`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(get_transfer_hyperliquid::router_from_env).await
}
