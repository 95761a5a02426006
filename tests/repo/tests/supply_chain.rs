//! Checks the licences, sources and purposes of all dependencies, with the lists in `deny.toml` and
//! `docs/security/dependencies.md`.

use std::collections::BTreeSet;

use cargo_metadata::{Metadata, Package};
use template::read;

use crate::workspace::{cargo_tree, metadata};

fn built(metadata: &Metadata) -> Vec<&Package> {
    let nodes = metadata.resolve.as_ref().unwrap().nodes.iter();
    let built: BTreeSet<_> = nodes.map(|node| &node.id).collect();
    metadata.packages.iter().filter(|package| built.contains(&package.id)).collect()
}

/// Returns the quoted texts of a line that is not a comment.
fn quoted(line: &str) -> Vec<&str> {
    if line.trim_start().starts_with('#') {
        return Vec::new();
    }
    line.split('"').skip(1).step_by(2).collect()
}

/// Returns the lines of a list in `deny.toml`.
fn list<'a>(file: &'a str, section: &str, name: &str) -> Vec<&'a str> {
    let section = format!("[{section}]");
    let lines = file.lines().skip_while(|line| *line != section).skip(1);
    let start = format!("{name} = [");
    let lines = lines.take_while(|line| !line.starts_with('['));
    lines.skip_while(|line| *line != start).skip(1).take_while(|line| *line != "]").collect()
}

/// Returns true if the allowed licences satisfy an SPDX expression.
fn is_satisfied(expression: &str, allowed: &dyn Fn(&str) -> bool) -> bool {
    let split = |word: &str| {
        let mut depth = 0_i32;
        let mut parts = vec![String::new()];
        for token in expression.split_whitespace() {
            if token == word && depth == 0 {
                parts.push(String::new());
                continue;
            }
            depth += i32::try_from(token.matches('(').count()).unwrap();
            depth -= i32::try_from(token.matches(')').count()).unwrap();
            let part = parts.last_mut().unwrap();
            if !part.is_empty() {
                part.push(' ');
            }
            part.push_str(token);
        }
        parts
    };
    let either = split("OR");
    if either.len() > 1 {
        return either.iter().any(|part| is_satisfied(part, allowed));
    }
    let both = split("AND");
    if both.len() > 1 {
        return both.iter().all(|part| is_satisfied(part, allowed));
    }
    match expression.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) {
        Some(inner) => is_satisfied(inner, allowed),
        None => allowed(expression),
    }
}

#[test]
fn spdx_expression_is_parsed() {
    let allowed = |name: &str| name == "MIT" || name == "ISC";
    for (expression, met) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0 AND MIT", false),
        ("ISC AND (GPL-3.0 OR MIT)", true),
        ("(GPL-3.0 OR MIT) AND GPL-2.0", false),
        ("MIT WITH some-exception", false),
    ] {
        assert_eq!(is_satisfied(expression, &allowed), met, "{expression}");
    }
}

#[test]
fn dependency_licences_are_allowed() {
    let file = read("deny.toml");
    let allowed: BTreeSet<&str> =
        list(&file, "licenses", "allow").into_iter().flat_map(quoted).collect();
    let exceptions: BTreeSet<(&str, &str)> = list(&file, "licenses", "exceptions")
        .into_iter()
        .filter_map(|line| Some((*quoted(line).first()?, *quoted(line).get(1)?)))
        .collect();
    assert!(allowed.contains("MIT") && !exceptions.is_empty(), "the lists are empty");
    let metadata = metadata();
    let built = built(&metadata);
    assert!(built.len() > 300, "too few packages");
    for package in built {
        let name = package.name.as_str();
        // The old separator for OR.
        let licence = package.license.as_deref().unwrap_or_default().replace('/', " OR ");
        let met = is_satisfied(&licence, &|one| {
            allowed.contains(one) || exceptions.contains(&(name, one))
        });
        assert!(met, "{name}: {licence:?}");
    }
}

#[test]
fn dependencies_come_from_registry_and_none_is_banned() {
    let file = read("deny.toml");
    let banned = list(&file, "bans", "deny");
    assert!(banned.iter().any(|line| line.contains("native-tls")), "the list is empty");
    let metadata = metadata();
    for package in built(&metadata) {
        if let Some(source) = &package.source {
            let known = "registry+https://github.com/rust-lang/crates.io-index";
            assert_eq!(source.repr, known, "{}", package.name);
        }
    }
    for ban in banned.into_iter().map(quoted).filter(|ban| !ban.is_empty()) {
        for by in linking(ban[0]) {
            assert!(ban[1..].contains(&by.as_str()), "{by} links {}", ban[0]);
        }
    }
    assert!(linking("rustls").contains("reqwest"), "the search must find a known link");
}

/// Returns the crates that are built with a crate of this name. The metadata would also include
/// crates that are not built.
fn linking(name: &str) -> BTreeSet<String> {
    let (tree, errors) = cargo_tree(&[
        "--workspace",
        "--prefix=depth",
        "--depth=1",
        "--format= {p}",
        "--invert",
        name,
    ]);
    let absent = ["did not match any packages", "nothing to print"];
    assert!(!tree.is_empty() || absent.iter().any(|words| errors.contains(words)), "{errors}");
    let direct = tree.lines().filter_map(|line| line.strip_prefix("1 "));
    direct.filter_map(|line| Some(line.split(' ').next()?.to_owned())).collect()
}

/// Two versions of one of these crates mean two TLS stacks.
#[test]
fn workspace_has_one_tls_stack() {
    let metadata = metadata();
    for one in ["aws-lc-rs", "hyper", "hyper-rustls", "reqwest", "rustls", "rustls-webpki"] {
        let count = built(&metadata).iter().filter(|package| package.name.as_str() == one).count();
        assert_eq!(count, 1, "{one}");
    }
}

#[test]
fn dependencies_are_used_and_have_a_purpose() {
    let manifest = read("Cargo.toml");
    let named: BTreeSet<&str> = manifest
        .lines()
        .skip_while(|line| *line != "[workspace.dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.starts_with('#') && !line.contains("path = "))
        .filter_map(|line| Some(line.split_once(" = ")?.0))
        .collect();
    let document = read("docs/security/dependencies.md");
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `"));
    let written: Vec<(&str, &str)> =
        rows.map(|row| row.split_once("` | ").unwrap_or((row, ""))).collect();
    let listed: BTreeSet<&str> = written.iter().map(|(name, _)| *name).collect();
    assert_eq!(listed.len(), written.len(), "a dependency is listed twice");
    assert_eq!(listed, named);
    assert!(written.iter().all(|(_, purpose)| purpose.len() > 5), "{written:?}");

    let metadata = metadata();
    let used: BTreeSet<String> = metadata
        .workspace_packages()
        .into_iter()
        .flat_map(|package| &package.dependencies)
        .map(|dependency| dependency.rename.clone().unwrap_or_else(|| dependency.name.clone()))
        .collect();
    for name in named {
        assert!(used.contains(name), "no workspace crate uses {name}");
    }
}
