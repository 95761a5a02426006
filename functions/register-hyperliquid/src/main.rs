//! The Lambda function `register-hyperliquid`.

#[tokio::main]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(|env, clock, random| {
        register_hyperliquid::router_from_env(env, clock, random)
    })
    .await
}
