//! The Lambda function `register-hyperliquid`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(register_hyperliquid::router_from_env).await
}
