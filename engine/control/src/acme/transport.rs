//! HTTPS to an authority, for instant-acme: bounded, without redirects, and with what the library does not give away noted
//! down: statuses, Retry-After, and addresses of alternative chains.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use instant_acme::{BodyWrapper, BytesResponse, HttpClient};
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, LINK, RETRY_AFTER};

use super::limits;

/// What an exchange left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Noted {
    /// Status of the last answer.
    pub(super) status: u16,
    /// When to come back, s from now.
    pub(super) retry_after_s: Option<u64>,
    /// The last chain that came, PEM.
    pub(super) chain_pem: Option<String>,
    /// Where other chains of it are.
    pub(super) alternates: Vec<String>,
}

/// A client of one authority. Copies share what is noted.
#[derive(Clone, Debug)]
pub(super) struct AuthorityClient {
    client: reqwest::Client,
    noted: Arc<Mutex<Noted>>,
}

impl AuthorityClient {
    /// Trust the machine's roots, or only those of this file (PEM).
    ///
    /// # Errors
    /// The file cannot be read or holds no certificate.
    pub(super) fn new(ca: Option<&Path>) -> Result<Self, String> {
        let mut builder = reqwest::Client::builder()
            .https_only(true)
            // Authorities refuse whoever does not say what it is (RFC 8555, 6.1).
            .user_agent(concat!("linchpin/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .timeout(limits::ANSWER)
            .connect_timeout(limits::ANSWER)
            .pool_max_idle_per_host(1);
        if let Some(path) = ca {
            let pem = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
            let roots = reqwest::Certificate::from_pem_bundle(&pem)
                .ok()
                .filter(|roots| !roots.is_empty())
                .ok_or_else(|| format!("{}: it holds no certificate in PEM", path.display()))?;
            builder = builder.tls_certs_only(roots);
        }
        let client = builder.build().map_err(|error| format!("no HTTPS client can be made: {error}"))?;
        Ok(Self { client, noted: Arc::default() })
    }

    /// Forget what was noted.
    pub(super) fn begin(&self) {
        *self.noted.lock().unwrap_or_else(PoisonError::into_inner) = Noted::default();
    }

    /// What was noted since [`Self::begin`].
    pub(super) fn noted(&self) -> Noted {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A plain question; gives the answer's date, s since 1970, and its body.
    ///
    /// # Errors
    /// Nobody answers, or with a failure.
    pub(super) async fn get(&self, address: &str) -> Result<(Option<u64>, Vec<u8>), String> {
        let answer = self.client.get(address).send().await.map_err(|error| reason(&error))?;
        let date = answer.headers().get(DATE).and_then(|value| httpdate::parse_http_date(value.to_str().ok()?).ok());
        let date_s = date.and_then(|date| date.duration_since(UNIX_EPOCH).ok()).map(|since| since.as_secs());
        if !answer.status().is_success() {
            return Err(format!("it answers {}", answer.status()));
        }
        Ok((date_s, read(answer).await?.to_vec()))
    }

    async fn exchange(&self, request: http::Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, String> {
        let (parts, body) = request.into_parts();
        let body = match body.collect().await {
            Ok(body) => body.to_bytes(),
            Err(never) => match never {},
        };
        let call = self.client.request(parts.method, parts.uri.to_string()).headers(parts.headers).body(body);
        let answer = call.send().await.map_err(|error| reason(&error))?;
        let (mut parts, ()) = http::Response::new(()).into_parts();
        parts.status = answer.status();
        parts.headers = answer.headers().clone();
        let body = read(answer).await?;
        self.note(parts.status.as_u16(), &parts.headers, &body);
        Ok(BytesResponse { parts, body: Box::new(body) })
    }

    fn note(&self, status: u16, headers: &HeaderMap, body: &[u8]) {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        noted.status = status;
        noted.retry_after_s = text(RETRY_AFTER).and_then(retry_after_s);
        if status == 200 && text(CONTENT_TYPE).is_some_and(|kind| kind.starts_with("application/pem-certificate-chain"))
        {
            noted.chain_pem = std::str::from_utf8(body).ok().map(str::to_owned);
            let links = headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok());
            noted.alternates = links.flat_map(alternates).take(limits::CHAINS).collect();
        }
    }
}

impl HttpClient for AuthorityClient {
    fn request(
        &self,
        request: http::Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, instant_acme::Error>> + Send>> {
        let transport = self.clone();
        Box::pin(async move {
            transport.exchange(request).await.map_err(|reason| instant_acme::Error::Other(reason.into()))
        })
    }
}

/// The body of an answer, within [`limits::ANSWER_BYTES`].
async fn read(mut answer: reqwest::Response) -> Result<Bytes, String> {
    let mut read = BytesMut::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| reason(&error))? {
        if read.len() + chunk.len() > limits::ANSWER_BYTES {
            return Err(format!("the answer has more than {} bytes", limits::ANSWER_BYTES));
        }
        read.extend_from_slice(&chunk);
    }
    Ok(read.freeze())
}

/// Why nothing came, with its causes: reqwest alone says "error sending request".
fn reason(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() { "no answer in time".to_owned() } else { error.to_string() };
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Seconds, or until a date.
fn retry_after_s(value: &str) -> Option<u64> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(seconds);
    }
    let date = httpdate::parse_http_date(value.trim()).ok()?;
    Some(date.duration_since(std::time::SystemTime::now()).map_or(0, |left| left.as_secs()))
}

/// Addresses of `<address>;rel="alternate"` in a Link field, which may hold several.
fn alternates(field: &str) -> Vec<String> {
    let mut found = Vec::new();
    for link in field.split(", <") {
        let Some((address, parameters)) = link.trim_start_matches('<').split_once('>') else { continue };
        let is_alternate = |parameter: &str| {
            let (name, value) = parameter.split_once('=').unwrap_or_default();
            name.trim() == "rel" && value.trim().trim_matches('"') == "alternate"
        };
        if parameters.split(';').any(is_alternate) {
            found.push(address.to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternates_are_found_among_other_links() {
        assert_eq!(alternates("<https://ca/1/a>;rel=\"alternate\""), ["https://ca/1/a"]);
        let both = "<https://ca/dir>;rel=\"index\", <https://ca/1>; title=\"x\"; rel=alternate";
        assert_eq!(alternates(both), ["https://ca/1"]);
        for none in ["", "<", "<https://ca/1>", "https://ca/1;rel=alternate", "<https://ca/dir>;rel=\"index\""] {
            assert!(alternates(none).is_empty(), "{none}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(retry_after_s("3600"), Some(3_600));
        assert_eq!(retry_after_s("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert!(retry_after_s("Fri, 31 Dec 2100 23:59:59 GMT").is_some_and(|s| s > 86_400));
        assert_eq!(retry_after_s("soon"), None);
    }
}
