//! Clients of the AWS services that are called without an SDK: Lambda and SQS.

mod call;
mod lambda;
mod sqs;
#[cfg(test)]
mod tests;

pub use call::CallError;
pub use lambda::{COSIGNER_TIMEOUT, LambdaClient};
pub use sqs::{BATCH as SQS_BATCH, OutMessage, SqsClient};
