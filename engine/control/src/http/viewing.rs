//! `X-Linchpin-View-As: ORGANIZATION/ROLE`: somebody looks through the eyes of a role (docs/decisions/0235).

use axum::http::{HeaderMap, Method};
use linchpin_storage::schema::OrgId;

use crate::access::Permission;
use crate::access::scope::check;
use crate::command::{Needs, RowCaller};
use crate::loader::{Loader, LoaderFault};
use crate::{Code, CommandError, clock};

/// The field that asks for it.
const FIELD: &str = "x-linchpin-view-as";

/// The caller of a route, as the request wants to look; most want nothing. What is the caller's own person's (`needs` says
/// so) is read with their own eyes: a role has no person.
///
/// # Errors
/// [`Code::Forbidden`]: the request changes something; those of [`looking`].
pub(super) fn viewed(
    loader: &Loader,
    (headers, method): (&HeaderMap, &Method),
    caller: RowCaller,
    needs: Needs,
) -> Result<RowCaller, CommandError> {
    if headers.get(FIELD).is_none() || !matches!(caller, RowCaller::Known(_)) {
        return Ok(caller);
    }
    if !matches!(*method, Method::GET | Method::HEAD) {
        let text = "a view as a role changes nothing: send the request without X-Linchpin-View-As";
        return Err(CommandError::new(Code::Forbidden, text).about(FIELD));
    }
    if matches!(needs, Needs::In(_)) { looking(loader, headers, caller) } else { Ok(caller) }
}

/// The caller through the eyes of the role that a request names; without one, as they are.
///
/// # Errors
/// [`Code::BadParameter`]: the field is not two numbers; [`Code::Forbidden`] and others of [`check`]: the caller may not see
/// the roles of the organization; [`Code::NotFound`]: there is no such organization or role for them. Each names the field.
pub(super) fn looking(loader: &Loader, headers: &HeaderMap, caller: RowCaller) -> Result<RowCaller, CommandError> {
    let Some(field) = headers.get(FIELD) else { return Ok(caller) };
    let RowCaller::Known(mut known) = caller else { return Ok(caller) };
    let numbers = field.to_str().ok().and_then(|text| text.split_once('/'));
    let numbers = numbers.and_then(|(org, role)| Some((OrgId::new(org.parse().ok()?)?, role.parse().ok()?)));
    let wrong = || CommandError::new(Code::BadParameter, "X-Linchpin-View-As is ORGANIZATION/ROLE, two numbers");
    let (org, role): (OrgId, u16) = numbers.ok_or_else(|| wrong().about(FIELD))?;
    let directory = loader.directory();
    let standing = &mut known.asker.standing;
    check(standing, org, &directory.tree, Permission::RoleView, clock::now_ms())
        .map_err(|denial| CommandError::from(denial).about(FIELD))?;
    let found = directory.role(org, role);
    let (sets, _) = found.ok_or_else(|| CommandError::from(LoaderFault::Missing).about(FIELD))?;
    *standing = standing.view_as(org, sets);
    Ok(RowCaller::Known(known))
}
