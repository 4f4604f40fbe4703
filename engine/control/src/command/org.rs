//! Commands about organizations.

use std::ops::ControlFlow;

use linchpin_protocol::model::OrgId;
use linchpin_storage::schema::{Counter, CounterName, Org};

use super::request::{OrgAdd, OrgLine, OrgList};
use crate::backup::Upkeep;
use crate::{Code, CommandError};

pub(super) fn list(upkeep: &Upkeep, _: &OrgList) -> Result<Vec<OrgLine>, CommandError> {
    let mut orgs = Vec::new();
    upkeep.keep().store().scan::<Org>(|id, org| {
        orgs.push(line(id, &org));
        ControlFlow::Continue(())
    })?;
    Ok(orgs)
}

pub(super) fn add(upkeep: &Upkeep, asked: &OrgAdd) -> Result<OrgLine, CommandError> {
    let next = upkeep.keep().store().get::<Counter>(&CounterName::Org)?;
    let number = next.map_or(1, |counter| counter.0);
    let org = u32::try_from(number).ok().and_then(OrgId::new);
    let none = || CommandError::new(Code::Refused, "there are no more numbers for organizations");
    let org = org.ok_or_else(none)?;
    upkeep.keep().add_org(org, &asked.name)?;
    let made = upkeep.keep().store().get::<Org>(&org)?;
    made.map(|made| line(org, &made)).ok_or_else(|| CommandError::no_such_org(org))
}

fn line(id: OrgId, org: &Org) -> OrgLine {
    OrgLine { org: id.get(), name: org.name.to_string(), created_ms: org.created_ms, raw_days: org.raw_days }
}
