//! The Lambda function `get-fills-hyperliquid`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(get_fills_hyperliquid::router_from_env).await
}
