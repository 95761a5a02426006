//! The Lambda function `seal-audit`, invoked by a schedule.

use domain::clock::Clock;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use platform::env::Env;
use platform::{process, telemetry};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = |name: &str| std::env::var(name).ok();
    let env = Env(&env);
    telemetry::init_lambda(&env);
    process::no_core_dumps();
    let job = &seal_audit::job_from_env(&env, Clock::system())?;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
        let (done, calls) = telemetry::in_scope(event.context.request_id, job.run()).await;
        match done {
            Ok(summary) => {
                tracing::info!(%summary, remoteCalls = calls.total(), %calls, "run");
                Ok(summary)
            }
            // A failed invocation is retried by Lambda, and then moved to the dead-letter queue.
            Err(error) => {
                tracing::error!(%error, "run failed");
                Err(Error::from("the run failed"))
            }
        }
    }))
    .await
}
