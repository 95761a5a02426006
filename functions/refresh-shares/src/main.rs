//! The Lambda function `refresh-shares`, invoked by a schedule, or by hand for one wallet.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run_job(refresh_shares::job_from_env).await
}
