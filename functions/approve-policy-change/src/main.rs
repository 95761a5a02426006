//! The Lambda function `approve-policy-change`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(approve_policy_change::router_from_env).await
}
