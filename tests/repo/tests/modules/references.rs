//! Finds the paths of a source file that start with `crate`, `self` or `super`, and the modules
//! that they lead to.

use super::tokens::{Token, tokens};

/// A path from the crate's root, as it occurs in a file.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Reference {
    /// The module that contains the path, from the crate's root.
    pub(super) from: Vec<String>,
    /// The target of the path, from the crate's root.
    pub(super) to: Vec<String>,
    /// The line of the path.
    pub(super) line: usize,
}

/// Returns every reference in a file of this module.
pub(super) fn references(text: &str, module: &[String]) -> Vec<Reference> {
    let mut reader = Reader { tokens: tokens(text), found: Vec::new(), module: module.to_vec() };
    reader.read();
    reader.found
}

/// Returns the names that a crate's root imports, each with the path that it names. So
/// `crate::Name` counts as a reference to the module that the root imports `Name` from.
pub(super) fn imports(root: &str) -> Vec<(String, Vec<String>)> {
    let tokens = tokens(root);
    let (mut depth, mut at, mut found) = (0_i32, 0, Vec::new());
    while at < tokens.len() {
        match &tokens[at].0 {
            Token::Sign('{') => depth += 1,
            Token::Sign('}') => depth -= 1,
            Token::Word(word) if word == "use" && depth == 0 => {
                let mut leaves = Vec::new();
                at = tree(&tokens, at + 1, &[], &mut leaves);
                for mut leaf in leaves {
                    let name = leaf.alias.or_else(|| leaf.path.last().cloned());
                    leaf.path.retain(|word| word != "crate" && word != "self");
                    found.extend(name.map(|name| (name, leaf.path)));
                }
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Returns the modules that a crate's root declares in separate files.
pub(super) fn declared(root: &str) -> Vec<String> {
    let tokens = tokens(root);
    let triples = tokens.windows(3).filter_map(|three| match three {
        [(Token::Word(keyword), _), (Token::Word(name), _), (Token::Sign(';'), _)]
            if keyword == "mod" =>
        {
            Some(name.clone())
        }
        _ => None,
    });
    triples.collect()
}

/// One name in a tree of imports.
struct Leaf {
    path: Vec<String>,
    alias: Option<String>,
    line: usize,
}

/// Reads the path or the tree of paths at a token. Returns the index of the token after it.
fn tree(
    tokens: &[(Token, usize)],
    mut at: usize,
    prefix: &[String],
    leaves: &mut Vec<Leaf>,
) -> usize {
    let mut path = prefix.to_vec();
    let line = tokens.get(at).map_or(0, |(_, line)| *line);
    loop {
        match tokens.get(at).map(|(token, _)| token) {
            Some(Token::Word(word)) => {
                // `a::{self}` means `a`.
                if word != "self" || path.is_empty() {
                    path.push(word.clone());
                }
                at += 1;
            }
            Some(Token::Sign('{')) => {
                at += 1;
                while tokens.get(at).is_some_and(|(token, _)| *token != Token::Sign('}')) {
                    let next = tree(tokens, at, &path, leaves);
                    // A comma, or a token that does not belong to a tree.
                    let is_comma = tokens.get(next).map(|(it, _)| it) == Some(&Token::Sign(','));
                    at = if is_comma || next == at { next + 1 } else { next };
                }
                return at + 1;
            }
            Some(Token::Sign('*')) => {
                path.push("*".to_owned());
                at += 1;
            }
            _ => {}
        }
        if tokens.get(at).map(|(token, _)| token) != Some(&Token::Colons) {
            break;
        }
        at += 1;
        // The path ends at the arguments of a type.
        if tokens.get(at).map(|(token, _)| token) == Some(&Token::Sign('<')) {
            break;
        }
    }
    let mut alias = None;
    if let Some([(Token::Word(keyword), _), (Token::Word(name), _)]) = tokens.get(at..at + 2)
        && keyword == "as"
    {
        alias = Some(name.clone());
        at += 2;
    }
    leaves.push(Leaf { path, alias, line });
    at
}

struct Reader {
    tokens: Vec<(Token, usize)>,
    found: Vec<Reference>,
    /// The module of the file, and then the inline modules around the current token.
    module: Vec<String>,
}

impl Reader {
    fn read(&mut self) {
        // The brace depths at which inline modules start.
        let (mut depth, mut open, mut at) = (0_i32, Vec::new(), 0);
        while at < self.tokens.len() {
            match self.tokens[at].0.clone() {
                Token::Sign('{') => depth += 1,
                Token::Sign('}') => {
                    depth -= 1;
                    if open.last() == Some(&depth) {
                        open.pop();
                        self.module.pop();
                    }
                }
                Token::Doc(text) => self.doc(&text, self.tokens[at].1),
                Token::Word(word) if word == "mod" => {
                    if let Some([(Token::Word(name), _), (Token::Sign('{'), _)]) =
                        self.tokens.get(at + 1..at + 3)
                    {
                        self.module.push(name.clone());
                        open.push(depth);
                    }
                }
                Token::Word(word) if self.starts_path(&word, at) => {
                    let mut leaves = Vec::new();
                    at = tree(&self.tokens, at, &[], &mut leaves);
                    for leaf in leaves {
                        self.record(&leaf.path, leaf.line);
                    }
                    continue;
                }
                _ => {}
            }
            at += 1;
        }
    }

    /// Returns true if a word starts a path through the crate.
    fn starts_path(&self, word: &str, at: usize) -> bool {
        let has_colons = self.tokens.get(at + 1).map(|(token, _)| token) == Some(&Token::Colons);
        let is_continued = at > 0 && self.tokens[at - 1].0 == Token::Colons;
        ["crate", "self", "super"].contains(&word) && has_colons && !is_continued
    }

    /// Records the paths in a line of a doc comment.
    fn doc(&mut self, text: &str, line: usize) {
        for keyword in ["crate::", "super::"] {
            for (at, _) in text.match_indices(keyword) {
                let before = text[..at].chars().next_back();
                if before.is_some_and(|it| it == ':' || it == '_' || it.is_alphanumeric()) {
                    continue;
                }
                let path = &text[at..];
                let end = path.find(|it: char| it != ':' && it != '_' && !it.is_alphanumeric());
                let words = path[..end.unwrap_or(path.len())].split("::");
                let words: Vec<String> =
                    words.filter(|word| !word.is_empty()).map(ToOwned::to_owned).collect();
                self.record(&words, line);
            }
        }
    }

    fn record(&mut self, path: &[String], line: usize) {
        let mut to = self.module.clone();
        for word in path {
            match word.as_str() {
                "crate" => to.clear(),
                "self" => {}
                "super" => {
                    to.pop();
                }
                _ => to.push(word.clone()),
            }
        }
        self.found.push(Reference { from: self.module.clone(), to, line });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, module: &[&str]) -> Vec<String> {
        let module: Vec<String> = module.iter().map(|name| (*name).to_owned()).collect();
        let all = references(text, &module).into_iter();
        all.map(|it| format!("{}: {} > {}", it.line, it.from.join("::"), it.to.join("::")))
            .collect()
    }

    #[test]
    fn module_reference_forms_are_found() {
        let text = "
use crate::store::{self, Store as S, records::{Record, Head}};
use super::{wallets, sign::*};
/// Like [`crate::api::Caller`], not `subcrate::x`.
fn f(x: &crate::clock::Clock) -> Vec<crate::ids::Id> { crate::random::Random::<u8>::new() }
pub(crate) fn g() { $crate::log::line!() }
mod inner {
    use super::super::deep::Deep;
    mod more { use super::near::Near; }
}
use self::own::Own;
";
        let expected = [
            "2: a > store",
            "2: a > store::Store",
            "2: a > store::records::Record",
            "2: a > store::records::Head",
            "3: a > wallets",
            "3: a > sign::*",
            "4: a > api::Caller",
            "5: a > clock::Clock",
            "5: a > ids::Id",
            "5: a > random::Random",
            "6: a > log::line",
            "8: a::inner > deep::Deep",
            "9: a::inner::more > a::inner::near::Near",
            "11: a > a::own::Own",
        ];
        assert_eq!(found(text, &["a"]), expected);
        assert_eq!(found("use super::x::Y;", &["a", "b"]), ["1: a::b > a::x::Y"]);
    }

    #[test]
    fn imports_of_the_root_resolve_to_modules() {
        let root = "
mod a;
pub mod b;
mod c { fn inline() {} }
pub use a::{One, deep::Two as Second};
use crate::b::Three;
fn f() { use b::NotOfTheRoot; }
";
        let name = |name: &str, path: &[&str]| {
            (name.to_owned(), path.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
        };
        let expected = [
            name("One", &["a", "One"]),
            name("Second", &["a", "deep", "Two"]),
            name("Three", &["b", "Three"]),
        ];
        assert_eq!(imports(root), expected);
        assert_eq!(declared(root), ["a", "b"]);
    }
}
