//! Who sends a request: by a session's cookie, or a key or access token; and whether the page that sent it is ours.

use std::sync::Arc;

use axum::http::{HeaderMap, Method, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use linchpin_protocol::http::host_name;

use super::AskClient;
use super::viewing::viewed;
use crate::account::{GivenSecret, SecretKind};
use crate::command::{CallOrigin, KnownCaller, Needs, RowCaller};
use crate::loader::{Loader, LoaderFault};
use crate::{Code, CommandError, clock};

/// What a request says of itself, before anybody is believed.
pub(super) fn origin(headers: &HeaderMap, client: AskClient, request: u64) -> CallOrigin {
    let agent = text(headers, header::USER_AGENT.as_str()).unwrap_or_default();
    let default = if client.over_tls { 443 } else { 80 };
    let port = text(headers, "host").and_then(|host| host.rsplit_once(':')?.1.parse().ok()).unwrap_or(default);
    let mut origin = CallOrigin {
        address: client.peer.ip().to_canonical(),
        agent: program(agent),
        request,
        over_tls: client.over_tls,
        port,
        session: None,
        known: None,
        oidc: None,
        is_page: text(headers, "sec-fetch-mode") == Some("navigate"),
        if_match: text(headers, "if-match").map(Into::into),
        basic: text(headers, "authorization").and_then(basic),
    };
    origin.session = session_token(headers, &origin);
    origin.oidc = cookie(headers, &origin.oidc_cookie()).map(Into::into);
    origin.known = cookie(headers, &origin.known_cookie()).map(Into::into);
    origin
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The first word of `User-Agent` is enough to know a program again.
fn program(agent: &str) -> Box<str> {
    agent.chars().filter(char::is_ascii_graphic).take(64).collect::<String>().into()
}

fn basic(field: &str) -> Option<(Box<str>, GivenSecret)> {
    let bytes = STANDARD.decode(field.strip_prefix("Basic ")?).ok()?;
    let text = zeroize::Zeroizing::new(String::from_utf8(bytes).ok()?);
    let (name, secret) = text.split_once(':')?;
    Some((name.into(), GivenSecret::parse(SecretKind::Key, secret)?))
}

/// The value of a cookie; `None` too if its name is there twice: which of them is ours?
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = text(headers, "cookie")?;
    let mut found = all.split(';').filter_map(|pair| pair.trim().split_once('=')).filter(|(key, _)| *key == name);
    let (_, value) = found.next()?;
    found.next().is_none().then_some(value)
}

/// The token of a session's cookie, if the request has one.
fn session_token(headers: &HeaderMap, origin: &CallOrigin) -> Option<GivenSecret> {
    GivenSecret::parse(SecretKind::Session, cookie(headers, &origin.session_cookie())?)
}

/// Who it is, and through whose eyes they look at what is not their own person's.
///
/// # Errors
/// Those of [`sender`] and [`viewed`].
pub(super) async fn caller(
    loader: &Arc<Loader>,
    (headers, method): (&HeaderMap, &Method),
    origin: &CallOrigin,
    needs: Needs,
) -> Result<RowCaller, CommandError> {
    let caller = sender(loader, (headers, method), origin, needs).await?;
    viewed(loader, (headers, method), caller, needs)
}

/// Who sends it. A field that says who, and is not good, is an error: nobody is taken for a stranger by mistake.
///
/// # Errors
/// [`Code::SignInFirst`], [`Code::ForgedRequest`], the store.
pub(super) async fn sender(
    loader: &Arc<Loader>,
    (headers, method): (&HeaderMap, &Method),
    origin: &CallOrigin,
    needs: Needs,
) -> Result<RowCaller, CommandError> {
    let now_ms = clock::now_ms();
    if let Some(field) = text(headers, "authorization").filter(|_| origin.basic.is_none()) {
        return of_bearer(loader, field, origin, now_ms).await;
    }
    let only_reads = matches!(*method, Method::GET | Method::HEAD);
    if !only_reads {
        check_page(headers, origin)?;
    }
    let Some(token) = origin.session.clone() else { return Ok(RowCaller::Stranger) };
    let (found, looked) = (Arc::clone(loader), token.clone());
    let live = blocking(move || found.session(&looked, now_ms)).await?;
    let is_open = matches!(needs, Needs::Nobody);
    let over = || CommandError::new(Code::SignInFirst, "the session is over: sign in again");
    let Some(live) = live else { return if is_open { Ok(RowCaller::Stranger) } else { Err(over()) } };
    let sent = text(headers, "x-linchpin-csrf").unwrap_or_default();
    if !only_reads && !loader.is_csrf(&token, sent) {
        // A door that is open to everybody does not need a session: it counts only if the page proves that it is ours.
        if is_open {
            return Ok(RowCaller::Stranger);
        }
        return Err(CommandError::new(Code::ForgedRequest, "X-Linchpin-Csrf is missing or wrong"));
    }
    if live.touch(now_ms) {
        let (seen, touched) = (Arc::clone(loader), Arc::clone(&live));
        blocking(move || seen.note_seen(&touched, now_ms)).await?;
    }
    let asker = loader.asker(&live, origin.address, &origin.agent, origin.request);
    Ok(RowCaller::Known(Box::new(KnownCaller { asker, session: Some((token, live)) })))
}

async fn blocking<T: Send + 'static>(
    job: impl FnOnce() -> Result<T, LoaderFault> + Send + 'static,
) -> Result<T, CommandError> {
    let failed = |_| CommandError::new(Code::Failed, "the request failed inside the server: see its log");
    Ok(tokio::task::spawn_blocking(job).await.map_err(failed)??)
}

