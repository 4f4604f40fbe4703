//! Files that the shards themselves serve: the browser application, as a table of bytes in the binary.

/// How long a browser may use a file without asking again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheClass {
    /// Its name changes with its bytes: for a year.
    Immutable,
    /// It asks each time whether its copy is still good.
    Revalidate,
}

impl CacheClass {
    /// The value of `Cache-Control`.
    #[must_use]
    pub const fn cache_control(self) -> &'static str {
        match self {
            Self::Immutable => "public, max-age=31536000, immutable",
            Self::Revalidate => "no-cache",
        }
    }
}

/// A file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Its path, from the first slash on, such as `/assets/main-0a1b2c.js`.
    pub path: &'static str,
    /// Its media type.
    pub media_type: &'static str,
    /// Its bytes.
    pub identity: &'static [u8],
    /// Its bytes compressed with gzip, if that is shorter.
    pub gzip: Option<&'static [u8]>,
    /// Its bytes compressed with brotli, if that is shorter.
    pub brotli: Option<&'static [u8]>,
    /// A short digest of its bytes, 1 or more of `0-9a-zA-Z_-`: its entity tag without quotes.
    pub tag: &'static str,
    /// How long it may be used without asking.
    pub cache: CacheClass,
    /// More header fields, names and values, such as a page's content security policy.
    pub fields: &'static [(&'static str, &'static str)],
}

/// One form of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssetForm {
    /// Its bytes.
    pub bytes: &'static [u8],
    /// `Content-Encoding`; `None` for the bytes as they are.
    pub encoding: Option<&'static str>,
    /// `ETag`, with its quotes.
    pub etag: String,
}

impl Asset {
    /// The shortest form that a client with this `Accept-Encoding` takes.
    #[must_use]
    pub fn form(&self, accept_encoding: &str) -> AssetForm {
        let brotli = self.brotli.filter(|_| takes(accept_encoding, "br")).map(|bytes| (bytes, "br"));
        let gzip = || self.gzip.filter(|_| takes(accept_encoding, "gzip")).map(|bytes| (bytes, "gzip"));
        match brotli.or_else(gzip) {
            Some((bytes, encoding)) => {
                AssetForm { bytes, encoding: Some(encoding), etag: format!("\"{}-{encoding}\"", self.tag) }
            }
            None => AssetForm { bytes: self.identity, encoding: None, etag: format!("\"{}\"", self.tag) },
        }
    }

    /// The header fields of an answer with one of its forms: names and values.
    #[must_use]
    pub fn answer_fields(&self, form: &AssetForm) -> Vec<(Box<str>, Box<[u8]>)> {
        let vary = self.gzip.or(self.brotli).map(|_| ("Vary", "Accept-Encoding"));
        let own = [
            ("Content-Type", self.media_type),
            ("ETag", &*form.etag),
            ("Cache-Control", self.cache.cache_control()),
            ("X-Content-Type-Options", "nosniff"),
        ];
        let encoding = form.encoding.map(|name| ("Content-Encoding", name));
        let all = own.into_iter().chain(vary).chain(encoding).chain(self.fields.iter().copied());
        all.map(|(name, value)| (name.into(), value.as_bytes().into())).collect()
    }
}

/// Does this `Accept-Encoding` take `coding`? Named with a weight above zero; `*` is not taken for a name.
fn takes(accept_encoding: &str, coding: &str) -> bool {
    accept_encoding.split(',').any(|entry| {
        let (name, weight) = entry.split_once(';').unwrap_or((entry, ""));
        let weight = weight.trim().strip_prefix("q=").map(str::trim);
        name.trim().eq_ignore_ascii_case(coding) && weight.is_none_or(|q| q.parse::<f32>().is_ok_and(|q| q > 0.0))
    })
}

/// Does `If-None-Match` name this entity tag? Compared weakly (RFC 9110, 13.1.2).
#[must_use]
pub fn is_known_etag(if_none_match: &str, etag: &str) -> bool {
    if_none_match.trim() == "*"
        || if_none_match.split(',').any(|known| known.trim().strip_prefix("W/").unwrap_or(known.trim()) == etag)
}

