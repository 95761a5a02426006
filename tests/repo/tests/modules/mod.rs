//! Checks that the modules of each crate depend on each other in one direction: no cycle leads from
//! a module of a crate's root back to itself.
//!
//! A reference is a path that starts with `crate`, `self` or `super`, in code or in a link of a doc
//! comment. A name that the root imports counts as a reference to the module that it comes from.
//! Items that the root itself defines are not counted.

mod references;
mod tokens;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cargo_metadata::Package;
use template::{assert_none, repository};

use crate::workspace::metadata;
use references::{declared, imports, references};

/// The file and line of a reference from one module to another.
type Place = (PathBuf, usize);

/// The modules of one target, each with the modules that it refers to.
type Graph = BTreeMap<String, BTreeMap<String, Place>>;

/// Returns the source files of a module of the root, each with its module path.
fn files(folder: &Path, module: &[String]) -> Vec<(PathBuf, Vec<String>)> {
    let below = module.iter().fold(folder.to_owned(), |path, name| path.join(name));
    let own = [below.with_extension("rs"), below.join("mod.rs")];
    let mut found: Vec<_> =
        own.into_iter().filter(|file| file.is_file()).map(|file| (file, module.to_vec())).collect();
    let mut children = BTreeSet::new();
    for entry in std::fs::read_dir(&below).into_iter().flatten() {
        let path = entry.unwrap().path();
        let is_source = path.is_dir() || path.extension().is_some_and(|it| it == "rs");
        let name = path.file_stem().unwrap().to_str().unwrap();
        if is_source && name != "mod" {
            children.insert(name.to_owned());
        }
    }
    for child in children {
        found.extend(files(folder, &[module, &[child]].concat()));
    }
    found
}

/// Returns the module graph of a target, from its root file.
fn graph(root: &Path) -> Graph {
    let text = std::fs::read_to_string(root).unwrap();
    let folder = root.parent().unwrap();
    let mut sources: Vec<(PathBuf, Vec<String>)> = vec![(root.to_owned(), Vec::new())];
    for name in declared(&text) {
        let files = files(folder, std::slice::from_ref(&name));
        assert!(!files.is_empty(), "{}: the module {name} has no file", root.display());
        sources.extend(files);
    }
    let texts = sources.into_iter().map(|(file, module)| {
        let text = std::fs::read_to_string(&file).unwrap();
        (file, module, text)
    });
    graph_of(&text, texts.collect())
}

/// Returns the module graph of sources, given as file, module and text.
fn graph_of(root: &str, sources: Vec<(PathBuf, Vec<String>, String)>) -> Graph {
    let imported: BTreeMap<String, Vec<String>> = imports(root).into_iter().collect();
    let all_of = imported.get("*").map_or("", |path| path[0].as_str());
    assert!(!declared(root).contains(&all_of.to_owned()), "the root imports all of {all_of}");
    let mut graph = Graph::new();
    let mut all = Vec::new();
    for (file, module, text) in sources {
        for reference in references(&text, &module) {
            graph.entry(reference.from.first().cloned().unwrap_or_default()).or_default();
            all.push((file.clone(), reference));
        }
        graph.entry(module.first().cloned().unwrap_or_default()).or_default();
    }
    let modules: BTreeSet<String> = graph.keys().cloned().collect();
    for (file, reference) in all {
        let Some(from) = reference.from.first() else { continue };
        let Some(mut to) = reference.to.first() else { continue };
        if to == "*" {
            // The tests of a root see all of it. In a module, a glob import would hide the
            // references.
            let (file, line) = (file.display(), reference.line);
            assert!(from == "tests", "{file}:{line} imports everything that the root has");
            continue;
        }
        if !modules.contains(to) {
            // An item of the root, or a name that the root imports from a module.
            let Some(imported_from) = imported.get(to).and_then(|path| path.first()) else {
                continue;
            };
            to = imported_from;
        }
        if modules.contains(to) && to != from {
            let edges = graph.get_mut(from).unwrap();
            edges.entry(to.clone()).or_insert((file, reference.line));
        }
    }
    graph
}

/// Returns the modules of a cycle, if there is one, in the order of their references.
fn cycle(graph: &Graph) -> Option<Vec<String>> {
    fn visit<'a>(
        graph: &'a Graph,
        module: &'a str,
        path: &mut Vec<&'a str>,
        done: &mut BTreeSet<&'a str>,
    ) -> Option<Vec<String>> {
        if let Some(start) = path.iter().position(|known| *known == module) {
            return Some(path[start..].iter().map(|name| (*name).to_owned()).collect());
        }
        if done.contains(module) {
            return None;
        }
        path.push(module);
        let found = graph[module].keys().find_map(|to| visit(graph, to, path, done));
        path.pop();
        done.insert(module);
        found
    }
    let mut done = BTreeSet::new();
    graph.keys().find_map(|module| visit(graph, module, &mut Vec::new(), &mut done))
}

/// Returns the cycle of a graph as text, with the file and line of each reference.
fn described(graph: &Graph) -> Option<String> {
    let cycle = cycle(graph)?;
    let path = [&cycle[..], &cycle[..1]].concat();
    let root = std::fs::canonicalize(repository("")).unwrap();
    let steps = path.windows(2).map(|step| {
        let (file, line) = &graph[&step[0]][&step[1]];
        let file = std::fs::canonicalize(file).unwrap_or_else(|_| file.clone());
        let file = file.strip_prefix(&root).unwrap_or(&file);
        format!("\n    {} refers to {} in {}:{line}", step[0], step[1], file.display())
    });
    Some(format!("{}{}", path.join(" > "), steps.collect::<String>()))
}

/// Returns the cycles of a package's targets.
fn cycles(package: &Package) -> Vec<String> {
    let targets = package.targets.iter().filter(|target| !target.is_custom_build());
    let found = targets.filter_map(|target| {
        let cycle = described(&graph(target.src_path.as_std_path()))?;
        Some(format!("{} ({}): {cycle}", package.name, target.name))
    });
    found.collect()
}

#[test]
fn module_graphs_are_acyclic() {
    let metadata = metadata();
    let packages = metadata.workspace_packages();
    assert!(packages.len() > 30, "too few packages");
    let wrong: Vec<String> = packages.into_iter().flat_map(cycles).collect();
    assert_none(&wrong);
}

#[test]
fn module_cycle_is_found_with_its_references() {
    let root = "mod a;\nmod b;\nmod c;\npub use c::Item;\n";
    let of = |module: &str, text: &str| {
        (PathBuf::from(format!("{module}.rs")), vec![module.to_owned()], text.to_owned())
    };
    let graph =
        |a: &str, b: &str, c: &str| graph_of(root, vec![of("a", a), of("b", b), of("c", c)]);
    let acyclic = graph("use crate::b::B;\nuse crate::Item;", "use crate::c::C;", "");
    assert_eq!(described(&acyclic), None);
    let through_the_root = graph("use crate::b::B;", "\nuse crate::Item;", "use super::a::A;");
    let expected = "a > b > c > a\n    a refers to b in a.rs:1\n    b refers to c in b.rs:2\n    \
                    c refers to a in c.rs:1";
    assert_eq!(described(&through_the_root).as_deref(), Some(expected));
    let by_a_link = graph("/// [`crate::b::B`]", "use crate::a::A;", "");
    assert!(described(&by_a_link).is_some());
}
