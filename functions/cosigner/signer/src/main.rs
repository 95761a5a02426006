//! The cosigner's Lambda function. It has no route: endpoint functions invoke it.

use cosigner::Cosigner;
use domain::clock::Clock;
use domain::random::Random;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use platform::env::Env;
use platform::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = |name: &str| std::env::var(name).ok();
    let env = Env(&env);
    telemetry::init_lambda(&env);
    platform::process::no_core_dumps();
    let cosigner = Cosigner::from_env(&env, Clock::system(), Random::system())?;
    let cosigner = &cosigner;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<String>| async move {
        // The cause is logged; the invoker learns only that the call failed.
        let answer = cosigner.handle(&event.context.invoked_function_arn, &event.payload).await;
        answer.map_err(|_| Error::from("the cosigner failed"))
    }))
    .await
}
