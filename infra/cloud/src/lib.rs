//! Local implementations of AWS services with AWS's protocols, so that the functions use only AWS
//! clients: DynamoDB (embedded, in SQLite), KMS, SQS, and Lambda's Invoke API in front of the
//! cosigner. DynamoDB and KMS can also be external engines.

pub mod cosigner;
pub mod dynamodb;
pub mod engines;
pub mod error;
pub mod files;
pub mod kms;
pub mod names;
pub mod queue;
pub mod stream;
