//! The Lambda function `list-deliveries`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(list_deliveries::router_from_env).await
}
