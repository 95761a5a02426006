//! The Lambda function `list-wallets`.

use platform::env::ConfigError;
use shared::store::Store;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(|env, _, _| Ok::<_, ConfigError>(list_wallets::router(Store::from_env(env)?)))
        .await
}
