//! The Lambda function `withdraw-aster`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(withdraw_aster::router_from_env).await
}
