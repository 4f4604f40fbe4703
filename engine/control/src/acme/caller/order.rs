//! Orders at an authority: placed, proven, finalized, fetched.

use std::sync::Arc;

use instant_acme::{AuthorizationStatus, ChallengeType, Identifier, NewOrder, Order, OrderState, OrderStatus};
use linchpin_tls::{NewKey, Provider};

use super::{Called, Caller, certificate_id, refused};
use crate::acme::call::{AcmeAnswer, CallFailure, FailureKind, OrderStage};
use crate::acme::fault::{exchange, failure, of_problem, of_replacing};
use crate::acme::hook::{self, SetRecord};
use crate::acme::judge::judge;
use crate::acme::line::OrderLine;
use crate::acme::orders::Orders;
use crate::acme::prove::{ProofMethod, dns_record, persist_record, persists, pick};
use crate::acme::settings::AcmeSettings;
use crate::acme::{dns, now_s};

impl Caller {
    pub(super) async fn place(
        &mut self,
        orders: &Orders,
        line: &OrderLine,
        authority: u8,
        replaces: bool,
    ) -> Called<AcmeAnswer> {
        let account = self.account(orders, authority).await?;
        let identifiers: Vec<Identifier> = line.names.iter().map(|name| identifier(name)).collect();
        let mut wanted = NewOrder::new(&identifiers);
        let known: Vec<&str> = account.profiles().map(|profile| profile.name).collect();
        if !line.profile.is_empty() && !known.is_empty() {
            if !known.contains(&line.profile.as_str()) {
                let text = format!("the authority has no profile {:?}, only {}", line.profile, known.join(", "));
                return Err(refused(text));
            }
            wanted = wanted.profile(&line.profile);
        }
        if replaces && let Some(held) = &line.current {
            wanted = wanted.replaces(certificate_id(&held.certificate)?);
        }
        match exchange!(account.new_order(&wanted)) {
            Ok(order) => {
                let url = order.url().to_owned();
                self.order = Some(order);
                Ok(AcmeAnswer::Ordered(url))
            }
            Err(error) if replaces => Err(of_replacing(&error)),
            Err(error) => Err(failure(&error)),
        }
    }

    /// The order of a line, as the authority sees it now.
    async fn refresh(&mut self, orders: &Orders, line: &OrderLine, authority: u8) -> Called<&mut Order> {
        let url = line.state.order.as_ref().map(|order| order.url.to_string()).unwrap_or_default();
        let fresh = match self.order.take().filter(|order| order.url() == url) {
            Some(mut order) => {
                exchange!(async { order.refresh().await.map(drop) }).map_err(|error| of_order(&error))?;
                order
            }
            None => {
                let account = self.account(orders, authority).await?;
                exchange!(account.order(url.clone())).map_err(|error| of_order(&error))?
            }
        };
        Ok(self.order.insert(fresh))
    }

    pub(super) async fn look(&mut self, orders: &Orders, line: &OrderLine, authority: u8) -> Called<AcmeAnswer> {
        let transport = self.open[usize::from(authority)].transport.clone();
        let order = self.refresh(orders, line, authority).await?;
        let again_s = transport.noted().retry_after_s;
        let mut answer = status(order.state(), again_s);
        if let AcmeAnswer::Status { stage: OrderStage::Invalid, why, .. } = &mut answer {
            *why = why_invalid(order).await;
        }
        Ok(answer)
    }

