//! The routes that stand in the functions' sources, read from there, so that a test that walks them
//! has every one.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so and ends")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use domain::ids::Exchange;

/// A method on a path, of a function's folder.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Route {
    /// The folder.
    pub folder: String,
    /// In capitals.
    pub method: String,
    /// With its parameters in braces.
    pub path: String,
}

impl Route {
    /// As a failure shows it.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} {} of {}", self.method, self.path, self.folder)
    }
}

fn functions() -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../functions")).to_owned()
}

fn folders() -> Vec<String> {
    let entries = std::fs::read_dir(functions()).unwrap().map(Result::unwrap);
    let folders = entries.filter(|entry| entry.file_type().unwrap().is_dir());
    folders.map(|folder| folder.file_name().into_string().unwrap()).collect()
}

/// The text of each Rust file below a folder.
#[must_use]
pub fn sources(folder: &Path) -> Vec<String> {
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            texts.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            texts.push(std::fs::read_to_string(&path).unwrap());
        }
    }
    texts
}

/// The routes that a source text makes: `.route("/path", get(handler).post(handler))`, and
/// `routes("rest", get(handler))`, which stands for every exchange.
#[must_use]
pub fn in_text(text: &str) -> Vec<(String, String)> {
    const METHODS: [&str; 6] = ["get", "post", "put", "delete", "patch", "any"];
    let mut routes = Vec::new();
    let single = text.split(".route(").skip(1).map(|call| (call, false));
    let every = text.split(" routes(").skip(1).map(|call| (call, true));
    for (call, every) in single.chain(every) {
        let (path, rest) = call.trim_start().strip_prefix('"').unwrap().split_once('"').unwrap();
        let mut depth = 1;
        let end = rest.find(|letter| {
            depth += i32::from(letter == '(') - i32::from(letter == ')');
            depth == 0
        });
        let handlers = &rest[..end.unwrap()];
        let words = handlers
            .split('(')
            .filter_map(|before| before.rsplit([' ', ',', '.', '&', '\n']).next());
        let methods: Vec<&str> = words.filter(|word| METHODS.contains(word)).collect();
        assert!(!methods.is_empty(), "no method is read from {handlers}");
        let paths = if every {
            let names = Exchange::ALL.iter().map(|exchange| exchange.as_str());
            names.chain(["{exchange}"]).map(|name| format!("/api/trading/{name}/{path}")).collect()
        } else {
            vec![path.to_owned()]
        };
        for path in paths {
            routes.extend(methods.iter().map(|method| (method.to_uppercase(), path.clone())));
        }
    }
    routes
}

/// The routes of every function's source.
#[must_use]
pub fn in_code() -> BTreeSet<Route> {
    let mut routes = BTreeSet::new();
    for folder in folders() {
        for text in sources(&functions().join(&folder).join("src")) {
            assert!(!text.contains(".nest(") && !text.contains("route_service("), "{folder}");
            routes.extend(in_text(&text).into_iter().map(|(method, path)| Route {
                folder: folder.clone(),
                method,
                path,
            }));
        }
    }
    routes
}
