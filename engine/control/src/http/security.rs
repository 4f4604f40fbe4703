//! `/.well-known/security.txt` (RFC 9116): where those report who found a weakness. It is there if the configuration names
//! somebody.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use crate::command::Desk;
use crate::{clock, limits};

/// The route.
pub(super) fn security(desk: Arc<Desk>) -> Router {
    Router::new().route("/.well-known/security.txt", get(page)).with_state(desk)
}

async fn page(State(desk): State<Arc<Desk>>) -> Response {
    let settings = desk.people.as_ref().map(|people| people.settings());
    let contacts = settings.map(|settings| &*settings.security_contacts).unwrap_or_default();
    if contacts.is_empty() {
        return StatusCode::NOT_FOUND.into_response();
    }
    let url = settings.and_then(|settings| settings.public_url.as_deref());
    let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "max-age=86400")];
    (kind, text(contacts, url, clock::now_ms())).into_response()
}

fn text(contacts: &[Box<str>], url: Option<&str>, now_ms: u64) -> String {
    let mut text: String = contacts.iter().map(|contact| format!("Contact: {contact}\n")).collect();
    text.push_str(&format!("Expires: {}\nPreferred-Languages: en, de\n", day(now_ms + limits::SECURITY_TEXT_MS)));
    // Only an address over TLS is one to be believed.
    if let Some(url) = url.filter(|url| url.starts_with("https://")) {
        text.push_str(&format!("Canonical: {url}/.well-known/security.txt\n"));
    }
    text
}

/// The midnight before a moment, as RFC 3339 writes it: the text is the same all day.
fn day(ms: u64) -> String {
    let time = SystemTime::UNIX_EPOCH + Duration::from_millis(ms);
    crate::mail::moment(time).split(' ').next().map(|day| format!("{day}T00:00:00Z")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_who_is_to_be_told_and_ends_within_a_year() {
        let contacts = ["mailto:security@example.com".into(), "https://example.com/report".into()];
        let now_ms = 1_795_910_400_000; // 2026-11-29
        let made = text(&contacts, Some("https://iot.example"), now_ms);
        assert_eq!(
            made,
            "Contact: mailto:security@example.com\nContact: https://example.com/report\nExpires: 2027-05-28T00:00:00Z\n\
             Preferred-Languages: en, de\nCanonical: https://iot.example/.well-known/security.txt\n"
        );
        assert!(!text(&contacts, Some("http://127.0.0.1:80"), now_ms).contains("Canonical"));
    }
}
