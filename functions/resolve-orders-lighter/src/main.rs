//! The Lambda function `resolve-orders-lighter`, invoked by a schedule.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run_job(resolve_orders_lighter::job_from_env).await
}
