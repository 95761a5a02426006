//! The Lambda function `test-webhook`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(test_webhook::router_from_env).await
}
