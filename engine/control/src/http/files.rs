//! Files over HTTP: a script uploads one with the token of its device, and whoever has the link gets it. No cookie is read
//! here: a token or a link is what lets in.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, Response, StatusCode, header};
use axum::routing::{get, post};
use futures_core::Stream;
use linchpin_protocol::http::reply::put_string;
use linchpin_protocol::http::{Target, host_name};
use linchpin_protocol::model::{DeviceId, OrgId, Token};
use linchpin_storage::schema::{DeviceKey, FileKind};
use linchpin_storage::{FileDraft, FileName, FileRefused, FileShelf, limits as storage};
use tokio::task::JoinHandle;

use super::AskClient;
use crate::command::Desk;
use crate::limits;

/// The routes of files.
pub(super) fn files(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/external/api/upload", post(upload))
        .route("/external/api/upload/", post(upload))
        .route("/external/files/{link}/{name}", get(download))
        .with_state(desk)
}

/// A refusal in the words of the device API.
struct Refusal(u16, String);

fn refused<T>(status: u16, text: &str) -> Result<T, Refusal> {
    Err(Refusal(status, text.to_owned()))
}

impl From<FileRefused> for Refusal {
    fn from(why: FileRefused) -> Self {
        match why {
            FileRefused::TooMany => Self(403, "File uploads limit has been reached.".to_owned()),
            FileRefused::TooLarge(most) => Self(413, format!("A file has {most} bytes at most.")),
            FileRefused::NoRandom => {
                Self(503, "The operating system gave no random bytes for a link: try again in a moment.".to_owned())
            }
            FileRefused::Store(fault) => fault.into(),
        }
    }
}

impl From<linchpin_storage::Error> for Refusal {
    fn from(fault: linchpin_storage::Error) -> Self {
        tracing::warn!(error = %fault, "a file could not be stored or read");
        match fault {
            linchpin_storage::Error::NotUpgraded { .. } => Self(503, fault.to_string()),
            _ => Self(503, "The server cannot store or read files at the moment: try again later.".to_owned()),
        }
    }
}

impl Refusal {
    fn answer(self) -> Response<Body> {
        let mut json = String::from("{\"error\":{\"message\":");
        put_string(&mut json, &self.1);
        json.push_str("}}");
        let status = StatusCode::from_u16(self.0).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        finished(status, "application/json", Body::from(json))
    }
}

fn finished(status: StatusCode, media: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(media));
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, header::HeaderValue::from_static("nosniff"));
    response
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// Let a thread that may wait for the disk do it.
async fn blocking<T: Send + 'static>(job: impl FnOnce() -> Result<T, Refusal> + Send + 'static) -> Result<T, Refusal> {
    let failed = || Refusal(500, "The server has failed inside: its log says why.".to_owned());
    tokio::task::spawn_blocking(job).await.unwrap_or_else(|_| Err(failed()))
}

/// `POST /external/api/upload`, multipart with the file in `upfile`; the answer is its link.
async fn upload(State(desk): State<Arc<Desk>>, request: Request) -> Response<Body> {
    match taken(&desk, request).await {
        Ok(link) => finished(StatusCode::OK, "text/plain;charset=utf-8", Body::from(link)),
        Err(refusal) => refusal.answer(),
    }
}

