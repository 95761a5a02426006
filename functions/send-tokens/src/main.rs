//! The Lambda function `send-tokens`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(send_tokens::router_from_env).await
}
