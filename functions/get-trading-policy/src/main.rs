//! The Lambda function `get-trading-policy`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(get_trading_policy::router_from_env).await
}
