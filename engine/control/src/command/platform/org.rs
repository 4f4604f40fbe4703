//! Organizations.

use std::sync::Arc;

use linchpin_protocol::model::OrgId;

use super::{hidden, org_or_own, own_org};
use crate::command::call::RowCall;
use crate::command::desk::Desk;
use crate::command::request::*;
use crate::command::tree::{self, OrgOrder, OrgSearch};
use crate::{Code, CommandError};

/// What is not there and what may not be seen read the same.
pub(super) fn of_org<T>(result: Result<T, CommandError>) -> Result<T, CommandError> {
    hidden(result, || CommandError::new(Code::NotFound, "Organization is not found or you don't have access to it."))
}

fn line(sheet: OrgSheet) -> PlatformOrg {
    PlatformOrg {
        id: sheet.id,
        name: sheet.name,
        parent_organization_id: sheet.parent,
        is_active: sheet.state == "active",
        tz: if sheet.time_zone.is_empty() { "UTC".to_owned() } else { sheet.time_zone },
    }
}

async fn shown(desk: &Desk, call: Arc<RowCall>, org: OrgId) -> Result<PlatformOrg, CommandError> {
    of_org(tree::show(desk, call, OrgShow { org: org.get() }).await.map(line))
}

pub(in crate::command) async fn org(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformOrgShow,
) -> Result<PlatformOrg, CommandError> {
    shown(desk, call, asked.org_id.0).await
}

pub(in crate::command) async fn profile(
    desk: &Desk,
    call: Arc<RowCall>,
    _: PlatformProfile,
) -> Result<PlatformOrg, CommandError> {
    let org = own_org(&call);
    shown(desk, call, org).await
}

pub(in crate::command) async fn search_orgs(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformOrgSearch,
) -> Result<PlatformPage<PlatformOrg>, CommandError> {
    let PlatformOrgSearch { query: text, sort_by, sort_order, page, size } = asked;
    let order = match sort_by {
        PlatformOrgSort::Id => OrgOrder::Id,
        PlatformOrgSort::Name => OrgOrder::Name,
        PlatformOrgSort::Devices => OrgOrder::Devices,
        PlatformOrgSort::Users => OrgOrder::Users,
        PlatformOrgSort::Children => OrgOrder::Children,
    };
    let order = (order, sort_order == PlatformOrder::Desc);
    let search = OrgSearch { org: own_org(&call), text, order, part: (page * size, size) };
    let (found, total_elements) = tree::search(desk, &call, search).await?;
    Ok(PlatformPage { content: found.into_iter().map(line).collect(), total_elements })
}

pub(in crate::command) async fn create_org(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformOrgCreate,
) -> Result<PlatformOrg, CommandError> {
    let PlatformOrgCreate { name, kind, parent_id, tz: time_zone } = asked;
    let kind = match kind {
        PlatformOrgType::Business => OrgKindName::Business,
        PlatformOrgType::Personal => OrgKindName::Personal,
        PlatformOrgType::Branch => OrgKindName::Branch,
        PlatformOrgType::Distributor
        | PlatformOrgType::Contractor
        | PlatformOrgType::Installer
        | PlatformOrgType::Reseller => OrgKindName::Partner,
    };
    let above = org_or_own(&call, parent_id);
    let new = OrgCreate { org: above.get(), name, kind, policy: None, time_zone };
    of_org(tree::create(desk, call, new).await.map(line))
}

pub(in crate::command) async fn delete_org(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformOrgDelete,
) -> Result<(), CommandError> {
    of_org(tree::delete(desk, call, OrgDelete { org: asked.org_id.0.get() }).await)
}
