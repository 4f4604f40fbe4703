//! What an id token must say (OpenID Connect Core 3.1.3.7).

use serde_json::Value;

use super::jws::TokenFault;
use crate::account::EmailAddress;
use crate::limits;

/// Who is expected to have given it to whom.
#[derive(Clone, Copy, Debug)]
pub struct ExpectedClaims<'a> {
    /// `iss`, exactly.
    pub issuer: &'a str,
    /// `aud`, and `azp` if there is one.
    pub client_id: &'a str,
    /// `nonce`, of this sign-in.
    pub nonce: &'a str,
    /// The time, s since 1970.
    pub now_s: u64,
}

/// Who has signed in there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidcIdentity {
    /// Their `sub`: unique at the server, and theirs for ever.
    pub subject: Box<str>,
    /// Their address, if the server says that it has verified it.
    pub verified_email: Option<EmailAddress>,
}

/// The identity of an id token whose signature was looked at.
///
/// # Errors
/// [`TokenFault::Claim`]: the first that is wrong.
pub fn identity(token: &Value, expected: &ExpectedClaims<'_>) -> Result<OidcIdentity, TokenFault> {
    let text = |name: &str| token.get(name).and_then(Value::as_str);
    let wrong = |name| Err(TokenFault::Claim(name));
    if text("iss") != Some(expected.issuer) {
        return wrong("iss");
    }
    let is_us = |value: &Value| value.as_str() == Some(expected.client_id);
    let (for_us, several) = match token.get("aud") {
        Some(Value::Array(all)) => (all.iter().any(is_us), all.len() > 1),
        Some(one) => (is_us(one), false),
        None => (false, false),
    };
    if !for_us {
        return wrong("aud");
    }
    let azp = token.get("azp");
    if azp.is_some_and(|azp| !is_us(azp)) || (several && azp.is_none()) {
        return wrong("azp");
    }
    let seconds = |name: &str| token.get(name).and_then(Value::as_f64).map(|s| s.max(0.0) as u64);
    if seconds("exp").is_none_or(|exp| exp.saturating_add(limits::OIDC_LEEWAY_S) <= expected.now_s) {
        return wrong("exp");
    }
    if seconds("iat").is_none_or(|iat| iat > expected.now_s + limits::OIDC_LEEWAY_S) {
        return wrong("iat");
    }
    if seconds("nbf").is_some_and(|nbf| nbf > expected.now_s + limits::OIDC_LEEWAY_S) {
        return wrong("nbf");
    }
    if text("nonce") != Some(expected.nonce) {
        return wrong("nonce");
    }
    let subject = text("sub").filter(|subject| (1..=limits::OIDC_SUBJECT_BYTES).contains(&subject.len()));
    let Some(subject) = subject else { return wrong("sub") };
    let is_verified = token.get("email_verified") == Some(&Value::Bool(true));
    let verified_email = text("email").filter(|_| is_verified).and_then(|email| EmailAddress::parse(email).ok());
    Ok(OidcIdentity { subject: subject.into(), verified_email })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const EXPECTED: ExpectedClaims<'static> =
        ExpectedClaims { issuer: "https://id.example", client_id: "iot", nonce: "n1", now_s: 1_000 };

    fn good() -> Value {
        json!({"iss": "https://id.example", "aud": "iot", "exp": 1_300, "iat": 990, "nonce": "n1", "sub": "7",
               "email": "eve@example.com", "email_verified": true})
    }

    #[test]
    fn threat_22_each_claim_is_looked_at() {
        let found = identity(&good(), &EXPECTED).expect("is good");
        assert_eq!(
            (&*found.subject, found.verified_email.map(|email| email.folded())),
            ("7", Some("eve@example.com".into()))
        );
        let cases = [
            ("iss", json!("https://id.example/")),
            ("iss", json!("https://evil.example")),
            ("aud", json!("other")),
            ("aud", json!(["other"])),
            ("azp", json!("other")),
            ("exp", json!(900)),
            ("exp", Value::Null),
            ("iat", json!(2_000)),
            ("nbf", json!(2_000)),
            ("nonce", json!("n2")),
            ("nonce", Value::Null),
            ("sub", json!("")),
            ("sub", json!("x".repeat(256))),
        ];
        for (name, value) in cases {
            let mut token = good();
            token[name] = value.clone();
            assert_eq!(identity(&token, &EXPECTED), Err(TokenFault::Claim(name)), "{name}: {value}");
        }
        let mut far = good();
        far["exp"] = json!(1e300);
        assert!(identity(&far, &EXPECTED).is_ok());
        let mut several = good();
        several["aud"] = json!(["iot", "other"]);
        assert_eq!(identity(&several, &EXPECTED), Err(TokenFault::Claim("azp")));
        several["azp"] = json!("iot");
        assert!(identity(&several, &EXPECTED).is_ok());
    }

    #[test]
    fn threat_22_an_address_counts_only_when_it_was_verified() {
        for (name, value) in [
            ("email_verified", json!(false)),
            ("email_verified", json!("true")),
            ("email_verified", Value::Null),
            ("email", json!("mi\u{212a}e@example.com")),
        ] {
            let mut token = good();
            token[name] = value;
            assert_eq!(identity(&token, &EXPECTED).expect("is good").verified_email, None, "{name}");
        }
    }
}
