//! The browser application as a table of files, embedded in the binary: bytes only.
//!
//! `build.mjs` bundles the sources beside this crate, `build.rs` writes the table. The engine hands it to the shards,
//! which serve it. A build without Node has one page that says so.
#![cfg_attr(test, allow(clippy::expect_used))]

/// A file of the application.
#[derive(Clone, Copy, Debug)]
pub struct File {
    /// Its path, from the first slash on.
    pub path: &'static str,
    /// Its media type.
    pub media_type: &'static str,
    /// Its bytes.
    pub identity: &'static [u8],
    /// Its bytes compressed with gzip, if that is shorter.
    pub gzip: Option<&'static [u8]>,
    /// Its bytes compressed with brotli, if that is shorter.
    pub brotli: Option<&'static [u8]>,
    /// A digest of its bytes, 16 of `0-9a-zA-Z_-`: an entity tag without quotes.
    pub tag: &'static str,
    /// Its name changes with its bytes: a browser need not ask for it again.
    pub is_immutable: bool,
}

mod table {
    #![allow(missing_docs, reason = "generated")]
    use super::File;
    include!(concat!(env!("OUT_DIR"), "/files.rs"));
}

/// A digest of the sources of the application, or `none` when it was not built.
pub const BUILD: &str = table::BUILD;

/// Every file, the page at `/index.html` included, sorted by path. A build without the application has its page only.
pub const FILES: &[File] = table::FILES;

/// What the page may do in a browser: nothing from elsewhere, no inline script or style, no HTML made from text.
pub const POLICY: &str = include_str!("policy.txt");

/// Header fields of the page: names and values.
pub const PAGE_FIELDS: &[(&str, &str)] = &[
    ("Content-Security-Policy", POLICY),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    (
        "Permissions-Policy",
        "camera=(), geolocation=(), microphone=(), payment=(), usb=(), serial=(self), \
         publickey-credentials-get=(self), fullscreen=(self)",
    ),
];

/// The page of a build without the application.
const MISSING: File = File {
    path: "/index.html",
    media_type: "text/html; charset=utf-8",
    identity: include_bytes!("missing.html"),
    gzip: None,
    brotli: None,
    tag: "none",
    is_immutable: false,
};

/// The page of the application; without it, one that says how to build it.
#[must_use]
pub fn page() -> &'static File {
    file("/index.html").unwrap_or(&MISSING)
}

/// The file with this path.
#[must_use]
pub fn file(path: &str) -> Option<&'static File> {
    FILES.binary_search_by(|file| file.path.cmp(path)).ok().map(|at| &FILES[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_sorted_and_name_their_bytes() {
        assert!(FILES.windows(2).all(|pair| pair[0].path < pair[1].path));
        for file in FILES {
            assert!(file.path.starts_with('/') && !file.identity.is_empty(), "{}", file.path);
            assert!(file.tag.len() == 16 || BUILD == "none", "{}", file.path);
            assert_eq!(file.is_immutable, file.path.starts_with("/assets/"), "{}", file.path);
            for form in [file.gzip, file.brotli].into_iter().flatten() {
                assert!(form.len() < file.identity.len(), "{}", file.path);
            }
            assert_eq!(self::file(file.path).expect("it is in the table").tag, file.tag);
        }
        assert!(file("/assets/nothing.js").is_none());
    }

    #[test]
    fn there_is_always_a_page() {
        let text = std::str::from_utf8(page().identity).expect("UTF-8");
        assert!(text.starts_with("<!doctype html>"));
        assert!(!text.contains("style=") && !text.contains("<style"), "the policy would refuse it");
        // What the page loads, or names for later in one list, is in the table.
        let named: Vec<&str> = text.split(['"', ' ', '\n']).filter(|word| word.starts_with("/assets/")).collect();
        for path in &named {
            assert!(file(path).is_some_and(|file| file.is_immutable), "{path}");
        }
        assert!(BUILD == "none" || named.len() > 3, "{named:?}");
        assert_eq!(BUILD == "none", FILES.len() == 1);
    }

    #[test]
    fn the_page_carries_the_policy() {
        assert_eq!(PAGE_FIELDS[0], ("Content-Security-Policy", POLICY));
        assert!(PAGE_FIELDS.iter().all(|(name, value)| !name.is_empty() && !value.contains(['\r', '\n'])));
        assert!(!POLICY.contains("-inline") && !POLICY.contains("-eval"));
    }
}
