//! The Lambda function `delete-agent`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(delete_agent::router_from_env).await
}
