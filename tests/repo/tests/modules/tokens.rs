//! Splits a source text into the tokens that form paths.

/// A token that matters for paths or for the nesting of modules.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Token {
    /// A name or a keyword.
    Word(String),
    /// `::`.
    Colons,
    /// Any other character.
    Sign(char),
    /// The text of one line of a doc comment.
    Doc(String),
}

/// Returns the tokens of a text, each with its line. Comments and literals are skipped. Doc
/// comments are kept, because their links name modules.
pub(super) fn tokens(text: &str) -> Vec<(Token, usize)> {
    let mut reader = Reader { rest: text, line: 1, found: Vec::new() };
    while reader.step() {}
    reader.found
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
    found: Vec<(Token, usize)>,
}

impl Reader<'_> {
    /// Skips this many bytes.
    fn skip(&mut self, bytes: usize) {
        let (passed, rest) = self.rest.split_at(bytes);
        self.line += passed.matches('\n').count();
        self.rest = rest;
    }

    fn push(&mut self, token: Token, bytes: usize) {
        self.found.push((token, self.line));
        self.skip(bytes);
    }

    fn step(&mut self) -> bool {
        let Some(first) = self.rest.chars().next() else { return false };
        if let Some(comment) = self.rest.strip_prefix("//") {
            let comment = comment.lines().next().unwrap_or_default();
            match comment.strip_prefix(['/', '!']) {
                Some(doc) => self.push(Token::Doc(doc.to_owned()), 2 + comment.len()),
                None => self.skip(2 + comment.len()),
            }
        } else if self.rest.starts_with("/*") {
            self.skip(block_comment(self.rest));
        } else if let Some(bytes) = literal(self.rest) {
            self.skip(bytes);
        } else if first == '_' || first.is_alphabetic() {
            let raw = usize::from(self.rest.starts_with("r#")) * 2;
            let word = &self.rest[raw..];
            let end = word.find(|it: char| it != '_' && !it.is_alphanumeric());
            let end = raw + end.unwrap_or(word.len());
            self.push(Token::Word(self.rest[raw..end].to_owned()), end);
        } else if self.rest.starts_with("::") {
            self.push(Token::Colons, 2);
        } else if first.is_whitespace() {
            self.skip(first.len_utf8());
        } else {
            self.push(Token::Sign(first), first.len_utf8());
        }
        true
    }
}

/// Returns the length of a block comment, including nested comments.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    loop {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
        } else {
            let Some(letter) = rest.chars().next() else { return at };
            at += letter.len_utf8();
        }
        if depth == 0 {
            return at;
        }
    }
}

/// Returns the length of the literal at the start of a text: a string, a raw string or a character.
fn literal(text: &str) -> Option<usize> {
    let prefix = ["br", "cr", "b", "c", "r"].into_iter().find(|prefix| {
        text.strip_prefix(prefix).is_some_and(|rest| {
            rest.starts_with('"')
                || prefix.ends_with('r') && rest.starts_with("#\"")
                || prefix.ends_with('r') && rest.starts_with("##")
                || *prefix == "b" && rest.starts_with('\'')
        })
    });
    let start = prefix.map_or(0, str::len);
    let body = &text[start..];
    if prefix.is_some_and(|prefix| prefix.ends_with('r')) {
        let hashes = body.len() - body.trim_start_matches('#').len();
        let end = format!("\"{}", "#".repeat(hashes));
        let found = body[hashes + 1..].find(&end)?;
        return Some(start + hashes + 1 + found + end.len());
    }
    if let Some(inner) = body.strip_prefix('"') {
        return Some(start + 1 + unescaped(inner, '"')?);
    }
    // A character, not a lifetime.
    let inner = body.strip_prefix('\'')?;
    let mut letters = inner.chars();
    let first = letters.next()?;
    let is_character = first == '\\' || letters.next() == Some('\'');
    is_character.then(|| unescaped(inner, '\'').map(|end| start + 1 + end))?
}

/// Returns the position after the closing quote of a literal.
fn unescaped(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, letter) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if letter == '\\' {
            escaped = true;
        } else if letter == quote {
            return Some(at + quote.len_utf8());
        }
    }
    None
}

#[test]
fn paths_in_comments_and_literals_are_ignored() {
    let text = r##"
// crate::a
/* crate::b /* crate::c */ crate::d */
let x = ("crate::e \" crate::f", r#"crate::"g"#, b"crate::h", '"', 'a', b'\'', '\u{1F}');
/// See [`crate::i`].
fn r#mod<'a>() -> crate::j::K<'a> {}
"##;
    let found = tokens(text);
    let words: Vec<&str> = found
        .iter()
        .filter_map(|(token, _)| match token {
            Token::Word(word) => Some(word.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(words, ["let", "x", "fn", "mod", "a", "crate", "j", "K", "a"]);
    assert!(found.contains(&(Token::Doc(" See [`crate::i`].".to_owned()), 5)), "{found:?}");
    assert_eq!(found.last(), Some(&(Token::Sign('}'), 6)));
}
