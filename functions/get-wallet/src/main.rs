//! The Lambda function `get-wallet`.

use platform::env::ConfigError;
use shared::store::Store;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(|env, _, _| Ok::<_, ConfigError>(get_wallet::router(Store::from_env(env)?)))
        .await
}