/// Does this `Accept` name HTML, as that of a browser that goes to a page does?
#[must_use]
pub fn wants_html(accept: &str) -> bool {
    accept.split(',').any(|entry| entry.split(';').next().is_some_and(|kind| kind.trim() == "text/html"))
}

/// All files, and the page that answers where there is no file.
#[derive(Clone, Copy, Debug, Default)]
pub struct AssetTable {
    files: &'static [Asset],
    page: Option<&'static Asset>,
}

impl AssetTable {
    /// A table; the file at `/index.html`, if there is one, is the page.
    #[must_use]
    pub fn new(files: &'static [Asset]) -> Self {
        Self { files, page: files.iter().find(|file| file.path == "/index.html") }
    }

    /// The file at a path.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&'static Asset> {
        self.files.iter().find(|file| file.path == path)
    }

    /// The page, for paths that only the browser application knows.
    #[must_use]
    pub const fn page(&self) -> Option<&'static Asset> {
        self.page
    }

    /// Is there nothing to serve?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: Asset = Asset {
        path: "/index.html",
        media_type: "text/html;charset=utf-8",
        identity: b"identity",
        gzip: Some(b"gz"),
        brotli: Some(b"b"),
        tag: "t1",
        cache: CacheClass::Revalidate,
        fields: &[("Content-Security-Policy", "default-src 'self'")],
    };

    #[test]
    fn the_shortest_form_that_is_taken_is_given() {
        let form = |accept: &str| {
            let form = FILE.form(accept);
            (form.bytes, form.encoding, form.etag)
        };
        assert_eq!(form("gzip, deflate, br;q=0.5"), (&b"b"[..], Some("br"), "\"t1-br\"".to_owned()));
        assert_eq!(form("GZIP"), (&b"gz"[..], Some("gzip"), "\"t1-gzip\"".to_owned()));
        for none in ["", "identity", "br;q=0, gzip;q=0.0", "*", "brotli", "gzip;q=x"] {
            assert_eq!(form(none), (&b"identity"[..], None, "\"t1\"".to_owned()), "{none}");
        }
        let fields = |file: &Asset, accept: &str| -> Vec<String> {
            let fields = file.answer_fields(&file.form(accept));
            fields.iter().map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value))).collect()
        };
        let want = [
            "Content-Type: text/html;charset=utf-8",
            "ETag: \"t1-br\"",
            "Cache-Control: no-cache",
            "X-Content-Type-Options: nosniff",
            "Vary: Accept-Encoding",
            "Content-Encoding: br",
            "Content-Security-Policy: default-src 'self'",
        ];
        assert_eq!(fields(&FILE, "br"), want);
        let plain = Asset { gzip: None, brotli: None, cache: CacheClass::Immutable, ..FILE };
        let plain = fields(&plain, "br");
        assert!(plain.iter().all(|field| !field.starts_with("Vary") && !field.starts_with("Content-Encoding")));
        assert!(plain.contains(&"Cache-Control: public, max-age=31536000, immutable".to_owned()));
    }

    #[test]
    fn entity_tags_are_compared_weakly() {
        for yes in ["\"t1\"", "W/\"t1\"", "\"a\", \"t1\"", " * "] {
            assert!(is_known_etag(yes, "\"t1\""), "{yes}");
        }
        for no in ["", "t1", "\"t1-br\"", "W/t1"] {
            assert!(!is_known_etag(no, "\"t1\""), "{no}");
        }
    }

    #[test]
    fn pages_are_for_those_who_want_html() {
        assert!(wants_html("text/html,application/xhtml+xml,*/*;q=0.8"));
        assert!(wants_html("application/json, text/html;q=0.1"));
        assert!(!wants_html("*/*") && !wants_html("") && !wants_html("application/json"));
        let table = AssetTable::new(&[FILE]);
        assert_eq!(table.page(), table.get("/index.html"));
        assert!(table.get("/other").is_none() && !table.is_empty() && AssetTable::default().is_empty());
    }
}
