//! The templates against the code: routes, methods, environment variables and functions stand in
//! both, and each role may do what its function does and nothing else.
//!
//! The templates are read as CloudFormation reads them (`yaml`, `cloudformation`). What the code
//! does is found by running it: the functions are started from the environment that the templates
//! give them (`start`), their calls are recorded where they arrive (`cloud`), and each is held
//! against its role's statements as IAM would do it (`iam`). A check returns what it finds wrong,
//! one line each, so that a test can also break a copy of a template and see the line.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so and ends")]

mod asked;
mod cloud;
mod cloudformation;
mod documents;
mod environment;
mod functions;
mod iam;
mod invokers;
mod jobs;
mod json_schema;
mod keys;
mod limits;
mod monitoring;
mod numbers;
mod openapi;
mod openapi_form;
mod operations;
mod permissions;
mod retention;
mod routes;
mod stacks;
mod start;
mod webhooks;
mod yaml;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A path of the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(path)
}

fn read(path: &str) -> String {
    let path = repository(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The folders of `functions/`.
fn folders() -> BTreeSet<String> {
    let entries = std::fs::read_dir(repository("functions")).unwrap().map(Result::unwrap);
    let folders = entries.filter(|entry| entry.file_type().unwrap().is_dir());
    folders.map(|folder| folder.file_name().into_string().unwrap()).collect()
}

/// The Rust files below a folder, with their texts.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(repository(folder)).unwrap().map(Result::unwrap) {
        let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            files.extend(sources(&path));
        } else if path.ends_with(".rs") {
            let text = read(&path);
            files.push((path, text));
        }
    }
    files.sort();
    files
}

/// What stands in one and not in the other, one line each.
fn differences(
    what: &str,
    (here, left): (&str, &BTreeSet<String>),
    (there, right): (&str, &BTreeSet<String>),
) -> Vec<String> {
    let only_left = left.difference(right);
    let only_right = right.difference(left);
    only_left
        .map(|name| format!("{what} {name} is in {here}, not in {there}"))
        .chain(only_right.map(|name| format!("{what} {name} is in {there}, not in {here}")))
        .collect()
}

/// Fails with every line.
#[track_caller]
fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// A broken copy was found out, and by this line.
#[track_caller]
fn assert_found(wrong: &[String], line: &str) {
    assert!(wrong.iter().any(|found| found == line), "want: {line}\nfound:\n{}", wrong.join("\n"));
}
