//! The Lambda function `create-webhook`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(create_webhook::router_from_env).await
}
