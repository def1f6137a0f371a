//! What a source file speaks of: every path in it, with the names that its `use`s bring in written
//! out. No compiler, only tokens; a name that a macro makes up is not seen.

use std::collections::BTreeMap;

/// A path as the file has it, written out from its crate on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spoken {
    /// `crate::clock::now`
    pub path: Vec<String>,
    /// Everything below it is in scope: a glob, or a whole crate under a name of its own.
    pub is_whole: bool,
}

impl Spoken {
    /// Whether it leads to the edge, or brings it into scope with others.
    pub fn reaches(&self, edge: &str) -> bool {
        let edge: Vec<&str> = edge.split("::").collect();
        let n = edge.len().min(self.path.len());
        let is_same = self.path[..n].iter().eq(&edge[..n]);
        is_same && (self.path.len() >= edge.len() || self.is_whole)
    }
}

/// Every path outside tests. `module` is the file's own: `["crate", "policy", "plan"]`.
pub fn paths(text: &str, module: &[&str]) -> Vec<Spoken> {
    let tokens = without_tests(&tokens(text));
    let mut found = Vec::new();
    let mut names = BTreeMap::new();
    let mut inline = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token.as_str() {
            // `impl Trait + use<'a>` imports nothing.
            "use" if tokens.get(at + 1).is_some_and(|next| next == "<") => at += 1,
            "use" => {
                at += 1;
                tree(&tokens, &mut at, Vec::new(), &mut |leaf, name| {
                    let path = absolute(leaf, module);
                    let is_root = path.len() == 1;
                    let is_glob = name == "*";
                    names.insert(name, path.clone());
                    found.push(Spoken {
                        path,
                        is_whole: is_glob || is_root,
                    });
                });
            }
            "extern" if tokens.get(at + 1).is_some_and(|next| next == "crate") => {
                found.extend(tokens.get(at + 2).map(|name| Spoken {
                    path: vec![name.clone()],
                    is_whole: true,
                }));
                at += 3;
            }
            _ if is_name(token) => inline.push(path_at(&tokens, &mut at)),
            _ => at += 1,
        }
    }
    for path in inline {
        // What stands alone is a name of the file's own, or was seen where it was brought in.
        if path.len() < 2 {
            continue;
        }
        let path = match names.get(&path[0]) {
            Some(whole) => whole.iter().chain(&path[1..]).cloned().collect(),
            None => absolute(path, module),
        };
        found.push(Spoken {
            path,
            is_whole: false,
        });
    }
    found.sort();
    found.dedup();
    found
}

/// One branch of a `use`, to its end; calls `leaf` with each path and the name that it gets.
fn tree(
    tokens: &[String],
    at: &mut usize,
    before: Vec<String>,
    leaf: &mut dyn FnMut(Vec<String>, String),
) {
    let mut path = before;
    while let Some(token) = tokens.get(*at) {
        *at += 1;
        match token.as_str() {
            "::" => {}
            "{" => loop {
                tree(tokens, at, path.clone(), leaf);
                *at += 1;
                if tokens.get(*at - 1).is_none_or(|token| token != ",") {
                    return;
                }
            },
            "*" => return leaf(path, "*".to_owned()),
            "as" => {
                let name = tokens.get(*at).cloned().unwrap_or_default();
                *at += 1;
                return leaf(path, name);
            }
            "," | "}" | ";" => {
                *at -= 1;
                break;
            }
            "self" if !path.is_empty() => {}
            _ => path.push(token.clone()),
        }
    }
    // Behind the last comma of a list there is nothing.
    if let Some(name) = path.last().cloned() {
        leaf(path, name);
    }
}

fn path_at(tokens: &[String], at: &mut usize) -> Vec<String> {
    let mut path = vec![tokens[*at].clone()];
    *at += 1;
    while tokens.get(*at).is_some_and(|token| token == "::")
        && tokens.get(*at + 1).is_some_and(|token| is_name(token))
    {
        path.push(tokens[*at + 1].clone());
        *at += 2;
    }
    path
}

