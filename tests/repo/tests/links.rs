//! Checks that links between documents resolve and that the summary has each page.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use template::{read, repository};

/// Returns the paths of all Markdown files of the repository.
fn pages() -> Vec<String> {
    let mut pages = Vec::new();
    collect("", &mut pages);
    assert!(pages.len() > 50, "too few pages: {}", pages.len());
    pages
}

fn collect(folder: &str, pages: &mut Vec<String>) {
    for entry in std::fs::read_dir(repository(folder)).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        // Skips generated files, and hidden folders except GitHub's.
        let built = ["target", "node_modules", "book"].contains(&name.as_str());
        let hidden = name.starts_with('.') && name != ".github";
        if entry.file_type().unwrap().is_dir() {
            if !built && !hidden {
                collect(&path, pages);
            }
        } else if name.ends_with(".md") {
            pages.push(path);
        }
    }
}

/// Returns the lines of a text that are not code, without code between backticks.
fn prose(text: &str) -> Vec<String> {
    let mut in_code = false;
    let lines = text.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        in_code ^= is_fence;
        !in_code && !is_fence
    });
    lines.map(|line| line.split('`').step_by(2).collect()).collect()
}

/// Returns the anchors of a page's headings, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut in_code = false;
    let mut anchors = BTreeSet::new();
    for line in text.lines() {
        in_code ^= line.starts_with("```");
        let heading = line.trim_start_matches('#');
        if in_code || heading == line || !heading.starts_with(' ') {
            continue;
        }
        let kept = heading.trim().chars().filter(|it| it.is_alphanumeric() || "-_ ".contains(*it));
        let anchor = kept.collect::<String>().to_lowercase().replace(' ', "-");
        let repeated = (1..).map(|number| format!("{anchor}-{number}"));
        let free = std::iter::once(anchor.clone()).chain(repeated).find(|it| !anchors.contains(it));
        anchors.extend(free);
    }
    anchors
}

/// Returns the targets of a page's links that are not URLs.
fn targets(text: &str) -> Vec<String> {
    let lines = prose(text);
    let links = lines.iter().flat_map(|line| line.split("](").skip(1));
    let targets = links.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    let is_url = |target: &&str| target.contains("://") || target.starts_with("mailto:");
    targets.filter(|target| !is_url(target)).map(str::to_owned).collect()
}

/// Returns the path that a link of a page leads to, from the repository's root.
fn resolved(page: &str, target: &str) -> String {
    let mut path = PathBuf::from(page);
    path.pop();
    for part in Path::new(target).components() {
        match part {
            Component::ParentDir => assert!(path.pop(), "{page}: {target} leaves the repository"),
            Component::Normal(name) => path.push(name),
            _ => {}
        }
    }
    path.to_str().unwrap().to_owned()
}

/// Returns the faults of a page's links.
fn broken(page: &str, text: &str) -> Vec<String> {
    let fault = |target: &String| {
        let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
        let path = if path.is_empty() { page.to_owned() } else { resolved(page, path) };
        if !repository(&path).exists() {
            return Some(format!("{page}: {target} does not exist"));
        }
        let is_page = Path::new(&path).extension().is_some_and(|extension| extension == "md");
        let is_there = anchor.is_empty() || !is_page || anchors(&read(&path)).contains(anchor);
        (!is_there).then(|| format!("{page}: {target} has no such heading"))
    };
    targets(text).iter().filter_map(fault).collect()
}

#[test]
fn document_links_resolve() {
    let faults: Vec<String> = pages().iter().flat_map(|page| broken(page, &read(page))).collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn broken_link_is_found() {
    let of = |text: &str| broken("docs/faq.md", text).len();
    assert_eq!(of("[a](reference/api.md) [b](../README.md#quickstart) `[c](none.md)`"), 0);
    assert_eq!(of("[a](none.md) [b](../README.md#none) [c](#none)"), 3);
}

#[test]
fn pages_are_listed_in_the_summary() {
    let summary = targets(&read("docs/SUMMARY.md"));
    let listed: BTreeSet<String> =
        summary.iter().map(|target| resolved("docs/SUMMARY.md", target)).collect();
    let pages = pages();
    let missing: Vec<&String> = pages
        .iter()
        .filter(|page| page.starts_with("docs/") && *page != "docs/SUMMARY.md")
        .filter(|page| !listed.contains(*page))
        .collect();
    assert!(missing.is_empty(), "{missing:#?}");
}
