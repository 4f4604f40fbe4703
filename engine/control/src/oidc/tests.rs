//! One server to sign in at, against servers that misbehave.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::flow::{OidcFlow, OidcFlows};
use super::jws::TokenFault;
use super::jws::tests::TokenSigner;
use super::provider::{OidcProvider, ProviderFault};
use super::server::OidcServer;
use crate::limits;

const NOW_S: u64 = 1_000_000;
const BACK: &str = "https://iot.example/api/v1/oidc/1/callback";

/// What it answers, by the path: a status with its line ends, and a body.
type Answers = Arc<dyn Fn(&str) -> (String, String) + Send + Sync>;

/// A server on this machine, and what it was asked.
struct Fake {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    async fn start(answers: impl Fn(&str, u16) -> (String, String) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let (seen, answers): (_, Answers) = (Arc::clone(&asked), Arc::new(move |path| answers(path, port)));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&seen), Arc::clone(&answers)));
            }
        });
        Self { port, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often it was asked for this.
    fn count(&self, path: &str) -> usize {
        self.asked().iter().filter(|asked| asked.contains(path)).count()
    }

    fn provider(&self, host: &str) -> OidcProvider {
        let server = OidcServer {
            name: "Company".into(),
            issuer: format!("http://{host}:{}", self.port).into(),
            client_id: "iot".into(),
            client_secret: Some("canary secret".to_owned().into()),
            domains: Vec::new(),
            ca: None,
        };
        OidcProvider::new(server).expect("is usable")
    }
}

/// Read one request, write it down, answer it. An empty status: say nothing.
async fn serve(mut stream: TcpStream, asked: Arc<Mutex<Vec<String>>>, answers: Answers) {
    let (mut read, mut buffer) = (Vec::new(), [0; 4_096]);
    let whole = |read: &[u8]| {
        let text = String::from_utf8_lossy(read).to_lowercase();
        let (head, body) = text.split_once("\r\n\r\n")?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        (body.len() >= length.map_or(0, |length| length.parse().unwrap_or(0))).then_some(())
    };
    while whole(&read).is_none() {
        match stream.read(&mut buffer).await {
            Ok(count) if count > 0 => read.extend_from_slice(&buffer[..count]),
            _ => return,
        }
    }
    let text = String::from_utf8_lossy(&read).into_owned();
    let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
    asked.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    let (status, body) = answers(&path);
    if status.is_empty() {
        tokio::time::sleep(Duration::from_secs(60)).await;
        return;
    }
    let answer = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let _ = stream.write_all(answer.as_bytes()).await;
}

fn document(host: &str, port: u16) -> Value {
    let root = format!("http://{host}:{port}");
    json!({"issuer": root, "authorization_endpoint": format!("{root}/auth"), "token_endpoint": format!("{root}/token"),
           "jwks_uri": format!("{root}/keys")})
}

fn ok(body: &impl ToString) -> (String, String) {
    ("200 OK".to_owned(), body.to_string())
}

/// A flow that has begun, with what its address leads to.
async fn begin(provider: &OidcProvider) -> (OidcFlow, Result<String, ProviderFault>) {
    let mut flows = OidcFlows::default();
    let begun = flows.begin((0, None, [127, 0, 0, 1].into()), &std::array::from_fn(|at| at as u8), 1);
    let address = provider.begin(&begun, BACK).await;
    (flows.take(&begun.state, 0, Some(&begun.binding), 2).expect("is good"), address)
}

fn claims(port: u16, nonce: &str) -> Value {
    json!({"iss": format!("http://127.0.0.1:{port}"), "aud": "iot", "exp": NOW_S + 60, "iat": NOW_S, "nonce": nonce,
           "sub": "7"})
}

