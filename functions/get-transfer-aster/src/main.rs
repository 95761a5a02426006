//! The Lambda function `get-transfer-aster`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(get_transfer_aster::router_from_env).await
}
