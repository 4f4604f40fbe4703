//! Circles between the files of a crate: sets of files each of which uses all others, directly or through them.
//!
//! A file uses another when a `use` of it, or a path in its code, leads to an item there. `mod` lines and what a module
//! hands on (`pub use`) are no use of their own: a path is followed through them to the file that defines the item.

use std::collections::{BTreeMap, BTreeSet};

use crate::without_tests;

/// The files of one crate by their module path (`["login", "index"]`), with their text.
#[derive(Debug, Default)]
struct Modules {
    /// Module path -> file.
    files: BTreeMap<Vec<String>, String>,
    /// File -> its paths: where it stands and what it names, `pub use` apart.
    used: BTreeMap<String, Vec<Vec<String>>>,
    /// Module path -> name -> the path that the name is handed on from.
    handed_on: BTreeMap<Vec<String>, BTreeMap<String, Vec<String>>>,
}

/// All circles of a crate whose sources are at `root` (`engine/shard/src/`), each with its files in order.
#[must_use]
pub fn circles(root: &str, files: &[(String, String)]) -> Vec<BTreeSet<String>> {
    let modules = Modules::read(root, files);
    let edges = modules.edges();
    let mut reach: BTreeMap<&String, BTreeSet<&String>> = BTreeMap::new();
    for file in edges.keys() {
        let (mut seen, mut open) = (BTreeSet::new(), vec![file]);
        while let Some(at) = open.pop() {
            for next in &edges[at] {
                if let Some((next, _)) = edges.get_key_value(next)
                    && seen.insert(next)
                {
                    open.push(next);
                }
            }
        }
        reach.insert(file, seen);
    }
    let mut found: BTreeSet<BTreeSet<String>> = BTreeSet::new();
    for (file, seen) in &reach {
        let circle: BTreeSet<String> =
            seen.iter().filter(|other| reach[**other].contains(*file)).map(|other| (*other).clone()).collect();
        if circle.len() > 1 {
            found.insert(circle);
        }
    }
    found.into_iter().collect()
}

impl Modules {
    fn read(root: &str, files: &[(String, String)]) -> Self {
        let mut modules = Self::default();
        for (path, _) in files {
            modules.files.insert(module_of(root, path), path.clone());
        }
        for (path, text) in files {
            let here = module_of(root, path);
            let code = code_of(without_tests(text));
            for (public, tree) in uses(&code) {
                for (name, target) in expand(&tree) {
                    let Some(target) = modules.absolute(&here, &target) else { continue };
                    if public && modules.is_facade(&here) {
                        modules.handed_on.entry(here.clone()).or_default().insert(name, target);
                    } else {
                        modules.used.entry(path.clone()).or_default().push(target);
                    }
                }
            }
            let inline = paths_in(&code).into_iter().filter_map(|target| modules.absolute(&here, &target));
            let inline: Vec<_> = inline.collect();
            modules.used.entry(path.clone()).or_default().extend(inline);
        }
        modules
    }

    /// Does this module have modules below it?
    fn is_facade(&self, here: &[String]) -> bool {
        self.files.keys().any(|other| other.len() > here.len() && other.starts_with(here))
    }

    /// A path from `crate`, for one that begins with `crate`, `super`, `self` or a module below this one.
    fn absolute(&self, here: &[String], path: &[String]) -> Option<Vec<String>> {
        let first = path.first()?.as_str();
        let mut base = here.to_vec();
        let mut rest = path;
        match first {
            "crate" => (base, rest) = (Vec::new(), &path[1..]),
            "self" => rest = &path[1..],
            "super" => {
                while rest.first().is_some_and(|word| word == "super") {
                    base.pop();
                    rest = &rest[1..];
                }
            }
            _ => {
                let mut below = here.to_vec();
                below.push(first.to_owned());
                if !self.files.contains_key(&below) {
                    return None;
                }
            }
        }
        base.extend_from_slice(rest);
        Some(base)
    }

    /// The file in which an item stands, through what modules hand on.
    fn file_of(&self, path: &[String]) -> Option<&String> {
        let mut path = path.to_vec();
        for _ in 0..8 {
            let module = (0..=path.len()).rev().find(|n| self.files.contains_key(&path[..*n]))?;
            let Some(name) = path.get(module) else { return self.files.get(&path) };
            let handed = self.handed_on.get(&path[..module]);
            let next = handed.and_then(|names| names.get(name));
            match next {
                Some(target) => {
                    let rest = path[module + 1..].to_vec();
                    path = target.clone();
                    path.extend(rest);
                }
                None => return self.files.get(&path[..module]),
            }
        }
        None
    }

    fn edges(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for file in self.files.values() {
            let targets = self.used.get(file).into_iter().flatten().filter_map(|path| self.file_of(path));
            edges.insert(file.clone(), targets.filter(|target| *target != file).cloned().collect());
        }
        edges
    }
}

