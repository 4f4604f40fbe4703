//! Where people find the server, and how the first of them gets in.

use std::net::SocketAddr;
use std::path::Path;

use linchpin_control::{Control, PeopleSettings};

use crate::serve::boot::Engine;
use crate::serve::dev::address_for_boards;
use crate::serve::ready::Ready;
use crate::tick::doors::Door;

/// An address as a browser writes it; of one that means all of them, one that others can reach.
fn reachable(address: SocketAddr) -> SocketAddr {
    if !address.ip().is_unspecified() {
        return address;
    }
    SocketAddr::new(address_for_boards().unwrap_or([127, 0, 0, 1].into()), address.port())
}

/// What links begin with where the configuration does not say it: HTTPS, but on this machine itself, where browsers need not
/// trust the server's own authority.
fn public_url(engine: &Engine) -> Option<Box<str>> {
    let first = |door| engine.addresses(door).first().copied();
    let (plain, tls) = (first(Door::Plain), first(Door::Tls));
    let url = match (plain.filter(|plain| plain.ip().is_loopback()), tls) {
        (Some(plain), _) => format!("http://{plain}"),
        (None, Some(tls)) => format!("https://{}", reachable(tls)),
        (None, None) => format!("http://{}", reachable(plain?)),
    };
    Some(url.into())
}

/// Complete what the configuration says.
pub(super) fn people(settings: PeopleSettings, data_path: &Path, engine: &Engine) -> PeopleSettings {
    let data_path = std::path::absolute(data_path).unwrap_or_else(|_| data_path.to_owned());
    PeopleSettings {
        public_url: settings.public_url.or_else(|| public_url(engine)),
        mail_path: Some(data_path.join("mail")),
        setup_path: Some(data_path.join("bootstrap")),
        played_path: Some(data_path.join("played")),
        ..settings
    }
}

/// Where people find the console and programs the API, and the link that sets the server up while there is nobody.
pub(super) fn links(ready: &mut Ready, control: &Control, url: Option<&str>) {
    let url = url.filter(|_| control.has_people());
    ready.console = url.map(|url| format!("{url}/"));
    ready.api = url.map(|url| format!("{url}/api/v1"));
    ready.setup = control.setup_link();
    if ready.setup.is_some() {
        // The link itself is a secret: it stands in a file, and not in the log.
        tracing::info!(
            "nobody can sign in yet: the link in the file bootstrap of the data directory sets this server up"
        );
    }
}
