//! Checks the security boundary between crates: no endpoint links party 2, and no function links
//! another.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, PackageId};
use template::sources;

use crate::workspace::{cargo_tree, metadata};

struct Tree {
    names: BTreeMap<PackageId, String>,
    folders: BTreeMap<String, String>,
    links: BTreeMap<PackageId, Vec<PackageId>>,
}

impl Tree {
    fn read() -> Self {
        let metadata = metadata();
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

    /// Returns every package that a workspace package links.
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

    /// Returns every workspace package that a package links.
    fn linked_of_workspace(&self, name: &str) -> BTreeSet<&str> {
        self.linked_by(name).into_iter().filter(|name| self.folders.contains_key(*name)).collect()
    }

    fn functions(&self) -> Vec<&str> {
        let functions = self.folders.iter().filter(|(_, folder)| folder.starts_with("functions/"));
        functions.map(|(name, _)| name.as_str()).collect()
    }
}

#[test]
fn functions_do_not_link_cosigner_or_each_other() {
    let tree = Tree::read();
    let functions = tree.functions();
    assert!(functions.len() >= 8 && functions.contains(&"cosigner"), "{functions:?}");
    for function in &functions {
        let folder = match *function {
            "cosigner" => "functions/cosigner/signer".to_owned(),
            "seal-audit" => "functions/cosigner/seal-audit".to_owned(),
            other => format!("functions/{other}"),
        };
        assert_eq!(tree.folders[*function], folder);
        let linked = tree.linked_by(function);
        assert!(linked.contains("tokio"), "{function}: an empty tree");
        for other in functions.iter().filter(|other| *other != function) {
            assert!(!linked.contains(other), "{function} links {other}");
        }
    }
    let shared = tree.linked_by("shared");
    assert!(functions.iter().all(|function| !shared.contains(function)));
    assert!(!shared.contains("lambda_http") && !shared.contains("lambda_runtime"));
    assert!(
        tree.linked_by("hyperdex-local").contains("cosigner"),
        "the search must find a known link"
    );
}

/// Users of the client crate build no part of the service: no AWS SDK, no MPC, no Ethereum library.
#[test]
fn client_does_not_link_the_service() {
    let tree = Tree::read();
    assert_eq!(tree.folders["hyperdex-client"], "shared/client");
    let linked = tree.linked_by("hyperdex-client");
    assert!(linked.contains("reqwest"), "an empty tree");
    for name in &linked {
        let heavy =
            ["alloy", "aws-sdk", "aws-smithy", "axum", "dkls23", "ethers", "k256", "utoipa"];
        assert!(!heavy.iter().any(|heavy| name.starts_with(heavy)), "the client links {name}");
        assert!(!tree.folders.contains_key(*name), "the client links {name}");
    }
}

/// Checks each function separately, because the local stack enables features in the workspace that
/// no function ships with.
#[test]
fn shipped_code_links_no_simulator_or_second_tls() {
    for function in Tree::read().functions() {
        let (tree, errors) =
            cargo_tree(&["--edges=normal", "--prefix=none", "--format={p}", "--package", function]);
        assert!(!tree.is_empty(), "{errors}");
        let linked: BTreeSet<&str> =
            tree.lines().filter_map(|line| line.split(' ').next()).collect();
        assert!(linked.contains("rustls") || function == "health", "{function}: {tree}");
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
            "rmp-serde",
        ] {
            assert!(!linked.contains(unwanted), "{function} links {unwanted}");
        }
    }
}

/// The simulators verify signatures with code that the product does not use.
#[test]
fn simulators_link_no_product_code() {
    let tree = Tree::read();
    assert_eq!(tree.folders["exchange-sim"], "infra/exchange-sim");
    let linked = tree.linked_by("exchange-sim");
    assert!(linked.contains("alloy-primitives") && linked.contains("rmp-serde"), "an empty tree");
    let own = tree.linked_of_workspace("exchange-sim");
    assert!(own.is_empty(), "the simulators link {own:?}");
    let domain = tree.linked_by("domain");
    assert!(!domain.contains("rmp-serde") && !tree.linked_by("shared").contains("rmp-serde"));
}

/// The workspace packages that the cosigner trusts.
const TRUSTED_PACKAGES: [&str; 3] = ["domain", "platform", "protocol"];

/// The maximum number of lines of the cosigner and its trusted packages, including comments and
/// unit tests. A reviewer of party 2 reads all of them. Before you raise the number, move code that
/// party 2 does not need into `shared`.
const MAX_TRUSTED_LINES: usize = 21_500;

#[test]
fn cosigner_links_three_workspace_packages() {
    let tree = Tree::read();
    assert_eq!(tree.linked_of_workspace("cosigner"), BTreeSet::from(TRUSTED_PACKAGES));
    let linked_by_job = tree.linked_of_workspace("seal-audit");
    assert!(
        linked_by_job.is_subset(&BTreeSet::from(TRUSTED_PACKAGES)),
        "seal-audit links {linked_by_job:?}"
    );
    assert!(linked_by_job.contains("domain"), "the search must find a known link");
}

#[test]
fn trusted_base_of_the_cosigner_is_small() {
    let tree = Tree::read();
    let lines = ["cosigner"].iter().chain(&TRUSTED_PACKAGES).map(|package| {
        let files = sources(&format!("{}/src", tree.folders[*package]));
        let lines: usize = files.iter().map(|(_, text)| text.lines().count()).sum();
        assert!(lines > 500, "{package}: too few lines");
        lines
    });
    let lines: usize = lines.sum();
    assert!(lines <= MAX_TRUSTED_LINES, "party 2 trusts {lines} lines");
}

/// Prices, quantities and limits are decimal numbers from the request to the exchange and back.
#[test]
fn trading_code_has_no_binary_fractions() {
    let folders = [
        "shared/src/orders",
        "shared/src/trading",
        "shared/src/exchanges/aster/trade",
        "shared/src/exchanges/hyperliquid/trade",
        "shared/src/exchanges/lighter",
    ];
    let files: Vec<_> = folders.iter().flat_map(|folder| sources(folder)).collect();
    assert!(files.len() > 15, "too few files");
    let is_word = |text: &str| text == "f32" || text == "f64";
    for (file, text) in files {
        for (number, line) in text.lines().enumerate() {
            let mut words = line.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
            assert!(!words.any(is_word), "{file}:{} has a binary fraction", number + 1);
        }
    }
}
