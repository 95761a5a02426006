//! The Lambda function `set-leverage-lighter`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(set_leverage_lighter::router_from_env).await
}
