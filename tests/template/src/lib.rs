//! Evaluates the deployment's templates as CloudFormation and IAM do, and reads the sources that
//! the templates must match.
//!
//! `yaml` and `cloudformation` evaluate a template for one account, `stacks` nests the three
//! templates, and `iam` decides whether the statements of a role allow a call. A check returns one
//! line for each fault, so a test can also change a copy of a template and look for the line.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failing test panics")]

pub mod api;
pub mod cloudformation;
pub mod iam;
pub mod routes;
pub mod stacks;
pub mod yaml;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Returns the path of a file in the repository.
#[must_use]
pub fn repository(path: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(path)
}

/// Returns the text of a file.
#[must_use]
pub fn read(path: &str) -> String {
    let path = repository(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns the folders of the functions' packages in `functions/`, such as `cosigner/signer`.
#[must_use]
pub fn folders() -> BTreeSet<String> {
    fn collect(folder: &str, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(repository("functions").join(folder)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if name == "Cargo.toml" {
                found.insert(folder.trim_end_matches('/').to_owned());
            } else if entry.file_type().unwrap().is_dir() {
                collect(&format!("{folder}{name}/"), found);
            }
        }
    }
    let mut found = BTreeSet::new();
    collect("", &mut found);
    found
}

/// Returns the name of the package in a folder of `functions/`.
#[must_use]
pub fn package(folder: &str) -> String {
    let manifest = read(&format!("functions/{folder}/Cargo.toml"));
    let name = manifest.lines().find_map(|line| line.strip_prefix("name = \""));
    name.unwrap().trim_end_matches('"').to_owned()
}

/// Returns the Rust files in a folder, with their texts.
#[must_use]
pub fn sources(folder: &str) -> Vec<(String, String)> {
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

/// Returns the names that only one of two sets has, one line each.
#[must_use]
pub fn differences(
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

/// Fails if a check found any fault.
#[track_caller]
pub fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Fails if a check did not find this line.
#[track_caller]
pub fn assert_found(wrong: &[String], line: &str) {
    assert!(
        wrong.iter().any(|found| found == line),
        "expected: {line}\nfound:\n{}",
        wrong.join("\n")
    );
}
