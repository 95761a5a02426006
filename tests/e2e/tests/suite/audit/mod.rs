//! The cosigner's audit log and its daily signatures.

mod log;
mod seals;

use platform::items::Item;

/// The text of an attribute; empty when there is none.
fn text<'a>(item: &'a Item, name: &str) -> &'a str {
    item.get(name).and_then(|value| value.as_s().ok()).map_or("", String::as_str)
}
