//! The Lambda function `withdraw-hyperliquid`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(withdraw_hyperliquid::router_from_env).await
}
