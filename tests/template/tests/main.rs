//! Compares the templates with the code: routes, methods, environment variables and functions
//! match, and each role has exactly the permissions that its function uses.
//!
//! The library evaluates the templates as CloudFormation does. These tests determine what the code
//! does by running it: they start the functions with the environment from the templates (`start`),
//! record their calls at a server (`cloud`), and compare each call with the statements of its role,
//! as IAM does.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failing test panics")]

mod api;
mod cloud;
mod emitted;
mod environment;
mod evaluator;
mod functions;
mod iam_calls;
mod invokers;
mod jobs;
mod keys;
mod limits;
mod monitoring;
mod operations;
mod permissions;
mod quotas;
mod retention;
mod roles;
mod routes;
mod start;
mod tenants;
mod trading;
mod webhooks;
