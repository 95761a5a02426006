//! The Lambda function `get-apikey`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(get_apikey::router_from_env).await
}
