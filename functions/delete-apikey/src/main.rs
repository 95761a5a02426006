//! The Lambda function `delete-apikey`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(delete_apikey::router_from_env).await
}
