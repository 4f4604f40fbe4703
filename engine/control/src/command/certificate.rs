//! Commands about certificates that the server orders by itself.

use super::desk::Desk;
use super::request::{
    CertExport, CertPlan, CertRenew, CertRevoke, CertRollback, CertStatus, CertTry, ExportedCertificate, which,
};
use crate::acme::{AcmeDesk, LineReport, Listens, PlanFinding};
use crate::{Code, CommandError};

fn orders(desk: &Desk) -> Result<&AcmeDesk, CommandError> {
    let text = "this server orders no certificates: its configuration has no [[certificate]] with acme";
    desk.acme.as_ref().ok_or_else(|| CommandError::new(Code::Refused, text))
}

pub(super) async fn plan(desk: &Desk, _: CertPlan) -> Result<Vec<PlanFinding>, CommandError> {
    let facts = &desk.facts;
    let tls = facts.tls.iter().chain(&facts.mutual).copied().collect();
    Ok(orders(desk)?.plan(&Listens { tls, plain: facts.plain.clone() }).await)
}

pub(super) async fn status(desk: &Desk, asked: CertStatus) -> Result<Vec<LineReport>, CommandError> {
    orders(desk)?.status(&which(asked.name, asked.kind))
}

pub(super) async fn try_order(desk: &Desk, asked: CertTry) -> Result<LineReport, CommandError> {
    if asked.directory.as_ref().is_some_and(|directory| !directory.starts_with("https://")) {
        return Err(CommandError::parameter("directory", "an address that begins with https://"));
    }
    orders(desk)?.try_order(&which(asked.name, asked.kind), asked.directory.as_deref()).await
}

pub(super) async fn renew(desk: &Desk, asked: CertRenew) -> Result<Vec<LineReport>, CommandError> {
    orders(desk)?.renew(&which(asked.name, asked.kind)).await
}

pub(super) async fn revoke(desk: &Desk, asked: CertRevoke) -> Result<Vec<LineReport>, CommandError> {
    orders(desk)?.revoke(&which(Some(asked.name), asked.kind), asked.reason.number()).await
}

pub(super) async fn roll_back(desk: &Desk, asked: CertRollback) -> Result<Vec<LineReport>, CommandError> {
    orders(desk)?.roll_back(&which(Some(asked.name), asked.kind)).await
}

pub(super) async fn export(desk: &Desk, asked: CertExport) -> Result<ExportedCertificate, CommandError> {
    let (orders, which) = (orders(desk)?.clone(), which(Some(asked.name), asked.kind));
    let failed = |_| CommandError::new(Code::Failed, "the command failed inside the server: see its log");
    let found = tokio::task::spawn_blocking(move || orders.export(&which)).await.map_err(failed)??;
    Ok(ExportedCertificate { chain_pem: found.chain_pem.to_string(), key_pem: found.key_pem.to_string() })
}
