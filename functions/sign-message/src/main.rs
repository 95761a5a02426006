//! The Lambda function `sign-message`.

use shared::wallets::Custody;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(|runtime| Custody::from_env(runtime).map(sign_message::router)).await
}
