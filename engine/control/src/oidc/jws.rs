//! Signed tokens (JWS, compact form), RS256 and ES256 only: whoever gives the token does not choose how it is looked at, so
//! `none` and keys that are shared do not exist here.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::Deserialize;
use serde_json::Value;

use crate::limits;

/// Why a token is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenFault {
    /// It is no such token.
    Shape,
    /// It is signed in a way that is not taken.
    Algorithm,
    /// It names a key that is not known.
    UnknownKey,
    /// It is not signed by that key.
    Signature,
    /// A claim is missing or wrong: which.
    Claim(&'static str),
}

impl std::fmt::Display for TokenFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Shape => f.write_str("the token is none"),
            Self::Algorithm => f.write_str("the token is signed in a way that is not taken"),
            Self::UnknownKey => f.write_str("the token names a key that the server does not publish"),
            Self::Signature => f.write_str("the token is not signed by that key"),
            Self::Claim(name) => write!(f, "the token's {name} is wrong"),
        }
    }
}

impl std::error::Error for TokenFault {}

/// A published key.
#[derive(Clone, Debug, Deserialize)]
struct PublishedKey {
    kty: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default, rename = "use")]
    purpose: Option<String>,
    #[serde(default)]
    crv: Option<String>,
    #[serde(default)]
    n: Option<String>,
    #[serde(default)]
    e: Option<String>,
    #[serde(default)]
    x: Option<String>,
    #[serde(default)]
    y: Option<String>,
}

/// The keys that a server publishes.
#[derive(Clone, Debug, Default)]
pub struct PublishedKeys(Vec<PublishedKey>);

impl PublishedKeys {
    /// Out of a JSON Web Key Set; keys of other kinds are left out.
    ///
    /// # Errors
    /// [`TokenFault::Shape`].
    pub fn parse(bytes: &[u8]) -> Result<Self, TokenFault> {
        #[derive(Deserialize)]
        struct KeySet {
            keys: Vec<Value>,
        }
        let set: KeySet = serde_json::from_slice(bytes).map_err(|_| TokenFault::Shape)?;
        let keys = set.keys.into_iter().take(limits::OIDC_KEYS).filter_map(|key| serde_json::from_value(key).ok());
        Ok(Self(keys.collect()))
    }
}

#[derive(Deserialize)]
struct TokenHead {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    /// What must be understood: nothing is.
    #[serde(default)]
    crit: Option<Value>,
}

fn decoded(text: &str) -> Result<Vec<u8>, TokenFault> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenFault::Shape)
}

fn part(text: Option<&String>) -> Result<Vec<u8>, TokenFault> {
    decoded(text.ok_or(TokenFault::UnknownKey)?)
}

fn is_signed(key: &PublishedKey, message: &[u8], signature: &[u8]) -> Result<(), TokenFault> {
    let wrong = |_| TokenFault::Signature;
    match key.kty.as_str() {
        "RSA" => {
            let (n, e) = (part(key.n.as_ref())?, part(key.e.as_ref())?);
            let key = RsaPublicKeyComponents { n: &n, e: &e };
            key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature).map_err(wrong)
        }
        _ => {
            let (x, y) = (part(key.x.as_ref())?, part(key.y.as_ref())?);
            let point = [&[4], x.as_slice(), y.as_slice()].concat();
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature).map_err(wrong)
        }
    }
}

/// What a token says, if one of these keys has signed it.
///
/// # Errors
/// [`TokenFault`].
pub fn verified(token: &str, keys: &PublishedKeys) -> Result<Value, TokenFault> {
    if token.len() > limits::OIDC_TOKEN_BYTES {
        return Err(TokenFault::Shape);
    }
    let (message, signature) = token.rsplit_once('.').ok_or(TokenFault::Shape)?;
    let (head, body) = message.split_once('.').filter(|(_, body)| !body.contains('.')).ok_or(TokenFault::Shape)?;
    let head: TokenHead = serde_json::from_slice(&decoded(head)?).map_err(|_| TokenFault::Shape)?;
    let kind = match (head.alg.as_str(), &head.crit) {
        ("RS256", None) => "RSA",
        ("ES256", None) => "EC",
        _ => return Err(TokenFault::Algorithm),
    };
    let signature = decoded(signature)?;
    // The key's kind decides, too: a public key is never taken for a shared one.
    let fits = |key: &&PublishedKey| {
        key.kty == kind
            && key.purpose.as_deref().is_none_or(|purpose| purpose == "sig")
            && (kind == "RSA" || key.crv.as_deref() == Some("P-256"))
            && head.kid.as_ref().is_none_or(|kid| key.kid.as_ref() == Some(kid))
    };
    let mut end = Err(TokenFault::UnknownKey);
    for key in keys.0.iter().filter(fits) {
        end = is_signed(key, message.as_bytes(), &signature);
        if end.is_ok() {
            break;
        }
    }
    end?;
    serde_json::from_slice(&decoded(body)?).map_err(|_| TokenFault::Shape)
}

