//! The Lambda function `get-policy`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(get_policy::router_from_env).await
}