    pub(super) async fn prove(
        &mut self,
        orders: &Orders,
        line: &OrderLine,
        authority: u8,
        turn: u32,
    ) -> Called<AcmeAnswer> {
        let account = self.account(orders, authority).await?;
        let (settings, challenges) = (Arc::clone(&self.settings), Arc::clone(&self.challenges));
        self.refresh(orders, line, authority).await?;
        let Some(order) = self.order.as_mut() else { return Err(refused("the order is not open")) };
        // All are fetched before the first challenge is opened: the order remembers those that came.
        exchange!(fetch_authorizations(order)).map_err(|error| of_order(&error))?;
        let mut how = Vec::new();
        let mut authorizations = order.authorizations();
        while let Some(next) = authorizations.next().await {
            let mut authorization = next.map_err(|error| of_order(&error))?;
            let name = authorization.identifier().to_string();
            match authorization.status {
                AuthorizationStatus::Valid => continue,
                AuthorizationStatus::Pending => {}
                other => {
                    return Err(CallFailure::new(FailureKind::OrderGone, format!("{name}: the proof is {other:?}")));
                }
            }
            let offered: Vec<&str> =
                authorization.challenges.iter().map(|challenge| method_name(&challenge.r#type)).collect();
            let usable = usable(&settings, &name, account.id()).await;
            let Some(method) = pick(&name, &offered, &usable, turn) else {
                return Err(refused(format!(
                    "{name} cannot be proven: the authority offers {}, set up here is {}",
                    offered.join(", "),
                    usable.iter().map(|method| method.name()).collect::<Vec<_>>().join(", ")
                )));
            };
            let Some(mut challenge) = authorization.challenge(challenge_type(method)) else {
                return Err(refused(format!("{name}: the authority does not offer {}", method.name())));
            };
            let key = challenge.key_authorization();
            match method {
                ProofMethod::TlsAlpn => {
                    let mut digest = [0; 32];
                    digest.copy_from_slice(key.digest().as_ref());
                    challenges
                        .open_tls(&name, &digest, Provider::default())
                        .map_err(|fault| refused(fault.to_string()))?;
                }
                ProofMethod::Http => {
                    challenges.open_http(&challenge.token, key.as_str()).map_err(|fault| refused(fault.to_string()))?;
                }
                ProofMethod::Dns => {
                    let set = SetRecord { name: name.clone(), record: dns_record(&name), value: key.dns_value() };
                    let command = settings.dns_hook.as_deref().ok_or_else(|| refused("no hook for dns-01 is set"))?;
                    hook::run(command, "present", &set)
                        .await
                        .map_err(|why| CallFailure::new(FailureKind::Unreachable, why))?;
                    self.set.push(set);
                }
                ProofMethod::DnsPersist => {}
            }
            exchange!(challenge.set_ready()).map_err(|error| failure(&error))?;
            how.push(format!("{name} by {}", method.name()));
        }
        Ok(AcmeAnswer::Opened(how.join(", ")))
    }

    pub(super) async fn finalize(&mut self, orders: &Orders, line: &OrderLine, authority: u8) -> Called<AcmeAnswer> {
        let transport = self.open[usize::from(authority)].transport.clone();
        let stored = line.state.order.as_ref().ok_or_else(|| refused("there is no order"))?;
        let key = NewKey::from_pem(&stored.key_pem).map_err(|fault| refused(fault.to_string()))?;
        let request = key.request(&line.names).map_err(|fault| refused(fault.to_string()))?;
        let order = self.refresh(orders, line, authority).await?;
        if order.state().status == OrderStatus::Ready {
            exchange!(order.finalize_csr(&request)).map_err(|error| failure(&error))?;
        }
        let again_s = transport.noted().retry_after_s;
        Ok(status(order.state(), again_s))
    }

    pub(super) async fn fetch(&mut self, orders: &Orders, line: &OrderLine, authority: u8) -> Called<AcmeAnswer> {
        let transport = self.open[usize::from(authority)].transport.clone();
        let settings = Arc::clone(&self.settings);
        let account = self.account(orders, authority).await?;
        let order = self.refresh(orders, line, authority).await?;
        let chain = exchange!(order.certificate()).map_err(|error| failure(&error))?;
        let mut chains =
            vec![chain.ok_or_else(|| CallFailure::new(FailureKind::Unreachable, "the certificate is not there yet"))?];
        for address in transport.noted().alternates {
            transport.begin();
            // The answer is no order, so the library cannot read it; what came is noted.
            let _ = exchange!(account.order(address.clone()));
            chains.extend(transport.noted().chain_pem);
        }
        transport.begin();
        self.order = None;
        let stored = line.state.order.as_ref().ok_or_else(|| refused("there is no order"))?;
        let directory = &settings.authorities[usize::from(authority)].directory;
        let held = judge(&chains, &stored.key_pem, &line.names, directory, &settings.device_roots, now_s());
        held.map(|held| AcmeAnswer::Fetched(Box::new(held))).map_err(|why| CallFailure::new(FailureKind::Unfit, why))
    }
}

/// Ask for the authorizations that the order has not seen yet.
async fn fetch_authorizations(order: &mut Order) -> Result<(), instant_acme::Error> {
    let mut authorizations = order.authorizations();
    while let Some(next) = authorizations.next().await {
        next?;
    }
    Ok(())
}

fn identifier(name: &str) -> Identifier {
    name.parse().map_or_else(|_| Identifier::Dns(name.to_owned()), Identifier::Ip)
}

/// A failed look at an order: what the authority does not know will not come back.
fn of_order(error: &instant_acme::Error) -> CallFailure {
    let mut failure = failure(error);
    if let instant_acme::Error::Api(problem) = error {
        let kind = problem.r#type.as_deref().unwrap_or_default();
        let is_gone = problem.status == Some(404) || kind.ends_with(":malformed") || kind.ends_with(":unauthorized");
        if is_gone && failure.kind == FailureKind::Refused {
            failure.kind = FailureKind::OrderGone;
        }
    }
    failure
}

fn status(state: &OrderState, again_s: Option<u64>) -> AcmeAnswer {
    let stage = match state.status {
        OrderStatus::Pending => OrderStage::Pending,
        OrderStatus::Ready => OrderStage::Ready,
        OrderStatus::Processing => OrderStage::Processing,
        OrderStatus::Valid => OrderStage::Valid,
        OrderStatus::Invalid => OrderStage::Invalid,
    };
    let why = state.error.as_ref().map(of_problem).unwrap_or_default();
    AcmeAnswer::Status { stage, again_s, why }
}

/// The challenges that failed say more than the order.
async fn why_invalid(order: &mut Order) -> String {
    let mut reasons = Vec::new();
    let _ = exchange!(fetch_authorizations(order));
    let mut authorizations = order.authorizations();
    while let Some(Ok(authorization)) = authorizations.next().await {
        let name = authorization.identifier().to_string();
        let errors = authorization.challenges.iter().filter_map(|challenge| challenge.error.as_ref());
        reasons.extend(errors.map(|problem| format!("{name}: {}", of_problem(problem))));
    }
    if reasons.is_empty() { "the authority does not say why".to_owned() } else { reasons.join("; ") }
}

fn method_name(kind: &ChallengeType) -> &str {
    match kind {
        ChallengeType::Http01 => "http-01",
        ChallengeType::Dns01 => "dns-01",
        ChallengeType::TlsAlpn01 => "tls-alpn-01",
        ChallengeType::Unknown(name) => name,
        _ => "",
    }
}

fn challenge_type(method: ProofMethod) -> ChallengeType {
    match method {
        ProofMethod::Http => ChallengeType::Http01,
        ProofMethod::Dns => ChallengeType::Dns01,
        ProofMethod::TlsAlpn => ChallengeType::TlsAlpn01,
        ProofMethod::DnsPersist => ChallengeType::Unknown(ProofMethod::DnsPersist.name().to_owned()),
    }
}

/// The ways that are set up here for this name.
async fn usable(settings: &AcmeSettings, name: &str, account: &str) -> Vec<ProofMethod> {
    let mut usable = Vec::new();
    for method in &settings.methods {
        let is_set_up = match method {
            ProofMethod::TlsAlpn | ProofMethod::Http => true,
            ProofMethod::Dns => settings.dns_hook.is_some(),
            ProofMethod::DnsPersist => method.is_for(name) && is_persistent(settings, name, account).await,
        };
        if is_set_up {
            usable.push(*method);
        }
    }
    usable
}

async fn is_persistent(settings: &AcmeSettings, name: &str, account: &str) -> bool {
    let Some(server) = settings.resolver.or_else(dns::system_resolver) else { return false };
    let found = dns::ask(server, &persist_record(name), dns::DnsQuestion::Txt).await.unwrap_or_default();
    found.iter().any(|record| matches!(record, dns::DnsRecord::Txt(text) if persists(text, account, name, now_s())))
}
