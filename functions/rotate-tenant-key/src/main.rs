//! The Lambda function `rotate-tenant-key`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(rotate_tenant_key::router_from_env).await
}
