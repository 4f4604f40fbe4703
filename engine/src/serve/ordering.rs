//! TLS of a server, and the orders of certificates that are missing or due.

use std::path::Path;
use std::sync::Arc;

use linchpin_control::Keep;
use linchpin_control::acme::{Acme, AcmeSettings, Serve};

use crate::serve::error::ServeError;
use crate::store::Stored;
use crate::tls::{Tls, TlsConfig};

/// What the control plane needs to order certificates: their state, and who serves them.
type Ordering = (Acme, Serve);

/// TLS with the certificates that are there, and the orders of those that are missing or due.
pub(super) fn open_tls(
    config: Option<TlsConfig>,
    data_path: &Path,
    stored: Option<&Stored>,
) -> Result<(Option<Arc<Tls>>, Option<Ordering>), ServeError> {
    let Some(config) = config else { return Ok((None, None)) };
    let settings = config.acme_settings().map_err(ServeError::Tls)?;
    let tls = Tls::open(config, data_path, stored.map(Stored::ticket_key)).map_err(ServeError::Tls)?;
    let ordering = settings.map(|settings| order(settings, stored.map(Stored::keep).as_ref(), &tls)).transpose()?;
    Ok((Some(tls), ordering))
}

/// Serve what was ordered before, and let control order what is missing or due.
fn order(settings: AcmeSettings, keep: Option<&Keep>, tls: &Arc<Tls>) -> Result<Ordering, ServeError> {
    let store = keep.map(|keep| Arc::clone(keep.store()));
    let acme = Acme::load(settings, store, tls.challenges()).map_err(ServeError::Acme)?;
    tls.serve_ordered(acme.identities()).map_err(ServeError::Tls)?;
    let tls = Arc::clone(tls);
    Ok((acme, Arc::new(move |identities| tls.serve_ordered(identities).map_err(|error| error.to_string()))))
}
