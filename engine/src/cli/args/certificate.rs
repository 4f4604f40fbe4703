//! Arguments of `linchpin cert`.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use linchpin_control::request::{CertKind, RevokeReason};

use super::Where;

/// Which certificates, of all that are ordered.
#[derive(Args)]
pub(crate) struct OfNames {
    /// One of its names; else all.
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) of: OfKind,
}

/// Which kind of key.
#[derive(Args)]
pub(crate) struct OfKind {
    /// Kind of key: ecdsa or rsa; else both.
    #[arg(long, value_name = "KIND", value_parser = PossibleValuesParser::new(["ecdsa", "rsa"]))]
    kind: Option<String>,
    #[command(flatten)]
    pub(crate) at: Where,
}

impl OfKind {
    pub(crate) fn kind(&self) -> Option<CertKind> {
        self.kind.as_ref().map(|kind| if kind == "rsa" { CertKind::Rsa } else { CertKind::Ecdsa })
    }
}

fn reason(text: &str) -> Result<RevokeReason, String> {
    use RevokeReason::{Cessation, KeyCompromise, Superseded, Unspecified};
    let known = [
        ("unspecified", Unspecified),
        ("key-compromise", KeyCompromise),
        ("superseded", Superseded),
        ("cessation", Cessation),
    ];
    let names = || known.map(|reason| reason.0).join(", ");
    let found = known.into_iter().find(|reason| reason.0 == text);
    found.map(|reason| reason.1).ok_or_else(|| format!("the reason is one of {}", names()))
}

#[derive(Subcommand)]
pub(crate) enum CertVerb {
    /// Look at everything that an order needs: authority, clock, names, CAA records, ports, chains. Works without a server.
    Plan(Where),
    /// Order a certificate from an authority for tries, with nothing stored and nothing served.
    Try {
        #[command(flatten)]
        names: OfNames,
        /// The directory to try; else Let's Encrypt's staging for Let's Encrypt, or the authority itself.
        #[arg(long, value_name = "URL")]
        directory: Option<String>,
    },
    /// How orders and certificates stand. Works without a server.
    Status(OfNames),
    /// Order now, whatever the calendar says.
    Renew {
        #[command(flatten)]
        names: OfNames,
        /// Wait until the new certificate is served, or the order has failed.
        #[arg(long)]
        wait: bool,
    },
    /// Revoke the certificate that is served, and order a new one.
    Revoke {
        /// One of its names.
        name: String,
        /// Why: unspecified, key-compromise, superseded or cessation.
        #[arg(long, value_name = "REASON", default_value = "unspecified", value_parser = reason)]
        reason: RevokeReason,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        of: OfKind,
    },
    /// Serve the certificate before.
    Rollback {
        /// One of its names.
        name: String,
        #[command(flatten)]
        of: OfKind,
    },
    /// Write chain and key to files of a folder: fullchain.pem, privkey.pem (0600). Works without a server.
    Export {
        /// One of its names.
        name: String,
        /// The folder. With --json they are printed instead.
        #[arg(long, value_name = "DIR", required_unless_present = "json")]
        into: Option<PathBuf>,
        #[command(flatten)]
        of: OfKind,
    },
}
