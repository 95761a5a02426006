//! The text of the document.

use serde_json::Value;

use crate::document;

/// Returns the text of the document, as committed and served.
///
/// # Errors
/// Never fails for a document of [`document`].
pub fn text() -> Result<String, serde_json::Error> {
    let mut document = serde_json::to_value(document())?;
    for operation in document["paths"].as_object_mut().into_iter().flat_map(|paths| {
        let items = paths.values_mut().filter_map(|item| item.as_object_mut());
        items.flat_map(|item| item.values_mut())
    }) {
        sort_extensions(operation);
    }
    serde_json::to_string_pretty(&document).map(|text| text + "\n")
}

/// Moves the extensions of an operation to its end, in the order of their names. The builder keeps
/// them in a map whose order differs between runs.
fn sort_extensions(operation: &mut Value) {
    let Some(operation) = operation.as_object_mut() else { return };
    let mut names: Vec<String> =
        operation.keys().filter(|name| name.starts_with("x-")).cloned().collect();
    names.sort();
    for name in names {
        if let Some(value) = operation.shift_remove(&name) {
            operation.insert(name, value);
        }
    }
}
