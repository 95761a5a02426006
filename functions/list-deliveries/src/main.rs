//! The Lambda function `list-deliveries`.

use shared::store::Store;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(|runtime| Store::from_env(&runtime.env).map(list_deliveries::router)).await
}
