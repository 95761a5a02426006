//! Decision records have consecutive numbers and one form, and the index lists each of them.

use template::{assert_none, read, repository};

const FOLDER: &str = "docs/decisions";
const HEADINGS: [&str; 3] = ["## Context", "## Decision", "## Consequences"];

/// Returns the filenames of the records, in order.
fn records() -> Vec<String> {
    let entries = std::fs::read_dir(repository(FOLDER)).unwrap().map(Result::unwrap);
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name != "README.md").collect();
    names.sort();
    assert!(names.len() > 40, "the folder was read: {names:?}");
    names
}

/// Returns the faults of one record, given its number and the index.
fn faults(number: usize, name: &str, text: &str, index: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut expect = |holds: bool, fault: &str| {
        if !holds {
            faults.push(format!("{name}: {fault}"));
        }
    };
    expect(name.starts_with(&format!("{number:04}-")), "the number is not the next one");
    let lines: Vec<&str> = text.lines().collect();
    let title = lines[0].strip_prefix(&format!("# {number:04}. ")).unwrap_or_default();
    expect(!title.is_empty(), "the title does not begin with the number");
    let status = lines.iter().find_map(|line| line.strip_prefix("- Status: ")).unwrap_or_default();
    let superseded = status.strip_prefix("Superseded by [").is_some();
    expect(superseded || status.starts_with("Accepted"), "the status is unknown");
    let date = lines.iter().find_map(|line| line.strip_prefix("- Date: ")).unwrap_or_default();
    let is_date = date.len() == 10 && date.chars().all(|it| it.is_ascii_digit() || it == '-');
    expect(is_date, "the date is missing");
    let headings: Vec<&str> =
        lines.iter().filter(|line| line.starts_with("## ")).copied().collect();
    expect(headings == HEADINGS, "the headings differ");
    let row = format!("| {number:04} | [{title}]({name}) | {date} | ");
    let row = index.lines().find_map(|line| line.strip_prefix(&row));
    let listed = row.unwrap_or_default();
    let word = status.split([' ', '.', ',']).next().unwrap_or_default();
    expect(!word.is_empty() && listed.starts_with(word), "the index has another title or status");
    faults
}

#[test]
fn decision_records_have_one_form_and_are_indexed() {
    let index = read(&format!("{FOLDER}/README.md"));
    let records = records();
    let all = records.iter().enumerate().flat_map(|(before, name)| {
        faults(before + 1, name, &read(&format!("{FOLDER}/{name}")), &index)
    });
    assert_none(&all.collect::<Vec<_>>());
}

#[test]
fn decision_record_without_context_is_found() {
    let text = "# 0007. A title\n\n- Status: Accepted\n- Date: 2026-11-29\n\n## Context\n\n## Decision\n\n## Consequences\n";
    let index = "| 0007 | [A title](0007-a.md) | 2026-11-29 | Accepted |";
    assert_none(&faults(7, "0007-a.md", text, index));
    let count = |number, text: &str, index| faults(number, "0007-a.md", text, index).len();
    assert_eq!(count(7, &text.replace("## Context\n", ""), index), 1);
    assert_eq!(count(7, &text.replace("Accepted", "Open"), index), 2);
    assert_eq!(count(7, text, ""), 1);
    assert!(count(8, text, index) > 1);
}
