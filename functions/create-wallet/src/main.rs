//! The Lambda function `create-wallet`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(create_wallet::router_from_env).await
}
