//! The Lambda function `health`.

use platform::env::ConfigError;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(|_| Ok::<_, ConfigError>(health::router())).await
}
