//! Checks that every test named in a document exists.

use template::{read, sources};

/// Returns the tests that a text names in backticks, as `file::name` or `folder::file::name`.
/// `file::` names a whole file.
fn named_tests(text: &str) -> Vec<(String, String)> {
    let quoted = text.split('`').skip(1).step_by(2);
    // Blocks of code have no test names.
    let names = quoted.filter(|quoted| !quoted.contains('\n'));
    let names = names.filter_map(|quoted| quoted.rsplit_once("::"));
    let tests = names.filter(|(_, name)| !name.is_empty());
    tests.map(|(file, name)| (file.replace("::", "/"), name.to_owned())).collect()
}

/// Returns true if a file of this name has a test of this name.
fn exists(all: &[(String, String)], (file, name): &(String, String)) -> bool {
    all.iter().any(|(path, text)| {
        let mut ends = ["", "/mod", "/main"].iter();
        let of = ends.any(|end| path.ends_with(&format!("/{file}{end}.rs")));
        let Some((before, _)) = text.split_once(&format!("fn {name}(")) else { return false };
        let before = before.trim_end().trim_end_matches("async").trim_end();
        let attribute = before.lines().next_back().unwrap_or_default();
        let is_test = attribute.contains("#[test]") || attribute.contains("#[tokio::test");
        of && is_test
    })
}

fn all() -> Vec<(String, String)> {
    ["tests", "functions", "infra", "shared"].into_iter().flat_map(sources).collect()
}

#[test]
fn tests_named_in_documents_exist() {
    let all = all();
    let documents = [
        ("docs/security/threat-model.md", 25),
        ("docs/security/hostile-input.md", 15),
        ("docs/security/protocol-deviations.md", 15),
        ("docs/concepts/reliability.md", 40),
    ];
    for (document, least) in documents {
        let named_tests = named_tests(&read(document));
        assert!(named_tests.len() >= least, "too few test names: {named_tests:?}");
        let missing: Vec<_> = named_tests.iter().filter(|name| !exists(&all, name)).collect();
        assert!(missing.is_empty(), "{document}: {missing:?}");
    }
}

#[test]
fn missing_test_in_a_document_is_found() {
    let all = all();
    let of = |file: &str, name: &str| exists(&all, &(file.to_owned(), name.to_owned()));
    assert!(of("custody/attacks", "intents_against_the_policy_are_refused"));
    assert!(!of("custody/attacks", "intents_against_the_policy_are_refuse"));
    assert!(!of("custody/protocol", "intents_against_the_policy_are_refused"));
    // A function that is not a test.
    assert!(!of("custody/drills", "backup"));
}
