//! The Lambda function `list-webhooks`.

use platform::env::ConfigError;
use shared::store::Store;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(|env, _, _| {
        Ok::<_, ConfigError>(list_webhooks::router(Store::from_env(env)?))
    })
    .await
}
