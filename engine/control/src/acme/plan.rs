//! What should be looked at before anything is ordered: the authority, the clock, names, CAA records, ports, chains.

use std::net::SocketAddr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::dns::{self, DnsRecord};
use super::transport::AuthorityClient;
use super::{AcmeDesk, AcmeSettings, Authority, LineReport, ProofMethod, WantedCertificate, limits, now_s};
use crate::acme::prove::{persist_record, persist_text};

/// How a finding is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Gravity {
    /// As it should be.
    Ok,
    /// Look at it.
    Warn,
    /// An order would fail.
    Fail,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanFinding {
    /// How it is meant.
    pub mark: Gravity,
    /// What was found, and what to do about it.
    pub text: String,
}

/// Ports that the server listens on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listens {
    /// With TLS.
    pub tls: Vec<SocketAddr>,
    /// Without.
    pub plain: Vec<SocketAddr>,
}

/// What matters of an authority's directory.
#[derive(Debug, Default, Deserialize)]
struct Directory {
    #[serde(default)]
    meta: Meta,
    #[serde(default, rename = "renewalInfo")]
    renewal_info: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Meta {
    caa_identities: Vec<String>,
    external_account_required: bool,
    profiles: std::collections::BTreeMap<String, String>,
}

/// Difference of clocks that certificates notice.
const CLOCK: Duration = Duration::from_secs(300);

fn ok(text: impl Into<String>) -> PlanFinding {
    PlanFinding { mark: Gravity::Ok, text: text.into() }
}

fn warn(text: impl Into<String>) -> PlanFinding {
    PlanFinding { mark: Gravity::Warn, text: text.into() }
}

fn fail(text: impl Into<String>) -> PlanFinding {
    PlanFinding { mark: Gravity::Fail, text: text.into() }
}

impl AcmeDesk {
    /// Look at everything that an order needs; nothing is ordered.
    pub async fn plan(&self, listens: &Listens) -> Vec<PlanFinding> {
        let mut found = plan(&self.settings, listens).await;
        for line in self.lines() {
            found.extend(of_line(&line));
        }
        found
    }
}

/// The same without a running server. Blocks for the network, for [`limits::PLAN`] and the answer of an authority at most.
///
/// # Errors
/// The machine gives no sockets.
pub fn look_ahead(settings: &AcmeSettings, listens: &Listens) -> std::io::Result<Vec<PlanFinding>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(plan(settings, listens)))
}

async fn plan(settings: &AcmeSettings, listens: &Listens) -> Vec<PlanFinding> {
    let end = Instant::now() + limits::PLAN;
    let mut found = Vec::new();
    let mut issuers = Vec::new();
    for authority in &settings.authorities {
        let (findings, directory) = of_authority(settings, authority).await;
        found.extend(findings);
        issuers.extend(directory.meta.caa_identities);
    }
    found.extend(of_ports(settings, listens));
    for wanted in &settings.certificates {
        for name in &wanted.names {
            if Instant::now() >= end {
                found.push(warn(format!("{name} and what follows was not looked at: it took too long")));
                return found;
            }
            found.extend(of_name(settings, name, &issuers).await);
        }
    }
    found
}

async fn of_authority(settings: &AcmeSettings, authority: &Authority) -> (Vec<PlanFinding>, Directory) {
    let at = &authority.directory;
    let answer = match AuthorityClient::new(authority.ca.as_deref()) {
        Ok(transport) => transport.get(at).await,
        Err(why) => Err(why),
    };
    let (date_s, body) = match answer {
        Ok(answer) => answer,
        Err(why) => return (vec![fail(format!("{at} cannot be reached: {why}"))], Directory::default()),
    };
    let Ok(directory) = serde_json::from_slice::<Directory>(&body) else {
        return (vec![fail(format!("{at} is no ACME directory"))], Directory::default());
    };
    let mut found = vec![ok(format!("{at} answers"))];
    if let Some(date_s) = date_s {
        let apart_s = date_s.abs_diff(now_s());
        found.push(if apart_s > CLOCK.as_secs() {
            fail(format!("this machine's clock differs from the authority's by {apart_s} s; set it"))
        } else {
            ok("the clock is right")
        });
    }
    if directory.meta.external_account_required && authority.binding.is_none() {
        found.push(fail(format!("{at} wants an account that is known to it: set [acme] eab")));
    }
    if directory.renewal_info.is_none() {
        found.push(warn(format!("{at} does not say when to renew; two thirds of the lifetime are taken")));
    }
    let profiles = &directory.meta.profiles;
    for WantedCertificate { profile, names, .. } in &settings.certificates {
        if !profile.is_empty() && !profiles.is_empty() && !profiles.contains_key(profile) {
            let known: Vec<_> = profiles.keys().map(String::as_str).collect();
            found.push(fail(format!("{}: no profile {profile:?}; there are {}", names[0], known.join(", "))));
        }
        if profile == "shortlived" {
            found.push(warn(format!(
                "{}: certificates live for days; somebody must be there when renewing fails",
                names[0]
            )));
        }
    }
    (found, directory)
}