/// `engine/shard/src/login/index.rs` below `engine/shard/src/` is `login::index`.
fn module_of(root: &str, path: &str) -> Vec<String> {
    let below = path.strip_prefix(root).unwrap_or(path).trim_end_matches(".rs");
    let mut words: Vec<String> = below.split('/').map(str::to_owned).collect();
    if words.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        words.pop();
    }
    words
}

/// Source without comments and texts, so that neither is taken for code.
fn code_of(source: &str) -> String {
    let mut code = String::new();
    for line in source.lines() {
        let line = line.split("//").next().unwrap_or_default();
        let mut inside = false;
        let mut before = ' ';
        for c in line.chars() {
            if c == '"' && before != '\\' && before != '\'' {
                inside = !inside;
            } else if !inside {
                code.push(c);
            }
            before = c;
        }
        code.push('\n');
    }
    code
}

/// The trees of all `use` items: whether it is handed on, and its text.
fn uses(code: &str) -> Vec<(bool, String)> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find("use ") {
        let before = rest[..at].rsplit(['\n', ';', '{', '}']).next().unwrap_or_default().trim();
        let after = &rest[at + 4..];
        let is_item = before.is_empty() || before == "pub" || (before.starts_with("pub(") && before.ends_with(')'));
        let end = after.find(';').unwrap_or(after.len());
        if is_item {
            found.push((!before.is_empty(), after[..end].split_whitespace().collect::<Vec<_>>().join(" ")));
            rest = &after[end..];
        } else {
            rest = after;
        }
    }
    found
}

/// `a::{b, c as d, e::{self, F}}` as pairs of the name it brings and the path it comes from.
fn expand(tree: &str) -> Vec<(String, Vec<String>)> {
    if let Some(open) = tree.find('{') {
        let head: Vec<String> =
            tree[..open].split("::").map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect();
        let inner = tree[open + 1..].trim_end().strip_suffix('}').unwrap_or(&tree[open + 1..]);
        let mut found = Vec::new();
        for part in split_outside_braces(inner) {
            for (name, path) in expand(part) {
                let whole: Vec<String> = head.iter().cloned().chain(path).collect();
                let itself = whole.last().is_some_and(|last| last == "self") && whole.len() > 1;
                let whole = if itself { whole[..whole.len() - 1].to_vec() } else { whole };
                let name = if itself { whole.last().cloned().unwrap_or_default() } else { name };
                found.push((name, whole));
            }
        }
        return found;
    }
    let (path, alias) = tree.trim().split_once(" as ").map_or((tree.trim(), None), |(path, name)| (path, Some(name)));
    let path: Vec<String> = path.split("::").map(|word| word.trim().to_owned()).collect();
    let name = alias.map_or_else(|| path.last().cloned().unwrap_or_default(), |name| name.trim().to_owned());
    vec![(name, path)]
}

fn split_outside_braces(text: &str) -> Vec<&str> {
    let (mut depth, mut begun, mut parts) = (0_u32, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&text[begun..at]);
                begun = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[begun..]);
    parts.retain(|part| !part.trim().is_empty());
    parts
}

/// Paths in code that begin with `crate::` or `super::`.
fn paths_in(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for word in code.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':') {
        if word.starts_with("crate::") || word.starts_with("super::") {
            found.push(word.trim_end_matches(':').split("::").filter(|w| !w.is_empty()).map(str::to_owned).collect());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> Vec<BTreeSet<String>> {
        let files: Vec<_> = files.iter().map(|(p, t)| ((*p).to_owned(), (*t).to_owned())).collect();
        circles("x/src/", &files)
    }

    #[test]
    fn a_circle_through_three_files_is_found() {
        let found = tree(&[
            ("x/src/lib.rs", "mod a; mod b; mod c; pub use a::A;"),
            ("x/src/a.rs", "use crate::b::{B, other::{self}};\npub struct A;"),
            ("x/src/b.rs", "fn f() { crate::c::g() }\npub struct B;"),
            ("x/src/c.rs", "use crate::A;"),
            ("x/src/d.rs", "use crate::{a::A as Other, b::B};"),
        ]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].iter().map(String::as_str).collect::<Vec<_>>(), ["x/src/a.rs", "x/src/b.rs", "x/src/c.rs"]);
    }

    #[test]
    fn a_parent_that_only_hands_on_is_in_no_circle() {
        let found = tree(&[
            ("x/src/lib.rs", "mod m;"),
            ("x/src/m/mod.rs", "mod a; mod b;\npub use a::A;\npub(crate) use b::B;"),
            ("x/src/m/a.rs", "use super::B; pub struct A; // crate::m::b uses this"),
            ("x/src/m/b.rs", "pub struct B; const S: &str = \"crate::m::a::A\";"),
        ]);
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn tests_are_left_out() {
        let found = tree(&[
            ("x/src/a.rs", "use crate::b::B;"),
            ("x/src/b.rs", "pub struct B;\n#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}"),
        ]);
        assert!(found.is_empty(), "{found:?}");
    }
}
