//! What is to be looked at before anything is ordered, for `doctor` and `check`, by the configuration alone.

use linchpin_control::acme::{AcmeSettings, Gravity, Listens, PlanFinding, look_ahead};

use crate::cli::failure::Failure;
use crate::config::Listen;
use crate::tls::TlsConfig;

/// What is ordered, and where the server listens.
pub(crate) type Ordered = (AcmeSettings, Listens);

/// `None`: nothing is ordered.
///
/// # Errors
/// A file that the configuration names cannot be used.
pub(crate) fn ordered(tls: Option<&TlsConfig>, listen: &Listen) -> Result<Option<Ordered>, Failure> {
    let Some(tls) = tls else { return Ok(None) };
    let settings = tls.acme_settings().map_err(|error| Failure::Config(error.to_string()))?;
    let listens =
        Listens { tls: listen.tls.iter().chain(&listen.mutual).copied().collect(), plain: listen.plain.clone() };
    Ok(settings.map(|settings| (settings, listens)))
}

/// The findings; none if nothing is ordered. Blocks for the network, at most as long as a plan may.
///
/// # Errors
/// A file that the configuration names cannot be used.
pub(crate) fn findings(tls: Option<&TlsConfig>, listen: &Listen) -> Result<Vec<PlanFinding>, Failure> {
    let Some((settings, listens)) = ordered(tls, listen)? else { return Ok(Vec::new()) };
    look_ahead(&settings, &listens).map_err(Failure::general)
}

/// Say on standard error what would keep an order from succeeding: the file is right all the same.
///
/// # Errors
/// As with [`findings`].
pub(crate) fn warn(tls: Option<&TlsConfig>, listen: &Listen) -> Result<(), Failure> {
    for one in findings(tls, listen)?.iter().filter(|one| one.mark != Gravity::Ok) {
        let word = if one.mark == Gravity::Fail { "an order would fail" } else { "look at it" };
        eprintln!("certificates: {word}: {}", one.text);
    }
    Ok(())
}
