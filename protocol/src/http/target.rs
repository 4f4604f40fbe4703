//! The target of a request: a path, and a query of keys and values.

use std::borrow::Cow;

/// A target, cut at its first `?`. A fragment is not part of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// The path as received, with its first slash.
    pub path: &'a str,
    query: &'a str,
}

impl<'a> Target<'a> {
    /// Cut a target. An absolute form (`http://host/path`) loses its beginning.
    #[must_use]
    pub fn parse(target: &'a str) -> Self {
        let after_scheme = ["http://", "https://"].iter().find_map(|scheme| target.strip_prefix(scheme));
        let target = after_scheme.map_or(target, |rest| rest.find('/').map_or("/", |at| &rest[at..]));
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self { path, query: query.split('#').next().unwrap_or_default() }
    }

    /// Keys and values, decoded, in their order. A key without `=` has an empty value.
    pub fn pairs(&self) -> impl Iterator<Item = (Cow<'a, [u8]>, Cow<'a, [u8]>)> + use<'a> {
        self.assignments().map(|(key, value)| (key, value.unwrap_or_default()))
    }

    /// Keys and values, decoded, in their order; `None`: a key without `=`.
    pub fn assignments(&self) -> impl Iterator<Item = (Cow<'a, [u8]>, Option<Cow<'a, [u8]>>)> + use<'a> {
        self.query.split('&').filter(|pair| !pair.is_empty()).map(|pair| match pair.split_once('=') {
            Some((key, value)) => (decode(key), Some(decode(value))),
            None => (decode(pair), None),
        })
    }

    /// The first value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Cow<'a, [u8]>> {
        self.pairs().find(|(found, _)| &**found == key.as_bytes()).map(|(_, value)| value)
    }

    /// The first value of a key as text; `None` too if it is not UTF-8.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<String> {
        self.get(key).and_then(|value| String::from_utf8(value.into_owned()).ok())
    }
}

/// Undo percent encoding, and `+` for a space. What is no encoding stays as it is.
#[must_use]
pub fn decode(text: &str) -> Cow<'_, [u8]> {
    let bytes = text.as_bytes();
    if !bytes.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(bytes);
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1).and_then(hex), bytes.get(at + 2).and_then(hex)) {
            (b'%', Some(high), Some(low)) => {
                out.push(high << 4 | low);
                at += 3;
                continue;
            }
            (b'+', ..) => out.push(b' '),
            (byte, ..) => out.push(byte),
        }
        at += 1;
    }
    Cow::Owned(out)
}

fn hex(byte: &u8) -> Option<u8> {
    char::from(*byte).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_queries() {
        let target = Target::parse("/a/b?token=x&v1&v2=a%20b+c&v2=%zz%4&&=e#frag");
        assert_eq!(target.path, "/a/b");
        let pairs: Vec<_> = target.pairs().map(|(k, v)| (k.into_owned(), v.into_owned())).collect();
        let want = [("token", "x"), ("v1", ""), ("v2", "a b c"), ("v2", "%zz%4"), ("", "e")];
        assert_eq!(pairs, want.map(|(k, v)| (k.as_bytes().to_vec(), v.as_bytes().to_vec())));
        assert_eq!(target.text("v2").as_deref(), Some("a b c"));
        assert_eq!(target.get("absent"), None);
        assert_eq!(Target::parse("http://host:80/p?q=1").path, "/p");
        assert_eq!(Target::parse("https://host").path, "/");
        assert_eq!(Target::parse("/x?v=%ff").text("v"), None);
    }
}
