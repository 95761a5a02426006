//! The Lambda function `set-trading-policy`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(set_trading_policy::router_from_env).await
}
