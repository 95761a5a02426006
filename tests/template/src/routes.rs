//! Reads the routes from the functions' sources, so that tests cover every route.

use std::collections::BTreeSet;

use domain::ids::Exchange;

use crate::{folders, package, sources};

/// A method on a path, served by a function.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Route {
    /// The name of the function's package.
    pub package: String,
    /// The method in capitals.
    pub method: String,
    /// The path, with parameters in braces.
    pub path: String,
}

impl Route {
    /// Returns the route as text for messages.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} {} of {}", self.method, self.path, self.package)
    }
}

/// Returns the routes in a source text: `.route("/path", get(handler).post(handler))`, and
/// `routes("rest", get(handler))`, which means every exchange.
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
        assert!(!methods.is_empty(), "no method found in {handlers}");
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

/// Returns the routes of every function's source.
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
