//! The Lambda function `get-positions-lighter`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(get_positions_lighter::router_from_env).await
}
