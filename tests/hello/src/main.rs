//! An empty Lambda function that shows what `lambda_http` itself needs to start and to respond. It
//! is built like the other functions and is not deployed.

use lambda_http::{Body, Error, Request, Response, run, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    run(service_fn(async |_: Request| {
        Ok::<_, Error>(Response::new(Body::Text("hello".to_owned())))
    }))
    .await
}
