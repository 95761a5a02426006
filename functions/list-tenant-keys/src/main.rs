//! The Lambda function `list-tenant-keys`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_entry::Error> {
    lambda_entry::run(list_tenant_keys::router_from_env).await
}
