//! The Lambda function `register-aster`.

#[tokio::main]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(|env, clock, random| register_aster::router_from_env(env, clock, random))
        .await
}
