//! The templates against the code: routes, methods, environment variables and functions stand in
//! both, and each role may do what its function does and nothing else.
//!
//! The library reads the templates as CloudFormation reads them. These tests find out what the code
//! does by running it: they start the functions from the environment that the templates give them
//! (`start`), record their calls where they arrive (`cloud`), and compare each call with its role's
//! statements, as IAM does.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failing test panics")]

mod asked;
mod cloud;
mod emitted;
mod environment;
mod evaluator;
mod functions;
mod invokers;
mod jobs;
mod keys;
mod limits;
mod monitoring;
mod operations;
mod permissions;
mod retention;
mod roles;
mod routes;
mod start;
mod webhooks;
