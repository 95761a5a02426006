//! The Lambda function `get-credentials-lighter`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(get_credentials_lighter::router_from_env).await
}
