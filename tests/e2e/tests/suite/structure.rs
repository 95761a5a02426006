//! The security boundary is a folder: no endpoint links party 2, and no function another.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so and ends")]

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand, PackageId};

struct Tree {
    names: BTreeMap<PackageId, String>,
    folders: BTreeMap<String, String>,
    links: BTreeMap<PackageId, Vec<PackageId>>,
}

impl Tree {
    fn read() -> Self {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml");
        // What this platform builds is here already; nothing is fetched for another.
        let platform = format!("--filter-platform={}", host());
        let metadata = MetadataCommand::new()
            .manifest_path(manifest)
            .other_options(["--locked".to_owned(), "--offline".to_owned(), platform])
            .exec()
            .unwrap();
        let root = metadata.workspace_root.clone();
        let names = metadata.packages.iter();
        let names = names.map(|package| (package.id.clone(), package.name.to_string())).collect();
        let folders = metadata.workspace_packages().into_iter();
        let folders = folders
            .map(|package| {
                let folder = package.manifest_path.parent().unwrap().strip_prefix(&root).unwrap();
                (package.name.to_string(), folder.to_string())
            })
            .collect();
        let nodes = metadata.resolve.unwrap().nodes.into_iter();
        let links = nodes
            .map(|node| {
                let shipped = node.deps.into_iter().filter(|dependency| {
                    dependency.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal)
                });
                (node.id, shipped.map(|dependency| dependency.pkg).collect())
            })
            .collect();
        Self { names, folders, links }
    }

    /// Everything that a workspace package links, itself not counted.
    fn linked_by(&self, name: &str) -> BTreeSet<&str> {
        let start = self.names.iter().find(|(id, known)| {
            known.as_str() == name
                && self.folders.contains_key(*known)
                && self.links.contains_key(id)
        });
        let mut open = vec![start.unwrap().0];
        let mut seen = BTreeSet::new();
        while let Some(id) = open.pop() {
            for dependency in &self.links[id] {
                if seen.insert(self.names[dependency].as_str()) {
                    open.push(dependency);
                }
            }
        }
        seen
    }

    fn functions(&self) -> Vec<&str> {
        let functions = self.folders.iter().filter(|(_, folder)| folder.starts_with("functions/"));
        functions.map(|(name, _)| name.as_str()).collect()
    }
}

pub(crate) fn host() -> String {
    let output = std::process::Command::new("rustc").arg("-vV").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    said.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
}

#[test]
fn no_endpoint_links_the_cosigner_and_no_function_another() {
    let tree = Tree::read();
    let functions = tree.functions();
    assert!(functions.len() >= 8 && functions.contains(&"cosigner"), "{functions:?}");
    for function in &functions {
        assert_eq!(tree.folders[*function], format!("functions/{function}"));
        let linked = tree.linked_by(function);
        assert!(linked.contains("tokio"), "{function}: the tree was read");
        for other in functions.iter().filter(|other| *other != function) {
            assert!(!linked.contains(other), "{function} links {other}");
        }
    }
    let shared = tree.linked_by("shared");
    assert!(functions.iter().all(|function| !shared.contains(function)));
    assert!(!shared.contains("lambda_http") && !shared.contains("lambda_runtime"));
    assert!(
        tree.linked_by("hyperdex-local").contains("cosigner"),
        "the search finds what is there"
    );
}

/// Who embeds the client crate builds none of the service: no SDK of AWS, no MPC, no Ethereum.
#[test]
fn the_client_links_nothing_of_the_service() {
    let tree = Tree::read();
    assert_eq!(tree.folders["hyperdex-client"], "shared/client");
    let linked = tree.linked_by("hyperdex-client");
    assert!(linked.contains("reqwest"), "the tree was read");
    for name in &linked {
        let heavy =
            ["alloy", "aws-sdk", "aws-smithy", "axum", "dkls23", "ethers", "k256", "utoipa"];
        assert!(!heavy.iter().any(|heavy| name.starts_with(heavy)), "the client links {name}");
        assert!(!tree.folders.contains_key(*name), "the client links {name}");
    }
}

/// Asked of each function alone: in the whole workspace the stand-ins for the cloud switch features
/// on that no function ships with.
#[test]
fn nothing_that_ships_links_a_simulator_or_a_second_tls_stack() {
    for function in Tree::read().functions() {
        let output = std::process::Command::new("cargo")
            .args([
                "tree",
                "--locked",
                "--offline",
                "--edges=normal",
                "--prefix=none",
                "--format={p}",
            ])
            .args(["--package", function])
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8(output.stdout).unwrap();
        let linked: BTreeSet<&str> =
            said.lines().filter_map(|line| line.split(' ').next()).collect();
        assert!(linked.contains("rustls") || function == "health", "{function}: {said}");
        for unwanted in [
            "alloy-primitives",
            "dynoxide-rs",
            "ethers",
            "exchange-sim",
            "hyperdex-audit",
            "hyperdex-cloud",
            "hyperdex-console",
            "hyperdex-listen",
            "hyperdex-local",
            "native-tls",
            "openssl",
            "ring",
        ] {
            assert!(!linked.contains(unwanted), "{function} links {unwanted}");
        }
    }
}