fn of_ports(settings: &AcmeSettings, listens: &Listens) -> Vec<PlanFinding> {
    let has = |list: &[SocketAddr], port: u16| list.iter().any(|address| address.port() == port);
    let mut found = Vec::new();
    for (method, list, port) in [(ProofMethod::TlsAlpn, &listens.tls, 443), (ProofMethod::Http, &listens.plain, 80)] {
        if !settings.methods.contains(&method) {
            continue;
        }
        found.push(if has(list, port) {
            ok(format!("{}: port {port} is listened on", method.name()))
        } else {
            warn(format!("{}: nothing listens on port {port} here; the outside must forward it", method.name()))
        });
    }
    found
}

async fn of_name(settings: &AcmeSettings, name: &str, issuers: &[String]) -> Vec<PlanFinding> {
    if let Ok(ip) = name.parse::<std::net::IpAddr>() {
        let text = format!("{name} is an address: only profile \"shortlived\" has it at Let's Encrypt");
        return vec![if ip.is_loopback() {
            warn(format!("{text}, and nobody reaches it from outside"))
        } else {
            ok(text)
        }];
    }
    let mut found = Vec::new();
    let is_wildcard = name.starts_with("*.");
    let bare = name.trim_start_matches("*.");
    if is_wildcard {
        let can = settings.methods.contains(&ProofMethod::DnsPersist) || settings.dns_hook.is_some();
        let record = persist_record(name);
        let issuer = issuers.first().map_or("ISSUER", String::as_str);
        let text = persist_text(issuer, "ACCOUNT-URL", name);
        found.push(if can {
            warn(format!("{name} needs a TXT record {record} \"{text}\", or a hook for dns-01"))
        } else {
            fail(format!("{name}: a wildcard is proven by DNS only; allow dns-persist-01 or set a hook"))
        });
    } else {
        let looked = tokio::time::timeout(limits::DNS, tokio::net::lookup_host((bare, 443))).await;
        let addresses: Vec<String> = match looked {
            Ok(Ok(addresses)) => addresses.map(|address| address.ip().to_string()).collect(),
            Ok(Err(_)) | Err(_) => Vec::new(),
        };
        found.push(if addresses.is_empty() {
            fail(format!("{bare} has no address; set an A or AAAA record to this server"))
        } else {
            ok(format!("{bare} is {}; it must lead here", addresses.join(", ")))
        });
    }
    found.push(of_caa(settings, bare, is_wildcard, issuers).await);
    found
}

/// The records of the name itself, or else of the next one above that has any (RFC 8659, 3).
async fn of_caa(settings: &AcmeSettings, name: &str, is_wildcard: bool, issuers: &[String]) -> PlanFinding {
    let Some(server) = settings.resolver.or_else(dns::system_resolver) else {
        return warn(format!("{name}: no name server is known, so CAA records were not looked at"));
    };
    let mut at = name;
    loop {
        let records: Vec<DnsRecord> = match dns::ask(server, at, dns::DnsQuestion::Caa).await {
            Ok(records) => records,
            Err(why) => return warn(format!("{name}: CAA records were not looked at: {why}")),
        };
        if !records.is_empty() {
            let verdicts = issuers.iter().map(|issuer| dns::allows(&records, issuer, is_wildcard));
            return match verdicts.reduce(|a, b| Some(a.unwrap_or(true) || b.unwrap_or(true))) {
                Some(Some(false)) => fail(format!("{name}: CAA records of {at} do not allow {}", issuers.join(" or "))),
                _ => ok(format!("{name}: CAA records of {at} allow the authority")),
            };
        }
        match at.split_once('.') {
            Some((_, above)) if !above.is_empty() => at = above,
            _ => return ok(format!("{name}: no CAA record forbids anything")),
        }
    }
}

/// What is served now.
fn of_line(line: &LineReport) -> Vec<PlanFinding> {
    let title = format!("{} ({})", line.names[0], line.kind);
    let Some(held) = &line.current else { return vec![warn(format!("{title}: there is no certificate yet"))] };
    let days = held.not_after_s.saturating_sub(now_s()) / 86_400;
    let mut found = vec![if held.revoked || days == 0 {
        fail(format!("{title}: the certificate is revoked or ends today"))
    } else {
        ok(format!("{title}: the certificate is valid for {days} days"))
    }];
    if !held.reaches_devices {
        found.push(warn(format!("{title}: its chain reaches no root that devices have; stock sketches refuse it")));
    }
    found
}
