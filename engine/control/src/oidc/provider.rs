//! One server: what it publishes, looked at anew after an hour, and the exchange of a code for a token. Bounded in time and
//! bytes, without redirects, over TLS beyond this machine.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::claims::{ExpectedClaims, OidcIdentity, identity};
use super::flow::{BegunOidc, OidcFlow};
use super::jws::{PublishedKeys, TokenFault, verified};
use super::reach::{GuardedNames, IssuerHost};
use super::server::OidcServer;
use crate::limits;

/// What it says of itself.
#[derive(Clone, Debug, Deserialize)]
struct Published {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct Exchanged {
    id_token: String,
}

/// Why nobody is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ProviderFault {
    /// It does not answer, or not as it must; says why, without any secret.
    Server(String),
    /// Its token is not good.
    Token(TokenFault),
}

impl fmt::Display for ProviderFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(why) => f.write_str(why),
            Self::Token(fault) => fault.fmt(f),
        }
    }
}

impl From<TokenFault> for ProviderFault {
    fn from(fault: TokenFault) -> Self {
        Self::Token(fault)
    }
}

#[derive(Debug, Default)]
struct Held {
    published: Option<(Instant, Arc<Published>)>,
    /// When it did not answer as it must, and how.
    failed: Option<(Instant, ProviderFault)>,
    keys: Option<(Instant, Arc<PublishedKeys>)>,
}

/// See the module's page.
#[derive(Debug)]
pub(crate) struct OidcProvider {
    pub(crate) server: OidcServer,
    host: IssuerHost,
    client: reqwest::Client,
    held: Mutex<Held>,
    /// One asks what it publishes, the others wait for that.
    asking: tokio::sync::Mutex<()>,
}

/// Is what the configuration says of a server usable?
///
/// # Errors
/// What is wrong, for the operator.
pub fn check_server(server: &OidcServer) -> Result<(), String> {
    OidcProvider::new(server.clone()).map(drop)
}

fn server_fault(what: impl fmt::Display) -> ProviderFault {
    ProviderFault::Server(what.to_string())
}

