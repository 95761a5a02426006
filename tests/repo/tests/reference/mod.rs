//! Generates the reference pages from the code and the templates, and checks that the committed
//! pages are current.

mod cli;
mod configuration;
mod errors;
mod meanings;
mod variables;

use std::fmt::Write as _;

use template::{assert_none, read, repository};

/// Returns the path and the text of each generated page.
fn pages() -> [(&'static str, String); 3] {
    [
        ("docs/reference/configuration.md", configuration::page()),
        ("docs/reference/cli.md", cli::page()),
        ("docs/reference/errors.md", errors::page()),
    ]
}

/// A Markdown table. A `|` in a cell is escaped.
struct Table(String);

impl Table {
    fn new(columns: &[&str]) -> Self {
        let mut table = Self(String::new());
        table.row(columns);
        table.row(&vec!["---"; columns.len()]);
        table
    }

    fn row<T: AsRef<str>>(&mut self, cells: &[T]) {
        let cells = cells.iter().map(|cell| cell.as_ref().replace('|', "\\|"));
        writeln!(self.0, "| {} |", cells.collect::<Vec<_>>().join(" | ")).unwrap();
    }
}

/// Returns the text as code. Two backticks enclose a text that has single ones.
fn code(text: &str) -> String {
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}

/// Wraps a paragraph at 120 columns.
fn wrapped(paragraph: &str) -> String {
    let mut lines = vec![String::new()];
    for word in paragraph.split_whitespace() {
        let line = lines.last_mut().unwrap();
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= 120 {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines.join("\n")
}

/// `cargo xtask reference` sets `WRITE_REFERENCE`, which rewrites the pages.
#[test]
fn reference_pages_are_current() {
    let mut outdated = Vec::new();
    for (path, text) in pages() {
        if std::env::var_os("WRITE_REFERENCE").is_some() {
            std::fs::write(repository(path), &text).unwrap();
        }
        if !repository(path).exists() || read(path) != text {
            outdated.push(format!("{path} is not current; run: cargo xtask reference"));
        }
    }
    assert_none(&outdated);
}

#[test]
fn table_cells_are_escaped() {
    let mut table = Table::new(&["a", "b"]);
    table.row(&["x|y", ""]);
    table.row(&["", "z"]);
    assert_eq!(table.0, "| a | b |\n| --- | --- |\n| x\\|y |  |\n|  | z |\n");
}
