//! `linchpin cert`: certificates that the server orders by itself. The running server is asked; what only looks works
//! without one too, on the configuration and the store.

mod ahead;
mod text;

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use linchpin_control::acme::{AcmeSettings, Gravity, LineReport, Which, look_ahead, stored_certificate, stored_lines};
use linchpin_control::request::{
    CertExport, CertPlan, CertRenew, CertRevoke, CertRollback, CertStatus, CertTry, ExportedCertificate, Request,
};
use serde_json::Value;

use super::args::{CertVerb, FoundServer, OfNames, Where};
use super::client;
use super::failure::Failure;
use super::output::{json_line, say};
use super::store::{confirmed, to_json};
use crate::config;
use crate::when::TimeStyle;

pub(crate) use ahead::{findings, warn};

/// How often it is looked whether an order is over.
const LOOK: Duration = Duration::from_millis(500);
/// `renew --wait` gives up after this time; the server goes on.
const RENEWED: Duration = Duration::from_secs(600);

/// See the module's page.
pub(crate) fn cert(verb: CertVerb) -> Result<(), Failure> {
    match verb {
        CertVerb::Plan(at) => plan(&at),
        CertVerb::Try { names: OfNames { name, of }, directory } => {
            let asked = CertTry { name, kind: of.kind(), directory };
            let line = of.at.ask_server(&asked)?;
            of.at.show(&to_json(&line)?, || text::tried(&line, TimeStyle::of(of.at.at.utc)))?;
            match line.current {
                Some(_) => Ok(()),
                None => Err(Failure::general("no certificate came")),
            }
        }
        CertVerb::Status(OfNames { name, of }) => {
            let lines = if of.at.is_served()? {
                of.at.ask_server(&CertStatus { name, kind: of.kind() })?
            } else {
                let which = Which { name, kind: of.kind().map(linchpin_control::request::CertKind::kind) };
                of.at.offline(true, |settings, store| {
                    let lines = stored_lines(settings, store)?;
                    which.pick(lines)
                })?
            };
            show_lines(&of.at, &lines)
        }
        CertVerb::Renew { names: OfNames { name, of }, wait } => {
            let kind = of.kind();
            let before = of.at.ask_server(&CertStatus { name: name.clone(), kind })?;
            let mut lines = of.at.ask_server(&CertRenew { name: name.clone(), kind })?;
            if wait {
                lines = renewed(&of.at, &before, &CertStatus { name, kind })?;
            }
            show_lines(&of.at, &lines)
        }
        CertVerb::Revoke { name, reason, yes, of } => {
            if !yes && !confirmed(&format!("the certificate of {name}"), "revoke")? {
                return Err(Failure::general("nothing was revoked"));
            }
            show_lines(&of.at, &of.at.ask_server(&CertRevoke { name, kind: of.kind(), reason })?)
        }
        CertVerb::Rollback { name, of } => {
            show_lines(&of.at, &of.at.ask_server(&CertRollback { name, kind: of.kind() })?)
        }
        CertVerb::Export { name, into, of } => export(name, into.as_deref(), &of),
    }
}

fn plan(at: &Where) -> Result<(), Failure> {
    let found = if at.is_served()? {
        at.ask_server(&CertPlan {})?
    } else {
        let (settings, listens) = at.ordering()?;
        look_ahead(&settings, &listens).map_err(Failure::general)?
    };
    at.show(&to_json(&found)?, || text::plan(&found))?;
    match found.iter().filter(|one| one.mark == Gravity::Fail).count() {
        0 => Ok(()),
        count => Err(Failure::General(format!("{count} of {} findings would make an order fail", found.len()))),
    }
}

fn export(name: String, into: Option<&Path>, of: &super::args::OfKind) -> Result<(), Failure> {
    let kind = of.kind();
    let found = if of.at.is_served()? {
        of.at.ask_server(&CertExport { name, kind })?
    } else {
        let which = Which { name: Some(name), kind: kind.map(linchpin_control::request::CertKind::kind) };
        of.at.offline(true, |settings, store| {
            let found = stored_certificate(settings, store, &which)?;
            let (chain_pem, key_pem) = (found.chain_pem.to_string(), found.key_pem.to_string());
            Ok(ExportedCertificate { chain_pem, key_pem })
        })?
    };
    let Some(folder) = into else { return say(&json_line(&found)?) };
    std::fs::create_dir_all(folder).map_err(|error| Failure::general(format!("{}: {error}", folder.display())))?;
    for (file, pem) in [("privkey.pem", &found.key_pem), ("fullchain.pem", &found.chain_pem)] {
        linchpin_storage::write_private(&folder.join(file), pem.as_bytes()).map_err(Failure::general)?;
    }
    say(&format!("fullchain.pem and privkey.pem are in {}\n", folder.display()))
}

fn show_lines(at: &Where, lines: &[LineReport]) -> Result<(), Failure> {
    at.show(&to_json(&lines)?, || text::lines(lines, TimeStyle::of(at.at.utc)))
}

/// Ask again until every line has another certificate than before.
fn renewed(at: &Where, before: &[LineReport], asked: &CertStatus) -> Result<Vec<LineReport>, Failure> {
    let end = Instant::now() + RENEWED;
    loop {
        let lines = at.ask_server(asked)?;
        let is_new = |(old, new): &(&LineReport, &LineReport)| old.serial() != new.serial();
        let stale: Vec<&LineReport> =
            before.iter().zip(&lines).filter(|pair| !is_new(pair)).map(|(_, new)| new).collect();
        if stale.is_empty() {
            return Ok(lines);
        }
        if let Some(line) = stale.iter().find(|line| line.failures > 0 && line.state != "ordering") {
            return Err(Failure::General(format!("{}: {}", line.title(), text::last_note(line))));
        }
        if Instant::now() >= end {
            return Err(Failure::General(format!("the order is not over after {RENEWED:?}; `linchpin cert status`")));
        }
        std::thread::sleep(LOOK);
    }
}

impl Where {
    /// Does a server answer?
    fn is_served(&self) -> Result<bool, Failure> {
        Ok(UnixStream::connect(self.socket()?).is_ok())
    }

    /// Ask the running server; it may take as long as an authority.
    fn ask_server<R: Request>(&self, request: &R) -> Result<R::Answer, Failure> {
        Ok(client::ask_patiently(&self.socket()?, request).map_err(Failure::general)?.it)
    }

    /// What the configuration says of ordering.
    fn ordering(&self) -> Result<ahead::Ordered, Failure> {
        let FoundServer::Config(path) = self.at.found() else {
            let text = "no server answers: name its configuration with --config, which says what is ordered";
            return Err(Failure::general(text));
        };
        let config = config::read(&path).map_err(|error| Failure::Config(error.to_string()))?;
        ahead::ordered(config.tls.as_ref(), &config.listen)?
            .ok_or_else(|| Failure::general("nothing is ordered: the configuration has no [[certificate]] with acme"))
    }

    /// Do it with the store of a server that does not run.
    fn offline<T>(
        &self,
        only_reads: bool,
        job: impl FnOnce(&AcmeSettings, &linchpin_storage::Store) -> Result<T, linchpin_control::CommandError>,
    ) -> Result<T, Failure> {
        let (settings, _) = self.ordering()?;
        self.with_store(only_reads, |store, _| job(&settings, store))
    }

    fn show(&self, json: &Value, text: impl FnOnce() -> String) -> Result<(), Failure> {
        say(&if self.at.json { json_line(json)? } else { text() })
    }
}
