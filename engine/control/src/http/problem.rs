//! Errors as answers: problem+json (RFC 9457) with our codes.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde_json::json;

use crate::CommandError;

/// The answer to a request that failed. `request`: its number, so that the log and the audit can be searched.
pub(super) fn problem(error: &CommandError, request: u64) -> Response<Body> {
    problem_at(error, request, false)
}

/// The same; `is_platform`: in the shape of Blynk's Platform API, whose clients look for a message.
pub(super) fn problem_at(error: &CommandError, request: u64, is_platform: bool) -> Response<Body> {
    let status = StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut fields = json!({
        "status": status.as_u16(),
        "title": error.code.meaning(),
        "code": error.code.number(),
        "detail": error.text,
        "request": format!("{request:016x}"),
    });
    if let Some(field) = &error.field {
        fields["field"] = field.as_str().into();
    }
    if is_platform {
        fields["error"] = json!({"message": error.text});
    }
    let mut response = Response::new(Body::from(fields.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let media = if is_platform { "application/json" } else { "application/problem+json" };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    if let Some(retry_ms) = error.retry_ms {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_ms.div_ceil(1_000).max(1)));
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}
