//! Chunked bodies.

use crate::limits::{HTTP_BODY_BYTES, HTTP_CHUNK_LINE_BYTES, HTTP_CHUNKS};

use super::HttpFault;

/// Decode a chunked body from its start. `None`: its end has not come. The second half of the answer is how many bytes
/// it took.
pub(super) fn chunked(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, HttpFault> {
    // Copied only once everything is there: a body that comes byte by byte costs little.
    let Some(used) = walk(bytes, |_| {})? else { return Ok(None) };
    let mut body = Vec::new();
    walk(bytes, |chunk| body.extend_from_slice(chunk))?;
    Ok(Some((body, used)))
}

/// Go through all chunks; `None`: the end has not come.
fn walk<'a>(bytes: &'a [u8], mut on_chunk: impl FnMut(&'a [u8])) -> Result<Option<usize>, HttpFault> {
    let (mut at, mut body_bytes) = (0, 0);
    for _ in 0..HTTP_CHUNKS {
        let Some((len, line_bytes)) = size_line(&bytes[at..])? else { return Ok(None) };
        at += line_bytes;
        if len == 0 {
            // Trailer fields are not taken: the body ends with an empty line.
            return match bytes[at..] {
                [b'\r', b'\n', ..] => Ok(Some(at + 2)),
                [] | [b'\r'] => Ok(None),
                _ => Err(HttpFault::Chunk { what: "something follows the last chunk" }),
            };
        }
        body_bytes += len;
        if body_bytes > HTTP_BODY_BYTES {
            return Err(HttpFault::BodyTooLarge);
        }
        let Some(chunk) = bytes.get(at..at + len) else { return Ok(None) };
        on_chunk(chunk);
        at += len;
        match bytes[at..] {
            [b'\r', b'\n', ..] => at += 2,
            [] | [b'\r'] => return Ok(None),
            _ => return Err(HttpFault::Chunk { what: "a chunk is longer than its size" }),
        }
    }
    Err(HttpFault::Chunk { what: "too many chunks" })
}

/// Size of a chunk and the length of its line.
fn size_line(bytes: &[u8]) -> Result<Option<(usize, usize)>, HttpFault> {
    let window = &bytes[..bytes.len().min(HTTP_CHUNK_LINE_BYTES)];
    let Some(end) = window.windows(2).position(|pair| pair == b"\r\n") else {
        return if window.len() < HTTP_CHUNK_LINE_BYTES && window.iter().all(|b| b.is_ascii_hexdigit() || *b == b'\r') {
            Ok(None)
        } else {
            Err(HttpFault::Chunk { what: "a size line is not 1 to 8 hexadecimal digits" })
        };
    };
    let wrong = HttpFault::Chunk { what: "the size of a chunk is not hexadecimal" };
    let digits = &window[..end];
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(wrong);
    }
    let text = std::str::from_utf8(digits).map_err(|_| wrong)?;
    let len = usize::from_str_radix(text, 16).map_err(|_| wrong)?;
    if len > HTTP_BODY_BYTES {
        return Err(HttpFault::BodyTooLarge);
    }
    Ok(Some((len, end + 2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_joined_at_any_cut() {
        let whole = b"3\r\nabc\r\n0A\r\n0123456789\r\n0\r\n\r\nnext";
        let len = whole.len() - 4;
        for cut in 0..len {
            assert_eq!(chunked(&whole[..cut]), Ok(None), "{cut} bytes");
        }
        assert_eq!(chunked(whole), Ok(Some((b"abc0123456789".to_vec(), len))));
        assert_eq!(chunked(b"0\r\n\r\n"), Ok(Some((Vec::new(), 5))));
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        for bad in [
            &b"x\r\n"[..],
            b"\r\n",
            b"3;a=b\r\nabc\r\n",
            b"-3\r\n",
            b"+3\r\n",
            b"0x3\r\n",
            b"3 \r\nabc\r\n",
            b"3\nabc\r\n",
            b"3\r\nabcd\r\n",
            b"0\r\nTrailer: x\r\n\r\n",
            b"000000000003\r\nabc\r\n",
        ] {
            assert!(matches!(chunked(bad), Err(HttpFault::Chunk { .. })), "{:?}", bad.escape_ascii().to_string());
        }
        assert_eq!(chunked(b"FFFFFFFF\r\n"), Err(HttpFault::BodyTooLarge));
        let many = b"1\r\na\r\n".repeat(HTTP_CHUNKS);
        assert!(matches!(chunked(&many), Err(HttpFault::Chunk { what: "too many chunks" })));
    }
}
