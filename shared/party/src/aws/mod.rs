//! Clients of the AWS services that are called without an SDK: API Gateway, Lambda and SQS.

mod apigateway;
mod call;
mod lambda;
mod sqs;
#[cfg(test)]
mod tests;

pub use apigateway::{ApiGatewayClient, ListedApiKey};
pub use call::CallError;
pub use lambda::{COSIGNER_TIMEOUT, LambdaClient};
pub use sqs::{BATCH as SQS_BATCH, OutMessage, SqsClient};
