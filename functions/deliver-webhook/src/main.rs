//! The Lambda function `deliver-webhook`, invoked by the queue of deliveries.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run_consumer(deliver_webhook::consumer_from_env).await
}
