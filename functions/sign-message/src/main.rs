//! The Lambda function `sign-message`.

use platform::env::ConfigError;
use shared::wallets::Custody;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(|env, clock, random| {
        Ok::<_, ConfigError>(sign_message::router(Custody::from_env(env, clock, random)?))
    })
    .await
}
