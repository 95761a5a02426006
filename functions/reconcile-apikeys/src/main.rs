//! The Lambda function `reconcile-apikeys`, invoked by a schedule.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run_job(reconcile_apikeys::job_from_env).await
}