/// `self` and `super` written out.
fn absolute(path: Vec<String>, module: &[&str]) -> Vec<String> {
    let mut base: Vec<String> = module.iter().map(|&name| name.to_owned()).collect();
    let mut rest = path.as_slice();
    match rest.first().map(String::as_str) {
        Some("self") => rest = &rest[1..],
        Some("super") => {
            while let Some(("super", after)) = rest.split_first().map(|(a, b)| (a.as_str(), b)) {
                base.pop();
                rest = after;
            }
        }
        _ => return path,
    }
    base.extend_from_slice(rest);
    base
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Names, `::` and single signs; no comments, no literals.
fn tokens(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let (c, next) = (chars[at], chars.get(at + 1).copied());
        if c == '/' && next == Some('/') {
            at = line_end(&chars, at);
        } else if c == '/' && next == Some('*') {
            at = comment_end(&chars, at);
        } else if c == '"' {
            at = string_end(&chars, at);
        } else if c == '\'' {
            at = quote_end(&chars, at);
        } else if c.is_alphanumeric() || c == '_' {
            let end = (at..chars.len())
                .find(|&i| !(chars[i].is_alphanumeric() || chars[i] == '_'))
                .unwrap_or(chars.len());
            let word: String = chars[at..end].iter().collect();
            at = end;
            let raw = raw_string_end(&chars, end);
            match word.as_str() {
                "r" | "br" | "cr" if raw.is_some() => at = raw.unwrap_or(end),
                // `r#type` is a name.
                "r" if chars.get(end) == Some(&'#') => at += 1,
                "b" | "c" if chars.get(end) == Some(&'"') => at = string_end(&chars, end),
                "b" if chars.get(end) == Some(&'\'') => at = quote_end(&chars, end),
                _ => tokens.push(word),
            }
        } else if c == ':' && next == Some(':') {
            tokens.push("::".to_owned());
            at += 2;
        } else {
            if !c.is_whitespace() {
                tokens.push(c.to_string());
            }
            at += 1;
        }
    }
    tokens
}

fn line_end(chars: &[char], from: usize) -> usize {
    let end = (from..chars.len()).find(|&i| chars[i] == '\n');
    end.unwrap_or(chars.len())
}

/// Comments of this kind nest.
fn comment_end(chars: &[char], from: usize) -> usize {
    let (mut depth, mut at) = (0, from);
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => depth += 1,
            ('*', Some('/')) => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            break;
        }
    }
    at
}

fn string_end(chars: &[char], from: usize) -> usize {
    let mut at = from + 1;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// Behind the `#`s and the quote of a raw string, to its end.
fn raw_string_end(chars: &[char], from: usize) -> Option<usize> {
    let n_hashes = chars[from..].iter().take_while(|&&c| c == '#').count();
    let open = from + n_hashes;
    (chars.get(open) == Some(&'"')).then_some(())?;
    let closes = |&at: &usize| {
        let hashes = chars[at + 1..].iter().take(n_hashes);
        chars[at] == '"' && hashes.filter(|&&c| c == '#').count() == n_hashes
    };
    let close = (open + 1..chars.len()).find(closes)?;
    Some(close + 1 + n_hashes)
}

/// A character, or the sign of a lifetime, which is passed over alone.
fn quote_end(chars: &[char], from: usize) -> usize {
    match (chars.get(from + 1), chars.get(from + 2)) {
        (Some('\\'), _) => {
            let end = (from + 3..chars.len()).find(|&i| chars[i] == '\'');
            end.map_or(chars.len(), |end| end + 1)
        }
        (Some(_), Some('\'')) => from + 3,
        _ => from + 1,
    }
}

/// Without what is compiled for tests only.
fn without_tests(tokens: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let end = attribute_end(tokens, at);
        let Some(end) = end else {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        };
        let attribute: Vec<&str> = tokens[at..end].iter().map(String::as_str).collect();
        let is_for_tests = attribute.starts_with(&["#", "[", "cfg", "(", "test", ")"])
            || attribute.starts_with(&["#", "[", "test", "]"]);
        at = end;
        if is_for_tests {
            while let Some(end) = attribute_end(tokens, at) {
                at = end;
            }
            at = item_end(tokens, at);
        }
    }
    kept
}

/// Behind an attribute that begins here.
fn attribute_end(tokens: &[String], at: usize) -> Option<usize> {
    let is = |i: usize, sign: &str| tokens.get(i).is_some_and(|token| token == sign);
    let open = if is(at, "#") && is(at + 1, "!") {
        at + 2
    } else {
        at + 1
    };
    (is(at, "#") && is(open, "[")).then(|| block_end(tokens, open))
}

/// Behind the bracket that closes the one that begins here.
fn block_end(tokens: &[String], open: usize) -> usize {
    let mut depth = 0;
    for (i, token) in tokens.iter().enumerate().skip(open) {
        match token.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return i + 1;
        }
    }
    tokens.len()
}

/// Behind an item: its block, or its semicolon; a field ends at a comma, or with what it is in.
fn item_end(tokens: &[String], from: usize) -> usize {
    let is_field = tokens.get(from + 1).is_some_and(|token| token == ":");
    let mut at = from;
    while let Some(token) = tokens.get(at) {
        match token.as_str() {
            "{" => return block_end(tokens, at),
            "(" | "[" => at = block_end(tokens, at),
            ";" => return at + 1,
            "," if is_field => return at + 1,
            ")" | "]" | "}" => return at,
            _ => at += 1,
        }
    }
    at
}
