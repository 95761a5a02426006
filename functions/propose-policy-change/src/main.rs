//! The Lambda function `propose-policy-change`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(propose_policy_change::router_from_env).await
}
