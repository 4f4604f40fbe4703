//! What an authority's errors mean, and what may be said of them.

use instant_acme::{Error, Problem};

use super::call::{CallFailure, FailureKind};

/// A failed call.
pub(super) fn failure(error: &Error) -> CallFailure {
    match error {
        Error::Api(problem) => CallFailure::new(kind(problem), of_problem(problem)),
        Error::Unsupported(what) => CallFailure::new(FailureKind::Refused, format!("the authority has no {what}")),
        Error::KeyRejected | Error::Crypto => {
            CallFailure::new(FailureKind::Refused, "the key of the account is damaged")
        }
        // Nobody there, half an answer, a page of a proxy: it may be over soon.
        other => CallFailure::new(FailureKind::Unreachable, clean(&other.to_string())),
    }
}

/// The same of an order that names the certificate which it replaces. Many an authority cannot find that one: it has lost
/// it, has not filed it yet, or counts it as replaced. An order without the name may be made at once.
pub(super) fn of_replacing(error: &Error) -> CallFailure {
    let mut failure = failure(error);
    let is_lookup = matches!(error, Error::Unsupported(_))
        || matches!(error, Error::Api(problem) if failure.kind == FailureKind::Refused || is_internal(problem));
    if is_lookup {
        failure.kind = FailureKind::NotReplaceable;
    }
    failure
}

/// Something went wrong with this one request; the authority itself is there.
fn is_internal(problem: &Problem) -> bool {
    problem.status == Some(500) && problem.r#type.as_deref().is_some_and(|kind| kind.ends_with(":serverInternal"))
}

/// Was the nonce refused? Nothing was done then, and the same may be asked again at once.
pub(super) fn is_bad_nonce(error: &Error) -> bool {
    matches!(error, Error::Api(problem) if problem.r#type.as_deref().is_some_and(|kind| kind.ends_with(":badNonce")))
}

/// An exchange with an authority; made again at once while it refuses the nonce, [`limits::NONCES`] times.
///
/// [`limits::NONCES`]: super::limits::NONCES
macro_rules! exchange {
    ($call:expr) => {{
        let mut left = $crate::acme::limits::NONCES;
        loop {
            match $call.await {
                Err(error) if left > 0 && $crate::acme::fault::is_bad_nonce(&error) => left -= 1,
                done => break done,
            }
        }
    }};
}

pub(super) use exchange;

fn kind(problem: &Problem) -> FailureKind {
    let name = problem.r#type.as_deref().unwrap_or_default().rsplit(':').next().unwrap_or_default();
    match name {
        "rateLimited" => FailureKind::Limited,
        "alreadyReplaced" => FailureKind::NotReplaceable,
        "accountDoesNotExist" => FailureKind::AccountGone,
        "badNonce" | "serverInternal" | "orderNotReady" => FailureKind::Unreachable,
        _ => match problem.status {
            Some(409) => FailureKind::NotReplaceable,
            Some(429) => FailureKind::Limited,
            Some(500..) => FailureKind::Unreachable,
            _ => FailureKind::Refused,
        },
    }
}

/// What an authority says, with its parts.
pub(super) fn of_problem(problem: &Problem) -> String {
    let name = problem.r#type.as_deref().unwrap_or_default().rsplit(':').next().unwrap_or_default();
    let mut text = problem.detail.clone().unwrap_or_default();
    for part in &problem.subproblems {
        text = format!("{text}; {}", part.detail.as_deref().unwrap_or_default());
    }
    if !name.is_empty() {
        text = format!("{text} ({name})");
    }
    clean(&text)
}

/// Without line ends and addresses of mail.
fn clean(text: &str) -> String {
    let words = text.split_whitespace().map(|word| if word.contains('@') { "(an address)" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(json: &str) -> Problem {
        serde_json::from_str(json).expect("a problem")
    }

    #[test]
    fn errors_mean_what_rfc_8555_says() {
        let of = |kind: &str, status: u16| {
            let json = format!(r#"{{"type": "urn:ietf:params:acme:error:{kind}", "status": {status}, "detail": "d"}}"#);
            failure(&Error::Api(problem(&json))).kind
        };
        assert_eq!(of("rateLimited", 429), FailureKind::Limited);
        assert_eq!(of("alreadyReplaced", 409), FailureKind::NotReplaceable);
        assert_eq!(of("conflict", 409), FailureKind::NotReplaceable);
        assert_eq!(of("accountDoesNotExist", 400), FailureKind::AccountGone);
        assert_eq!(of("badNonce", 400), FailureKind::Unreachable);
        assert_eq!(of("serverInternal", 500), FailureKind::Unreachable);
        assert_eq!(of("rejectedIdentifier", 400), FailureKind::Refused);
        assert_eq!(failure(&Error::Str("no answer")).kind, FailureKind::Unreachable);
    }

    #[test]
    fn an_authority_that_cannot_find_what_is_replaced_gets_an_order_without_it() {
        let of = |kind: &str, status: u16| {
            let json = format!(r#"{{"type": "urn:ietf:params:acme:error:{kind}", "status": {status}, "detail": "d"}}"#);
            of_replacing(&Error::Api(problem(&json))).kind
        };
        for (kind, status) in
            [("alreadyReplaced", 409), ("malformed", 400), ("malformed", 404), ("serverInternal", 500)]
        {
            assert_eq!(of(kind, status), FailureKind::NotReplaceable, "{kind} {status}");
        }
        assert_eq!(of_replacing(&Error::Unsupported("replaces")).kind, FailureKind::NotReplaceable);
        // Here the name of the certificate changes nothing.
        assert_eq!(of("rateLimited", 429), FailureKind::Limited);
        assert_eq!(of("accountDoesNotExist", 400), FailureKind::AccountGone);
        assert_eq!(of("serverInternal", 503), FailureKind::Unreachable);
        assert_eq!(of_replacing(&Error::Str("no answer")).kind, FailureKind::Unreachable);
    }

    #[test]
    fn what_is_said_names_nobody() {
        let json = r#"{"type": "urn:ietf:params:acme:error:invalidContact", "detail": "contact\nme@example.com refused",
            "subproblems": [{"detail": "domain of me@example.com"}]}"#;
        let text = of_problem(&problem(json));
        assert_eq!(text, "contact (an address) refused; domain of (an address) (invalidContact)");
    }
}
