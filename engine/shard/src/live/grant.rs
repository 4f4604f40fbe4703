//! What the control plane lets a live socket see and do, and takes back. Plain data.

use linchpin_protocol::model::{DeviceId, OrgId};

/// What may be done with devices, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LiveRights(pub u8);

impl LiveRights {
    /// See values and presence.
    pub const VIEW: Self = Self(1);
    /// Write values.
    pub const CONTROL: Self = Self(2);
    /// See events.
    pub const EVENTS: Self = Self(4);
    /// See frames and logins that failed.
    pub const DIAGNOSE: Self = Self(8);
    /// All of them.
    pub const ALL: Self = Self(15);

    /// Are all of these in there?
    #[must_use]
    pub const fn has(self, wanted: Self) -> bool {
        self.0 & wanted.0 == wanted.0
    }

    /// These and those.
    #[must_use]
    pub const fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }
}

/// One organization of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveScope {
    /// The organization.
    pub org: OrgId,
    /// The one above it, if the grant has that too.
    pub parent: Option<OrgId>,
    /// For all of its devices.
    pub rights: LiveRights,
}

/// Whose socket it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LiveOwner {
    /// Home of the person or key.
    pub org: OrgId,
    /// Number of the person or key there.
    pub user: u32,
    /// Its session.
    pub session: u64,
}

/// What one live socket may see. It ends with its session, and with any of its rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveGrant {
    /// Number of the last revocation that was known when the rights were read: later ones are looked at again.
    pub stamp: u64,
    /// Whose it is.
    pub owner: LiveOwner,
    /// Organizations, ascending; at most `limits::LIVE_SCOPES`.
    pub scopes: Vec<LiveScope>,
    /// Devices that are its own beyond those, ascending; at most `limits::LIVE_OWN_DEVICES`.
    pub devices: Vec<(DeviceId, LiveRights)>,
    /// Changes with the rights: the page asks again what it may do.
    pub rights: u32,
    /// Build of the console that the server serves.
    pub build: Box<str>,
    /// When the session ends, Unix ms.
    pub until_ms: u64,
}

impl LiveGrant {
    /// What it allows with a device of an organization.
    #[must_use]
    pub fn rights_for(&self, org: OrgId, device: DeviceId) -> LiveRights {
        let all = self.rights_in(org);
        let own =
            self.devices.binary_search_by_key(&device, |own| own.0).map_or(LiveRights(0), |at| self.devices[at].1);
        all.with(own)
    }

    /// What it allows with all devices of an organization.
    #[must_use]
    pub fn rights_in(&self, org: OrgId) -> LiveRights {
        self.scopes.binary_search_by_key(&org, |scope| scope.org).map_or(LiveRights(0), |at| self.scopes[at].rights)
    }

    /// An organization, and those below it if wanted, as far as the grant allows `wanted` there.
    #[must_use]
    pub fn orgs(&self, org: OrgId, below: bool, wanted: LiveRights) -> Vec<OrgId> {
        let is_below = |scope: &LiveScope| {
            let mut at = scope.parent;
            // Every step goes up, and no tree is deeper than it has organizations.
            for _ in 0..self.scopes.len() {
                match at {
                    Some(parent) if parent == org => return true,
                    Some(parent) => {
                        let found = self.scopes.binary_search_by_key(&parent, |scope| scope.org);
                        at = found.ok().and_then(|at| self.scopes[at].parent);
                    }
                    None => return false,
                }
            }
            false
        };
        let is_meant = |scope: &&LiveScope| scope.org == org || below && is_below(scope);
        self.scopes.iter().filter(is_meant).filter(|scope| scope.rights.has(wanted)).map(|scope| scope.org).collect()
    }

    /// Does a revocation end it?
    #[must_use]
    pub fn is_met_by(&self, revoked: WhoseRights) -> bool {
        match revoked {
            WhoseRights::Session { org, user, session } => self.owner == LiveOwner { org, user, session },
            WhoseRights::Person { org, user } => (self.owner.org, self.owner.user) == (org, user),
            WhoseRights::Org(org) => {
                self.owner.org == org || self.scopes.binary_search_by_key(&org, |scope| scope.org).is_ok()
            }
            WhoseRights::Device(device) => self.devices.binary_search_by_key(&device, |own| own.0).is_ok(),
        }
    }
}

/// Whose rights have ended or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhoseRights {
    /// One session.
    Session {
        /// Home of its person.
        org: OrgId,
        /// The person.
        user: u32,
        /// Its number.
        session: u64,
    },
    /// All sessions of a person or key.
    Person {
        /// Home.
        org: OrgId,
        /// Number there.
        user: u32,
    },
    /// Everybody whose home is this organization or who sees it.
    Org(OrgId),
    /// Everybody who sees this device as their own.
    Device(DeviceId),
}

/// Rights have ended. In force on a shard once it has answered `Report::Done`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Counts all revocations of the process: given after the change was made, and compared with [`LiveGrant::stamp`].
    pub number: u64,
    /// Whose.
    pub who: WhoseRights,
    /// The person is signed out; else only their rights have changed, and pages come back for a new grant.
    pub signs_out: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn org(number: u32) -> OrgId {
        OrgId::new(number).expect("not 0")
    }

    fn device(number: u32) -> DeviceId {
        DeviceId::new(number).expect("not 0")
    }

    /// 1 above 2 above 4; 3 beside; 2 may only be passed through.
    fn grant() -> LiveGrant {
        let scope =
            |number, parent: Option<u32>, rights| LiveScope { org: org(number), parent: parent.map(org), rights };
        LiveGrant {
            stamp: 0,
            owner: LiveOwner { org: org(1), user: 7, session: 9 },
            scopes: vec![
                scope(1, None, LiveRights::VIEW),
                scope(2, Some(1), LiveRights(0)),
                scope(3, None, LiveRights::ALL),
                scope(4, Some(2), LiveRights::VIEW.with(LiveRights::CONTROL)),
            ],
            devices: vec![(device(5), LiveRights::CONTROL)],
            rights: 1,
            build: "x".into(),
            until_ms: u64::MAX,
        }
    }

    #[test]
    fn a_grant_reaches_its_organizations_and_its_own_devices() {
        let grant = grant();
        assert_eq!(grant.orgs(org(1), true, LiveRights::VIEW), [org(1), org(4)]);
        assert_eq!(grant.orgs(org(1), false, LiveRights::VIEW), [org(1)]);
        assert_eq!(grant.orgs(org(1), true, LiveRights::CONTROL), [org(4)]);
        assert_eq!(grant.orgs(org(9), true, LiveRights::VIEW), []);
        assert_eq!(grant.rights_for(org(1), device(6)), LiveRights::VIEW);
        assert_eq!(grant.rights_for(org(1), device(5)), LiveRights::VIEW.with(LiveRights::CONTROL));
        assert_eq!(grant.rights_for(org(8), device(6)), LiveRights(0));
    }

    #[test]
    fn a_revocation_meets_those_that_it_is_about() {
        let grant = grant();
        let person = |number, user| WhoseRights::Person { org: org(number), user };
        let session = |session| WhoseRights::Session { org: org(1), user: 7, session };
        for (who, meets) in [
            (session(9), true),
            (session(8), false),
            (person(1, 7), true),
            (person(2, 7), false),
            (WhoseRights::Org(org(4)), true),
            (WhoseRights::Org(org(5)), false),
            (WhoseRights::Device(device(5)), true),
            (WhoseRights::Device(device(6)), false),
        ] {
            assert_eq!(grant.is_met_by(who), meets, "{who:?}");
        }
    }
}
