//! The workspace, as cargo resolves it.

use std::process::Command;

use cargo_metadata::{Metadata, MetadataCommand};
use template::repository;

/// Returns every package that this platform builds.
pub(crate) fn metadata() -> Metadata {
    // Only the packages of this platform are available offline.
    let platform = format!("--filter-platform={}", host());
    MetadataCommand::new()
        .manifest_path(repository("Cargo.toml"))
        .other_options(["--locked".to_owned(), "--offline".to_owned(), platform])
        .exec()
        .unwrap()
}

fn host() -> String {
    let output = Command::new("rustc").arg("-vV").output().unwrap();
    let version = String::from_utf8(output.stdout).unwrap();
    version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
}

/// Runs `cargo tree` offline in the workspace and returns its two outputs.
pub(crate) fn cargo_tree(arguments: &[&str]) -> (String, String) {
    let output = Command::new("cargo")
        .args(["tree", "--locked", "--offline"])
        .args(arguments)
        .current_dir(repository(""))
        .output()
        .unwrap();
    [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).into()
}
