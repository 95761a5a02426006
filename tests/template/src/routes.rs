//! The routes that stand in the functions' sources, read from there, so that a test that walks them
//! has every one.

use std::collections::BTreeSet;

use domain::ids::Exchange;

use crate::{folders, package, sources};

/// A method on a path, of a function.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Route {
    /// The name of its package.
    pub package: String,
    /// In capitals.
    pub method: String,
    /// With its parameters in braces.
    pub path: String,
}

impl Route {
    /// As a failure shows it.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} {} of {}", self.method, self.path, self.package)
    }
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
        let package = package(&folder);
        for (file, text) in sources(&format!("functions/{folder}/src")) {
            assert!(!text.contains(".nest(") && !text.contains("route_service("), "{file}");
            routes.extend(in_text(&text).into_iter().map(|(method, path)| Route {
                package: package.clone(),
                method,
                path,
            }));
        }
    }
    routes
}
