//! The Lambda function `publish-events`, invoked by the stream of the wallets' table.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run_consumer(publish_events::consumer_from_env).await
}
