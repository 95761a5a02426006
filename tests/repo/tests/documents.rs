//! Documents that name tests: each of these tests is there.

use template::{read, sources};

/// The tests that a text names, as `file::name` or `folder::file::name` between backticks. `file::`
/// is all of a file.
fn named(text: &str) -> Vec<(String, String)> {
    let quoted = text.split('`').skip(1).step_by(2);
    let names = quoted.filter_map(|quoted| quoted.rsplit_once("::"));
    let tests = names.filter(|(_, name)| !name.is_empty());
    tests.map(|(file, name)| (file.replace("::", "/"), name.to_owned())).collect()
}

/// Whether a file of this name has a test of this name.
fn is_there(all: &[(String, String)], (file, name): &(String, String)) -> bool {
    all.iter().any(|(path, text)| {
        let of =
            path.ends_with(&format!("/{file}.rs")) || path.ends_with(&format!("/{file}/mod.rs"));
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
        ("docs/concepts/reliability.md", 40),
    ];
    for (document, least) in documents {
        let named = named(&read(document));
        assert!(named.len() >= least, "the names were read: {named:?}");
        let missing: Vec<_> = named.iter().filter(|name| !is_there(&all, name)).collect();
        assert!(missing.is_empty(), "{document}: {missing:?}");
    }
}

#[test]
fn missing_test_in_a_document_is_found() {
    let all = all();
    let of = |file: &str, name: &str| is_there(&all, &(file.to_owned(), name.to_owned()));
    assert!(of("custody/attacks", "intents_against_the_policy_are_refused"));
    assert!(!of("custody/attacks", "no_bent_intent_is_sign"));
    assert!(!of("custody/protocol", "intents_against_the_policy_are_refused"));
    // A function that is no test.
    assert!(!of("custody/drills", "backup"));
}