async fn of_bearer(
    loader: &Arc<Loader>,
    field: &str,
    origin: &CallOrigin,
    now_ms: u64,
) -> Result<RowCaller, CommandError> {
    let wrong = || CommandError::new(Code::SignInFirst, "the key or token is not good, or not from here");
    let text = field.strip_prefix("Bearer ").ok_or_else(wrong)?;
    let secret = GivenSecret::parse(SecretKind::Key, text).or_else(|| GivenSecret::parse(SecretKind::Access, text));
    let (secret, loader) = (secret.ok_or_else(wrong)?, Arc::clone(loader));
    let (address, request) = (origin.address, origin.request);
    let asker = blocking(move || match secret.kind() {
        SecretKind::Key => loader.api_key(&secret, address, request, now_ms),
        _ => loader.access_token(&secret, address, request, now_ms),
    });
    let mut asker = asker.await?.ok_or_else(wrong)?;
    asker.agent = origin.agent.clone();
    Ok(RowCaller::Known(Box::new(KnownCaller { asker, session: None })))
}

/// What changes something by a cookie comes from our own page: browsers say where a page is from, and other programs say
/// nothing.
fn check_page(headers: &HeaderMap, origin: &CallOrigin) -> Result<(), CommandError> {
    let forged = |what: &str| CommandError::new(Code::ForgedRequest, format!("{what} is not this server's own page"));
    if text(headers, "sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return Err(forged("Sec-Fetch-Site"));
    }
    if headers.get(header::ORIGIN).is_none() || is_own_page(headers, origin) { Ok(()) } else { Err(forged("Origin")) }
}

/// Does the page that sent it say that it is ours?
pub(super) fn is_own_page(headers: &HeaderMap, origin: &CallOrigin) -> bool {
    let Some(page) = headers.get(header::ORIGIN) else { return false };
    let scheme = if origin.over_tls { "https://" } else { "http://" };
    let host = text(headers, "host").unwrap_or_default();
    page.to_str().ok().and_then(|page| page.strip_prefix(scheme)).is_some_and(|page| {
        let name = |host: &str| host_name(host.as_bytes()).map(str::to_ascii_lowercase);
        let port = |host: &str| host.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        name(page).is_some() && name(page) == name(host) && port(page) == port(host)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value"))).collect()
    }

    fn origin_of(lines: &[(&'static str, &str)], over_tls: bool) -> CallOrigin {
        origin(&headers(lines), AskClient { peer: ([127, 0, 0, 1], 9).into(), over_tls, wants_live: false }, 1)
    }

    #[test]
    fn threat_8_other_sites_change_nothing() {
        let check =
            |lines: &[(&'static str, &str)], over_tls| check_page(&headers(lines), &origin_of(lines, over_tls)).is_ok();
        let host = ("host", "iot.example:8443");
        assert!(check(&[host], true), "a program without an Origin");
        assert!(check(&[host, ("origin", "https://iot.example:8443")], true));
        assert!(check(&[host, ("origin", "https://IOT.example:8443"), ("sec-fetch-site", "same-origin")], true));
        for wrong in ["https://evil.example", "https://iot.example", "http://iot.example:8443", "null", ""] {
            assert!(!check(&[host, ("origin", wrong)], true), "{wrong}");
        }
        for site in ["cross-site", "same-site"] {
            assert!(!check(&[host, ("sec-fetch-site", site)], true), "{site}");
        }
    }

    #[test]
    fn cookies_are_named_after_the_door_and_never_two() {
        let secret = GivenSecret::fresh(SecretKind::Session).expect("random");
        let token = |lines: &[(&'static str, &str)], over_tls| {
            session_token(&headers(lines), &origin_of(lines, over_tls)).is_some()
        };
        let plain = format!("a=b; linchpin-session-8080={}", secret.expose());
        let safe = format!("__Host-session={}", secret.expose());
        let at = ("host", "127.0.0.1:8080");
        assert!(token(&[at, ("cookie", &plain)], false) && token(&[at, ("cookie", &safe)], true));
        // What a plain page planted is nothing over TLS, and the other way round; nor that of another port.
        assert!(!token(&[at, ("cookie", &plain)], true) && !token(&[at, ("cookie", &safe)], false));
        assert!(!token(&[("host", "127.0.0.1:8081"), ("cookie", &plain)], false));
        assert!(!token(&[at, ("cookie", &format!("{safe}; {safe}"))], true));
    }
}
