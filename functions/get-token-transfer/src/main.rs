//! The Lambda function `get-token-transfer`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(get_token_transfer::router_from_env).await
}
