//! Whose paths are whose: the control plane's, the browser application's, the devices'.

use crate::model::Token;

/// Does the control plane answer this path? The rest of `/.well-known/` is its own; ACME's challenges are answered by
/// the shards.
#[must_use]
pub fn is_control_path(path: &str) -> bool {
    let is_below = |root: &str| path.starts_with(root);
    match path.as_bytes().get(1) {
        Some(b'a') => is_below("/api/"),
        Some(b'o') => is_below("/oauth2/"),
        Some(b's') => is_below("/scim/"),
        // Files are its business, too: their bodies are long, and they wait for the disk.
        Some(b'e') => is_below("/external/files/") || matches!(path, "/external/api/upload" | "/external/api/upload/"),
        Some(b'.') => is_below("/.well-known/") && !is_below("/.well-known/acme-challenge/"),
        _ => false,
    }
}

/// May the browser application's page answer this path? Not where the control plane or the device APIs answer, so that
/// a client of theirs gets an error and never a page; and not under `/assets/`, where only files are.
#[must_use]
pub fn is_page_path(path: &str) -> bool {
    let mut segments = path.split('/').skip(1);
    let (first, second) = (segments.next().unwrap_or_default(), segments.next());
    let is_served = matches!(first, "api" | "external" | "oauth2" | "scim" | ".well-known" | "assets" | "mqtt");
    let is_legacy = Token::parse(first.as_bytes()).is_ok() || second.is_some_and(super::legacy::is_legacy_verb);
    path.starts_with('/') && !is_served && !is_legacy && !first.starts_with("websocket")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_one_owner() {
        for control in ["/external/files/7-1-x/a.png", "/external/api/upload", "/external/api/upload/"] {
            assert!(is_control_path(control) && !is_page_path(control), "{control}");
        }
        for control in ["/api/v1/ping", "/api/", "/oauth2/token", "/scim/v2/Users", "/.well-known/security.txt"] {
            assert!(is_control_path(control) && !is_page_path(control), "{control}");
        }
        for page in ["/", "/devices/7", "/login", "/apiary", "/apx/get2"] {
            assert!(is_page_path(page) && !is_control_path(page), "{page}");
        }
        for neither in [
            "/api",
            "/external/api/get",
            "/external/other",
            "/abcdefghijklmnopqrstuvwxyz012345/get/v1",
            "/abcdefghijklmnopqrstuvwxyz012345",
            "/short/get/v1",
            "/.well-known/acme-challenge/x",
            "/websockets",
            "/mqtt",
            "/assets/old.js",
            "*",
            "",
        ] {
            assert!(!is_page_path(neither) && !is_control_path(neither), "{neither}");
        }
    }
}
