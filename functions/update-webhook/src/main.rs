//! The Lambda function `update-webhook`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(update_webhook::router_from_env).await
}