#[cfg(test)]
pub(super) mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
    use serde_json::json;

    use super::*;

    pub(crate) struct TokenSigner {
        pair: EcdsaKeyPair,
        random: SystemRandom,
    }

    impl TokenSigner {
        pub(crate) fn new() -> Self {
            let random = SystemRandom::new();
            let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key");
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.as_ref(), &random);
            Self { pair: pair.expect("its own key"), random }
        }

        /// As a server publishes them.
        pub(crate) fn key_set(&self, kid: &str) -> String {
            let point = self.pair.public_key().as_ref();
            let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
            json!({"keys": [{"kty": "oct"}, {"kty": "EC", "crv": "P-256", "kid": kid, "x": x, "y": y}]}).to_string()
        }

        fn keys(&self, kid: &str) -> PublishedKeys {
            PublishedKeys::parse(self.key_set(kid).as_bytes()).expect("keys")
        }

        pub(crate) fn sign(&self, head: &Value, body: &Value) -> String {
            let text = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
            let message = format!("{}.{}", text(head), text(body));
            let signature = self.pair.sign(&self.random, message.as_bytes()).expect("signs");
            format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
        }
    }

    #[test]
    fn threat_22_only_what_the_servers_key_has_signed_is_believed() {
        let (signer, other) = (TokenSigner::new(), TokenSigner::new());
        let (keys, body) = (signer.keys("k1"), json!({"sub": "7"}));
        let good = json!({"alg": "ES256", "kid": "k1"});
        assert_eq!(verified(&signer.sign(&good, &body), &keys), Ok(body.clone()));
        assert_eq!(verified(&signer.sign(&json!({"alg": "ES256"}), &body), &keys), Ok(body.clone()));
        let fault = |token: &str| verified(token, &keys).expect_err("is refused");
        assert_eq!(fault(&other.sign(&good, &body)), TokenFault::Signature);
        assert_eq!(fault(&signer.sign(&json!({"alg": "ES256", "kid": "k2"}), &body)), TokenFault::UnknownKey);
        assert_eq!(fault(&signer.sign(&json!({"alg": "RS256", "kid": "k1"}), &body)), TokenFault::UnknownKey);
        for alg in ["none", "HS256", "ES384", "es256"] {
            assert_eq!(fault(&signer.sign(&json!({"alg": alg, "kid": "k1"}), &body)), TokenFault::Algorithm, "{alg}");
        }
        assert_eq!(fault(&signer.sign(&json!({"alg": "ES256", "crit": ["b64"]}), &body)), TokenFault::Algorithm);
        // HS256 with the public key as the secret, and `none` without a signature.
        let token = signer.sign(&good, &body);
        let (message, _) = token.rsplit_once('.').expect("parts");
        assert_eq!(fault(&format!("{message}.")), TokenFault::Signature);
        let (head, rest) = token.split_once('.').expect("parts");
        let forged = URL_SAFE_NO_PAD.encode(json!({"sub": "8"}).to_string());
        let (_, signature) = rest.split_once('.').expect("parts");
        assert_eq!(fault(&format!("{head}.{forged}.{signature}")), TokenFault::Signature);
        for shape in ["", "a.b", "a.b.c.d", "..", &format!("{token}.x"), &"x".repeat(limits::OIDC_TOKEN_BYTES + 1)] {
            assert!(verified(shape, &keys).is_err(), "{shape:.20}");
        }
    }
}
