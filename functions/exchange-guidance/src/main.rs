//! The Lambda function `exchange-guidance`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(exchange_guidance::router_from_env).await
}
