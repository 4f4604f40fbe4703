//! Why somebody may or may not do something, in words: `linchpin access why`.

use std::fmt::Write as _;

use linchpin_storage::schema::OrgId;

use super::permission::Permission;
use super::role::BuiltIn;
use super::scope::{Denial, ScopeReach, check};
use super::standing::Standing;
use super::tree::Tree;

/// The decision and every membership that was looked at, a sentence a line.
#[must_use]
pub fn explain(who: &Standing, org: OrgId, tree: &Tree, permission: Permission, now_ms: u64) -> String {
    let mut text = String::new();
    let decided = check(who, org, tree, permission, now_ms);
    let _ = match decided {
        Ok(ScopeReach::Org) => writeln!(text, "Yes: {permission} is allowed in all of organization {org}."),
        Ok(ScopeReach::Own(..)) => writeln!(
            text,
            "Yes, but only for what is theirs: {permission} is allowed in organization {org} for devices that they own \
             or that are shared with them."
        ),
        Err(denial) => writeln!(text, "No ({}): {denial}.", denial.code()),
    };
    if who.memberships.is_empty() {
        text.push_str("They have no role in any organization.\n");
    }
    for member in &who.memberships {
        let role = BuiltIn::of_number(member.role).map_or("a role of its own", BuiltIn::name);
        let _ = write!(text, "Role {} ({role}) in organization {}", member.role, member.org);
        let reaches = member.org == org || (member.below && tree.is_within(org, member.org));
        text.push_str(match (member.org == org, member.below, reaches) {
            (true, ..) => ", which is the one that was asked about",
            (false, true, true) => ", which reaches the one that was asked about from above",
            (false, false, _) if tree.is_within(org, member.org) => ", which does not reach the organizations below",
            _ => ", which is elsewhere in the tree",
        });
        if member.until_ms != 0 && now_ms >= member.until_ms {
            text.push_str("; it has ended");
        } else if reaches {
            text.push_str(match (member.sets.org.has(permission), member.sets.own.has(permission)) {
                (true, _) => "; it has the permission for the whole organization",
                (false, true) => "; it has the permission for what is their own",
                (false, false) => "; it does not have the permission",
            });
        }
        text.push_str(".\n");
    }
    if let Some(limit) = who.limit
        && !limit.org.has(permission)
        && !limit.own.has(permission)
    {
        text.push_str("The key itself does not hold the permission.\n");
    }
    if let Some(at) = tree.suspended_at(org) {
        let _ = writeln!(text, "Organization {at} is suspended: only roles from above it count.");
    }
    if matches!(decided, Err(Denial::FactorDue)) {
        text.push_str("Their account or an organization demands a second factor.\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use linchpin_storage::schema::Actor;

    use super::*;
    use crate::access::standing::{Assurance, Membership};
    use crate::access::tree::tests::{org, small};

    #[test]
    fn the_words_name_grant_permission_and_organization() {
        let member = |at, role: BuiltIn, below| Membership {
            org: org(at),
            role: role as u16,
            sets: role.sets(),
            below,
            until_ms: 0,
        };
        let who = Standing {
            actor: Actor::Person(org(1), 7),
            person: Some((org(1), 7)),
            memberships: vec![member(2, BuiltIn::Viewer, true), member(3, BuiltIn::Admin, true)],
            limit: None,
            assurance: Assurance::PASSWORD,
            has_factor: false,
            proven_ms: 0,
            view: None,
            address: [127, 0, 0, 1].into(),
            request: 0,
        };
        let text = explain(&who, org(4), &small(), Permission::DeviceView, 5);
        assert!(text.starts_with("Yes: device.view is allowed in all of organization 4."), "{text}");
        assert!(
            text.contains("Role 4 (Viewer) in organization 2, which reaches the one that was asked about from above")
        );
        assert!(text.contains("Role 1 (Admin) in organization 3, which is elsewhere in the tree"), "{text}");
        let text = explain(&who, org(4), &small(), Permission::DeviceEdit, 5);
        assert!(text.starts_with("No (forbidden): your role does not have device.edit here."), "{text}");
        assert!(explain(&who, org(1), &small(), Permission::OrgView, 5).starts_with("No (not-found)"));
    }
}
