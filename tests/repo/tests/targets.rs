//! Each target is built for tests exactly when it has some. An empty test binary costs a link, and a test in a target
//! that is not built for tests would never run.

use cargo_metadata::{Target, TargetKind};

use crate::workspace::metadata;

const FLAGS: &str = "set `test` and `doctest` of the target in its Cargo.toml";

/// The sources of a target: the package's `src` for a library, its one file for a program.
fn sources(target: &Target) -> Vec<String> {
    let root = target.src_path.clone();
    if !target.is_lib() {
        return vec![std::fs::read_to_string(root).unwrap()];
    }
    let mut open = vec![root.parent().unwrap().to_path_buf()];
    let mut read = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in folder.read_dir_utf8().unwrap() {
            let path = entry.unwrap().into_path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension() == Some("rs") {
                read.push(std::fs::read_to_string(path).unwrap());
            }
        }
    }
    read
}

fn has_unit_test(source: &str) -> bool {
    let attributes = ["#[test]", "#[tokio::test", "proptest! {"];
    source.lines().any(|line| attributes.iter().any(|start| line.trim().starts_with(start)))
}

/// Whether a doc comment opens a block of Rust: a fence without a language, or with a Rust flag.
fn has_doc_test(source: &str) -> bool {
    let mut open = false;
    for line in source.lines().map(str::trim_start) {
        let Some(text) = line.strip_prefix("///").or_else(|| line.strip_prefix("//!")) else {
            open = false;
            continue;
        };
        let Some(language) = text.trim().strip_prefix("```") else { continue };
        if !open && ["", "rust", "no_run", "should_panic", "compile_fail"].contains(&language) {
            return true;
        }
        open = !open;
    }
    false
}

#[test]
fn target_is_built_for_tests_when_it_has_some() {
    let mut wrong = Vec::new();
    for package in metadata().workspace_packages() {
        for target in &package.targets {
            let is_bin = target.is_kind(TargetKind::Bin);
            if !(target.is_lib() || is_bin) {
                continue;
            }
            let sources = sources(target);
            if target.test != sources.iter().any(|source| has_unit_test(source)) {
                wrong.push(format!("{} {}: unit tests", package.name, target.name));
            }
            if target.is_lib() && target.doctest != sources.iter().any(|text| has_doc_test(text)) {
                wrong.push(format!("{} {}: documentation tests", package.name, target.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{FLAGS}: {wrong:#?}");
}

#[test]
fn tests_are_found_in_sources() {
    assert!(has_unit_test("mod tests {\n    #[test]\n    fn a() {}\n}"));
    assert!(has_unit_test("    #[tokio::test(start_paused = true)]"));
    assert!(!has_unit_test("// no #[test] here"));
    assert!(has_doc_test("/// Adds.\n///\n/// ```\n/// add(1, 2);\n/// ```"));
    assert!(has_doc_test("//! ```no_run\n//! start();\n//! ```"));
    assert!(!has_doc_test("/// ```text\n/// a b\n/// ```\n///\n/// Next."));
    assert!(!has_doc_test("let fence = \"```\";"));
}
