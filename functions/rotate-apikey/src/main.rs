//! The Lambda function `rotate-apikey`.

#[tokio::main]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(rotate_apikey::router_from_env).await
}
