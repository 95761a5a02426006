//! The Lambda function `register-aster`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(register_aster::router_from_env).await
}
