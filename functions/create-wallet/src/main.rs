//! The Lambda function `create-wallet`.

use platform::env::ConfigError;
use shared::wallets::Custody;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(|env, clock, random| {
        Ok::<_, ConfigError>(create_wallet::router(Custody::from_env(env, clock, random)?))
    })
    .await
}
