//! The Lambda function `seal-audit`, invoked by a schedule.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run_job(seal_audit::job_from_env).await
}