impl OidcProvider {
    /// Nothing is asked yet.
    ///
    /// # Errors
    /// Its address may not be asked, or its authorities are none.
    pub(crate) fn new(server: OidcServer) -> Result<Self, String> {
        let host = IssuerHost::parse(&server.issuer)
            .ok_or("issuer must begin with https:// and have neither a name, ? nor # (http:// on this machine)")?;
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .dns_resolver(Arc::new(GuardedNames(host.clone())))
            .timeout(limits::OIDC_TIMEOUT)
            .connect_timeout(limits::OIDC_TIMEOUT)
            .pool_max_idle_per_host(1);
        if let Some(pem) = &server.ca {
            let roots = reqwest::Certificate::from_pem_bundle(pem).ok().filter(|roots| !roots.is_empty());
            builder = builder.tls_certs_only(roots.ok_or("ca has no certificates (PEM)")?);
        }
        let client = builder.build().map_err(|error| format!("no HTTPS client can be made: {error}"))?;
        Ok(Self { server, host, client, held: Mutex::default(), asking: tokio::sync::Mutex::default() })
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> Result<T, ProviderFault> {
        serde_json::from_slice(&self.bytes(request).await?).map_err(|_| server_fault("it answers with no such JSON"))
    }

    async fn bytes(&self, request: reqwest::RequestBuilder) -> Result<Vec<u8>, ProviderFault> {
        // What went wrong inside is left out: addresses hold codes.
        let silent = |error: reqwest::Error| {
            server_fault(if error.is_timeout() { "it does not answer in time" } else { "it cannot be reached" })
        };
        let mut answer = request.send().await.map_err(silent)?;
        if !answer.status().is_success() {
            return Err(server_fault(format!("it answers {}", answer.status().as_u16())));
        }
        let mut read = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(silent)? {
            if read.len() + chunk.len() > limits::OIDC_ANSWER_BYTES {
                return Err(server_fault(format!("its answer has more than {} bytes", limits::OIDC_ANSWER_BYTES)));
            }
            read.extend_from_slice(&chunk);
        }
        Ok(read)
    }

    /// What is held of it, and young enough; a failure too, for a while: strangers do not make this ask.
    fn held_published(&self) -> Option<Result<Arc<Published>, ProviderFault>> {
        let held = self.held();
        if let Some((at, fault)) = &held.failed
            && at.elapsed() < limits::OIDC_AGAIN
        {
            return Some(Err(fault.clone()));
        }
        let (at, published) = held.published.as_ref()?;
        (at.elapsed() < limits::OIDC_FRESH).then(|| Ok(Arc::clone(published)))
    }

    async fn published(&self) -> Result<Arc<Published>, ProviderFault> {
        if let Some(held) = self.held_published() {
            return held;
        }
        let _one = self.asking.lock().await;
        if let Some(held) = self.held_published() {
            return held;
        }
        let found = self.ask_published().await.map(Arc::new);
        let mut held = self.held();
        match &found {
            Ok(found) => (held.published, held.failed) = (Some((Instant::now(), Arc::clone(found))), None),
            Err(fault) => held.failed = Some((Instant::now(), fault.clone())),
        }
        found
    }

    async fn ask_published(&self) -> Result<Published, ProviderFault> {
        let issuer = self.server.issuer.trim_end_matches('/');
        let found: Published = self.read(self.client.get(format!("{issuer}/.well-known/openid-configuration"))).await?;
        // Another one's document would let that one speak for this one.
        if *found.issuer != *self.server.issuer {
            return Err(server_fault("its document names another issuer"));
        }
        let addresses = [&found.authorization_endpoint, &found.token_endpoint, &found.jwks_uri];
        if !addresses.iter().all(|address| self.host.admits(address)) {
            return Err(server_fault("its document names addresses without TLS, or of a private network"));
        }
        Ok(found)
    }

    /// Its keys; those that are held must be younger than this.
    async fn keys(&self, younger: Duration) -> Result<Arc<PublishedKeys>, ProviderFault> {
        if let Some((at, keys)) = &self.held().keys
            && at.elapsed() < younger
        {
            return Ok(Arc::clone(keys));
        }
        let published = self.published().await?;
        let keys = Arc::new(PublishedKeys::parse(&self.bytes(self.client.get(&published.jwks_uri)).await?)?);
        self.held().keys = Some((Instant::now(), Arc::clone(&keys)));
        Ok(keys)
    }

    /// Where the browser goes.
    ///
    /// # Errors
    /// [`ProviderFault`].
    pub(crate) async fn begin(&self, begun: &BegunOidc, redirect_uri: &str) -> Result<String, ProviderFault> {
        let published = self.published().await?;
        let parameters = [
            ("response_type", "code"),
            ("client_id", &self.server.client_id),
            ("redirect_uri", redirect_uri),
            ("scope", "openid email"),
            ("state", &begun.state),
            ("nonce", &begun.nonce),
            ("code_challenge", &begun.challenge),
            ("code_challenge_method", "S256"),
        ];
        let mut address = published.authorization_endpoint.clone();
        for (at, (name, value)) in parameters.iter().enumerate() {
            address.push(if at == 0 && !address.contains('?') { '?' } else { '&' });
            address.push_str(&format!("{name}={}", coded(value)));
        }
        Ok(address)
    }

    /// Exchange a code, and look at the token.
    ///
    /// # Errors
    /// [`ProviderFault`].
    pub(crate) async fn finish(
        &self,
        flow: &OidcFlow,
        code: &str,
        redirect_uri: &str,
        now_s: u64,
    ) -> Result<OidcIdentity, ProviderFault> {
        let published = self.published().await?;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("client_id", &*self.server.client_id),
            ("code_verifier", flow.verifier.as_str()),
        ];
        let body: Vec<String> = form.iter().map(|(name, value)| format!("{name}={}", coded(value))).collect();
        let mut request = self
            .client
            .post(&published.token_endpoint)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept", "application/json")
            .body(body.join("&"));
        if let Some(secret) = &self.server.client_secret {
            request = request.basic_auth(coded(&self.server.client_id), Some(coded(secret)));
        }
        let exchanged: Exchanged = self.read(request).await?;
        let expected = ExpectedClaims {
            issuer: &self.server.issuer,
            client_id: &self.server.client_id,
            nonce: &flow.nonce,
            now_s,
        };
        let keys = self.keys(limits::OIDC_FRESH).await?;
        let token = match verified(&exchanged.id_token, &keys) {
            // It has a new key: look again, but not at each token.
            Err(TokenFault::UnknownKey) => verified(&exchanged.id_token, &*self.keys(limits::OIDC_KEYS_AGAIN).await?),
            looked => looked,
        }?;
        Ok(identity(&token, &expected)?)
    }
}

/// As forms and queries have it.
fn coded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}
