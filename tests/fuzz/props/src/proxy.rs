//! The header of a load balancer: it is whole at one length, and what is read was written.

use linchpin_protocol::proxy::{Proxy, parse, write};

/// See the module's page.
pub fn proxy(input: &[u8]) {
    let found = parse(input);
    for cut in 0..input.len() {
        match (parse(&input[..cut]), found) {
            (Ok(Proxy::Partial), _) => {}
            (early, whole) => assert_eq!(early, whole, "{cut} bytes decide, and so do more"),
        }
    }
    let Ok(Proxy::Header { client, used }) = found else { return };
    assert!(used <= input.len(), "a header takes what is there");
    let Some(client) = client else { return };
    let mut written = Vec::new();
    write(&mut written, client, client);
    let used = written.len();
    assert_eq!(parse(&written), Ok(Proxy::Header { client: Some(client), used }));
}
