//! Stand-ins for the cloud, which speak its own protocols, so that the functions only ever see AWS
//! clients: DynamoDB (embedded, in SQLite), KMS, SQS and Lambda's Invoke API with the cosigner
//! behind it. DynamoDB and KMS can also be external engines.

pub mod cosigner;
pub mod dynamodb;
pub mod engines;
pub mod error;
pub mod files;
pub mod kms;
pub mod names;
pub mod queue;
pub mod stream;
