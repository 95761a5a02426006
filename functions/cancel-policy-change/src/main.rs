//! The Lambda function `cancel-policy-change`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(cancel_policy_change::router_from_env).await
}
