//! The Lambda function `renew-apikeys`, invoked by a schedule.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run_job(renew_apikeys::job_from_env).await
}
