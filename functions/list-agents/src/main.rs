//! The Lambda function `list-agents`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(list_agents::router_from_env).await
}
