//! The Lambda function `health`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    let keys = std::env::var("RECOVERY_PUBLIC_KEY").unwrap_or_default();
    lambda_entry::run_open(health::router(!keys.trim().is_empty())).await
}