async fn taken(desk: &Desk, request: Request) -> Result<String, Refusal> {
    let client = request.extensions().get::<AskClient>().copied();
    let over_tls = client.is_some_and(|client| client.over_tls);
    let (parts, body) = request.into_parts();
    let Some(token) = token(&parts.uri.to_string(), &parts.headers) else { return refused(400, "No token provided.") };
    let token = Token::parse(&token).map_err(|_| Refusal(400, "Invalid token.".to_owned()))?;
    let Some(keep) = desk.keep() else {
        return refused(503, "This server stores no files: its state is in memory only.");
    };
    let (shelf, finds) = (keep.files(), keep.clone());
    let device = blocking(move || Ok(finds.find(&token)?)).await?;
    let Some(key) = device.and_then(|device| owner(desk, device, over_tls)) else {
        return refused(400, "Invalid token.");
    };
    let key = key.map_err(|()| Refusal(403, "The template of this device requires TLS: use https.".to_owned()))?;
    let most = storage::UPLOAD_BYTES + limits::FORM_BYTES;
    let len = parts.headers.get(header::CONTENT_LENGTH).and_then(|len| len.to_str().ok()?.parse::<u64>().ok());
    if len.is_some_and(|len| len > most) {
        return Err(FileRefused::TooLarge(storage::UPLOAD_BYTES).into());
    }
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let Ok(boundary) = multer::parse_boundary(kind) else { return refused(400, "Unknown content type.") };
    let within = multer::SizeLimit::new().whole_stream(most).per_field(storage::UPLOAD_BYTES + 1);
    let form = multer::Multipart::with_constraints(
        body.into_data_stream(),
        boundary,
        multer::Constraints::new().size_limit(within),
    );
    let (draft, media) = read_form(form, shelf, key).await?;
    let (name, link) = blocking(move || {
        let name = draft.name().to_owned();
        Ok((name, draft.finish(media)?))
    })
    .await?;
    let scheme = if over_tls { "https" } else { "http" };
    let host = parts.headers.get(header::HOST).map(header::HeaderValue::as_bytes);
    let host = host.filter(|host| host_name(host).is_some()).and_then(|host| std::str::from_utf8(host).ok());
    Ok(format!("{scheme}://{}/external/files/{link}/{name}", host.unwrap_or("localhost")))
}

/// The device's place in the store; an error inside: it is served over TLS only.
fn owner(desk: &Desk, device: DeviceId, over_tls: bool) -> Option<Result<DeviceKey, ()>> {
    let registry = desk.registry();
    let entry = registry.device(device)?;
    let needs_tls = entry.template.and_then(|id| registry.template(id)).is_some_and(|it| it.template().requires_tls);
    Some(if needs_tls && !over_tls { Err(()) } else { Ok(DeviceKey::new(entry.org, device)) })
}

fn token(target: &str, headers: &HeaderMap) -> Option<Vec<u8>> {
    let of_query = Target::parse(target).get("token").map(std::borrow::Cow::into_owned);
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    of_query.or_else(|| bearer.map(|token| token.as_bytes().to_vec()))
}

/// The bytes of `upfile`, piece by piece into the store: never whole in memory.
async fn read_form(
    mut form: multer::Multipart<'_>,
    shelf: FileShelf,
    key: DeviceKey,
) -> Result<(FileDraft, &'static str), Refusal> {
    loop {
        let field = form.next_field().await.map_err(|fault| broken(&fault))?;
        let Some(mut field) = field else { return refused(400, "The form has no field upfile with a file.") };
        if field.name() != Some("upfile") {
            continue;
        }
        let name = field.file_name().unwrap_or_default().to_owned();
        let shelf = shelf.clone();
        let mut draft = blocking(move || Ok(shelf.begin(key, FileKind::Upload, &name, now_ms())?)).await?;
        let mut media = None;
        let mut waiting: Vec<u8> = Vec::new();
        while let Some(bytes) = field.chunk().await.map_err(|fault| broken(&fault))? {
            waiting.extend_from_slice(&bytes);
            if waiting.len() >= storage::FILE_PIECE_BYTES {
                media.get_or_insert_with(|| media_of(&waiting));
                let piece = std::mem::take(&mut waiting);
                draft = written(draft, piece).await?;
            }
        }
        let media = media.unwrap_or_else(|| media_of(&waiting));
        return Ok((written(draft, waiting).await?, media));
    }
}

async fn written(mut draft: FileDraft, piece: Vec<u8>) -> Result<FileDraft, Refusal> {
    blocking(move || {
        draft.write(&piece)?;
        Ok(draft)
    })
    .await
}

fn broken(fault: &multer::Error) -> Refusal {
    match fault {
        multer::Error::StreamSizeExceeded { .. } | multer::Error::FieldSizeExceeded { .. } => {
            FileRefused::TooLarge(storage::UPLOAD_BYTES).into()
        }
        _ => Refusal(400, "The form is no multipart/form-data, or was cut off.".to_owned()),
    }
}

