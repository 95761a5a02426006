//! An empty Lambda function: what `lambda_http` itself needs to start and to answer. It is built as
//! the others are, measured beside them, and deployed by nobody.

use lambda_http::{Body, Error, Request, Response, run, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    run(service_fn(async |_: Request| {
        Ok::<_, Error>(Response::new(Body::Text("hello".to_owned())))
    }))
    .await
}
