//! Tests the cosigner's audit log and its daily seals.

mod log;
mod seals;

use platform::items::Item;

/// Returns the text of an attribute, or an empty string without the attribute.
fn text<'a>(item: &'a Item, name: &str) -> &'a str {
    item.get(name).and_then(|value| value.as_s().ok()).map_or("", String::as_str)
}