/// What a browser may show in a page: pictures, by their first bytes, whatever their name says. All else is saved, SVG and
/// HTML too: they could run scripts under this server's name.
fn media_of(first: &[u8]) -> &'static str {
    let known: [(&[u8], &str); 4] = [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF87a", "image/gif"),
        (b"GIF89a", "image/gif"),
    ];
    if first.starts_with(b"RIFF") && first.get(8..12) == Some(b"WEBP") {
        return "image/webp";
    }
    known.iter().find(|(magic, _)| first.starts_with(magic)).map_or(OTHER, |(_, media)| media)
}

const OTHER: &str = "application/octet-stream";

/// `GET /external/files/LINK/NAME`.
async fn download(State(desk): State<Arc<Desk>>, Path((link, _)): Path<(String, String)>) -> Response<Body> {
    found(&desk, &link).await.unwrap_or_else(Refusal::answer)
}

async fn found(desk: &Desk, link: &str) -> Result<Response<Body>, Refusal> {
    let none = || Refusal(404, "There is no such file, or its link has expired.".to_owned());
    let name: FileName = link.parse().map_err(|_| none())?;
    let org = desk.registry().device(name.device).map(|device| device.org).ok_or_else(none)?;
    let shelf = desk.keep().ok_or_else(none)?.files();
    let (opened, opens) = (name.clone(), shelf.clone());
    let file = blocking(move || Ok(opens.open(org, &opened, now_ms())?)).await?.ok_or_else(none)?;
    let is_shown = file.media.starts_with("image/");
    let pieces = file.len.div_ceil(storage::FILE_PIECE_BYTES as u64) as u32;
    let mut response =
        finished(StatusCode::OK, OTHER, Body::from_stream(Pieces { shelf, org, name, at: 0, pieces, reading: None }));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, file.len.into());
    if let Ok(media) = header::HeaderValue::from_str(&file.media) {
        headers.insert(header::CONTENT_TYPE, media);
    }
    let manner = if is_shown { "inline" } else { "attachment" };
    if let Ok(value) = header::HeaderValue::from_str(&format!("{manner}; filename=\"{}\"", file.name)) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    let policy = header::HeaderValue::from_static("default-src 'none'; sandbox");
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok(response)
}

type Reading = JoinHandle<Result<Option<Box<[u8]>>, linchpin_storage::Error>>;

/// A file's bytes as they are asked for: one piece is in memory, and no thread waits for a slow client.
struct Pieces {
    shelf: FileShelf,
    org: OrgId,
    name: FileName,
    at: u32,
    pieces: u32,
    reading: Option<Reading>,
}

impl Stream for Pieces {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.at == self.pieces {
            return Poll::Ready(None);
        }
        let this = &mut *self;
        let reading = this.reading.get_or_insert_with(|| {
            let (shelf, name, org, at) = (this.shelf.clone(), this.name.clone(), this.org, this.at);
            tokio::task::spawn_blocking(move || shelf.piece(org, &name, at))
        });
        let Poll::Ready(piece) = Pin::new(reading).poll(cx) else { return Poll::Pending };
        (this.reading, this.at) = (None, this.at + 1);
        // Gone meanwhile, or damaged: the answer is cut off.
        let gone = || std::io::Error::other("a piece of a file cannot be read");
        Poll::Ready(Some(match piece {
            Ok(Ok(Some(piece))) => Ok(Bytes::from(Vec::from(piece))),
            _ => Err(gone()),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pictures_are_shown() {
        for (first, media) in [
            (&b"\x89PNG\r\n\x1a\n...."[..], "image/png"),
            (b"\xff\xd8\xff\xe0", "image/jpeg"),
            (b"GIF89a", "image/gif"),
            (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
            (b"RIFF\0\0\0\0WAVE", OTHER),
            (b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script/></svg>", OTHER),
            (b"<!doctype html>", OTHER),
            (b"", OTHER),
        ] {
            assert_eq!(media_of(first), media, "{}", first.escape_ascii());
        }
    }
}