#[tokio::test]
async fn threat_22_a_code_is_exchanged_with_its_verifier_and_the_token_is_looked_at() {
    let (signer, token) = (Arc::new(TokenSigner::new()), Arc::new(Mutex::new(String::new())));
    let (keys, given) = (Arc::clone(&signer), Arc::clone(&token));
    let fake = Fake::start(move |path, port| match path {
        "/token" => {
            ok(&json!({"id_token": *given.lock().expect("no panic"), "access_token": "x", "token_type": "Bearer"}))
        }
        "/keys" => ok(&keys.key_set("k1")),
        _ => ok(&document("127.0.0.1", port)),
    })
    .await;
    let provider = fake.provider("127.0.0.1");
    let (flow, address) = begin(&provider).await;
    let address = address.expect("leads there");
    for part in ["response_type=code", "code_challenge_method=S256", "redirect_uri=https%3A%2F%2Fiot.example%2F"] {
        assert!(address.contains(part), "{address}");
    }
    assert!(!address.contains(&flow.verifier), "the verifier stays here");
    let say = |alg: &str, kid: &str, nonce: &str| {
        let said = signer.sign(&json!({"alg": alg, "kid": kid}), &claims(fake.port, nonce));
        *token.lock().expect("no panic") = said;
    };
    let finish = || provider.finish(&flow, "the code", BACK, NOW_S);
    say("ES256", "k1", &flow.nonce);
    assert_eq!(&*finish().await.expect("is good").subject, "7");
    let exchange = fake.asked().into_iter().find(|asked| asked.starts_with("POST /token")).expect("was exchanged");
    for part in ["grant_type=authorization_code", "code=the%20code", &format!("code_verifier={}", flow.verifier)] {
        assert!(exchange.contains(part), "{exchange}");
    }
    // Name and secret are coded before they are joined (RFC 6749, 2.3.1).
    assert!(exchange.to_lowercase().contains("authorization: basic "), "{exchange}");
    assert!(!exchange.contains("canary"), "not in the body: {exchange}");
    say("none", "k1", &flow.nonce);
    assert_eq!(finish().await, Err(ProviderFault::Token(TokenFault::Algorithm)));
    say("ES256", "k1", "another sign-in");
    assert_eq!(finish().await, Err(ProviderFault::Token(TokenFault::Claim("nonce"))));
    // A key that it does not publish lets its keys be read again, but not at each token.
    let before = fake.count("/keys");
    for _ in 0..3 {
        say("ES256", "k9", &flow.nonce);
        assert_eq!(finish().await, Err(ProviderFault::Token(TokenFault::UnknownKey)));
    }
    assert_eq!((before, fake.count("/keys")), (1, 1));
}

#[tokio::test]
async fn threat_20_a_document_leads_nowhere_else() {
    let inner = Fake::start(|_, _| ok(&"{}")).await;
    let place = inner.port;
    // Its issuer is asked by a name; what the document names is another host of this network.
    for part in ["token_endpoint", "jwks_uri", "authorization_endpoint"] {
        let fake = Fake::start(move |_, port| {
            let mut named = document("localhost", port);
            named[part] = format!("http://127.0.0.1:{place}/").into();
            ok(&named)
        })
        .await;
        let (_, address) = begin(&fake.provider("localhost")).await;
        assert!(matches!(address, Err(ProviderFault::Server(_))), "{part}: {address:?}");
    }
    // A redirect is not followed, of the document or of the exchange.
    let redirect = move || (format!("307 Temporary Redirect\r\nLocation: http://127.0.0.1:{place}/"), String::new());
    let fake = Fake::start(move |_, _| redirect()).await;
    assert!(begin(&fake.provider("127.0.0.1")).await.1.is_err());
    let fake = Fake::start(move |path, port| match path {
        "/token" => redirect(),
        _ => ok(&document("127.0.0.1", port)),
    })
    .await;
    let provider = fake.provider("127.0.0.1");
    let (flow, _) = begin(&provider).await;
    assert!(matches!(provider.finish(&flow, "code", BACK, NOW_S).await, Err(ProviderFault::Server(_))));
    assert!(inner.asked().is_empty(), "{:?}", inner.asked());
}

#[tokio::test]
async fn a_server_that_fails_is_left_alone_for_a_while() {
    let fake = Fake::start(|_, _| ("503 Service Unavailable".to_owned(), String::new())).await;
    let provider = Arc::new(fake.provider("127.0.0.1"));
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let provider = Arc::clone(&provider);
        all.spawn(async move { begin(&provider).await.1 });
    }
    for address in all.join_all().await {
        assert_eq!(address, Err(ProviderFault::Server("it answers 503".to_owned())));
    }
    assert_eq!(fake.asked().len(), 1, "strangers do not make this ask");
}

#[tokio::test]
async fn threat_22_what_does_not_fit_is_refused() {
    // Another issuer's document would let that one speak for this one.
    let fake = Fake::start(|_, port| {
        let mut named = document("127.0.0.1", port);
        named["issuer"] = "https://evil.example".into();
        ok(&named)
    })
    .await;
    assert!(begin(&fake.provider("127.0.0.1")).await.1.is_err());
    let fake = Fake::start(|_, port| {
        let mut named = document("127.0.0.1", port);
        named["padding"] = "x".repeat(limits::OIDC_ANSWER_BYTES).into();
        ok(&named)
    })
    .await;
    let refused = begin(&fake.provider("127.0.0.1")).await.1;
    assert!(matches!(&refused, Err(ProviderFault::Server(why)) if why.contains("65536 bytes")), "{refused:?}");
    // Whoever accepts and says nothing is waited for so long, and no longer.
    let fake = Fake::start(|_, _| (String::new(), String::new())).await;
    let begun = std::time::Instant::now();
    let refused = begin(&fake.provider("127.0.0.1")).await.1;
    assert!(matches!(&refused, Err(ProviderFault::Server(why)) if why.contains("in time")), "{refused:?}");
    assert!(begun.elapsed() >= limits::OIDC_TIMEOUT);
}
