//! Roles: what those that are built in hold, and who may give what.

use linchpin_storage::schema::RoleRecord;

use super::permission::{Permission as P, Permissions};

/// What a role or a key allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoleSets {
    /// With what is the person's own.
    pub own: Permissions,
    /// In the whole organization; reaches what is their own too.
    pub org: Permissions,
}

impl RoleSets {
    /// Nothing.
    pub const NONE: Self = Self { own: Permissions::NONE, org: Permissions::NONE };
    /// Everything.
    pub const ALL: Self = Self { own: Permissions::OWNABLE, org: Permissions::ALL };

    /// As stored.
    #[must_use]
    pub const fn stored(role: &RoleRecord) -> Self {
        Self::from_bits(role.own, role.org)
    }

    /// Of two sets of bits; of the first only what can be somebody's own counts.
    #[must_use]
    pub const fn from_bits(own: u64, org: u64) -> Self {
        Self { own: Permissions::from_bits(own).both(Permissions::OWNABLE), org: Permissions::from_bits(org) }
    }

    /// What is allowed with one's own: what the whole organization allows is among it.
    #[must_use]
    pub const fn with_own(self) -> Permissions {
        self.own.union(self.org.both(Permissions::OWNABLE))
    }

    /// Is all of the other allowed by this?
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.org.contains(other.org) && self.with_own().contains(other.own)
    }

    /// What either allows.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self { own: self.own.union(other.own), org: self.org.union(other.org) }
    }

    /// What both allow.
    #[must_use]
    pub const fn both(self, other: Self) -> Self {
        Self { own: self.with_own().both(other.with_own()), org: self.org.both(other.org) }
    }

    /// What is left when these are taken away.
    #[must_use]
    pub const fn without(self, others: Permissions) -> Self {
        Self { own: self.own.without(others), org: self.org.without(others) }
    }

    /// What of this is among these.
    #[must_use]
    pub const fn only(self, some: Permissions) -> Self {
        Self { own: self.own.both(some), org: self.org.both(some) }
    }

    /// Is nothing allowed?
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.own.is_empty() && self.org.is_empty()
    }

    /// What a program's key may hold of this.
    #[must_use]
    pub const fn for_machines(self) -> Self {
        self.without(Permissions::PEOPLE_ONLY)
    }
}

/// The roles that every organization has. An organization may change the sets of all but Admin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum BuiltIn {
    /// May do all.
    Admin = 1,
    /// Works with the devices of the organization.
    Staff = 2,
    /// Uses devices of their own.
    User = 3,
    /// Looks at everything.
    Viewer = 4,
    /// Sets devices up.
    Installer = 5,
}

const DEVICES: Permissions = Permissions::of(&[
    P::DeviceView,
    P::DeviceControl,
    P::DeviceCreate,
    P::DeviceEdit,
    P::DeviceDelete,
    P::DeviceErase,
    P::DeviceToken,
    P::DeviceTransfer,
    P::DeviceBatch,
    P::DeviceExport,
    P::DeviceDiagnose,
]);

impl BuiltIn {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::Admin, Self::Staff, Self::User, Self::Viewer, Self::Installer];

    /// The one with this number.
    #[must_use]
    pub fn of_number(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|role| *role as u16 == number)
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admin => "Admin",
            Self::Staff => "Staff",
            Self::User => "User",
            Self::Viewer => "Viewer",
            Self::Installer => "Installer",
        }
    }

    /// What it allows where no organization has changed it.
    #[must_use]
    pub const fn sets(self) -> RoleSets {
        const NONE: Permissions = Permissions::NONE;
        match self {
            Self::Admin => RoleSets::ALL,
            Self::Staff => {
                let held_back = Permissions::of(&[P::DeviceDelete, P::DeviceErase, P::DeviceToken, P::DeviceTransfer]);
                let others = Permissions::of(&[
                    P::EventView,
                    P::EventResolve,
                    P::TemplateView,
                    P::FirmwareView,
                    P::AutomationView,
                    P::AutomationEdit,
                    P::AutomationRun,
                    P::DashboardView,
                    P::DashboardEdit,
                    P::UserView,
                    P::UserInvite,
                    P::RoleView,
                    P::OrgView,
                ]);
                RoleSets { own: NONE, org: DEVICES.without(held_back).union(others) }
            }
            Self::User => {
                let own = Permissions::of(&[
                    P::DeviceView,
                    P::DeviceControl,
                    P::DeviceEdit,
                    P::DeviceExport,
                    P::EventView,
                    P::EventResolve,
                    P::AutomationRun,
                    P::DashboardView,
                ]);
                RoleSets { own, org: Permissions::of(&[P::DashboardView, P::OrgView]) }
            }
            Self::Viewer => {
                let org = [
                    P::DeviceView,
                    P::EventView,
                    P::TemplateView,
                    P::FirmwareView,
                    P::AutomationView,
                    P::DashboardView,
                    P::OrgView,
                ];
                RoleSets { own: NONE, org: Permissions::of(&org) }
            }
            Self::Installer => {
                let org = [
                    P::DeviceView,
                    P::DeviceCreate,
                    P::DeviceControl,
                    P::DeviceEdit,
                    P::DeviceDiagnose,
                    P::DeviceBatch,
                    P::EventView,
                    P::TemplateView,
                    P::FirmwareView,
                    P::AutomationView,
                    P::DashboardView,
                    P::OrgView,
                ];
                RoleSets { own: Permissions::of(&[P::DeviceToken]), org: Permissions::of(&org) }
            }
        }
    }
}

/// Why something may not be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GiveRule {
    /// It holds what the giver does not have themselves.
    More(Permissions),
    /// The giver has the role themselves.
    OwnRole,
    /// The role Admin cannot be changed.
    FixedRole,
    /// It would reach organizations below, and the giver does not.
    Below,
    /// It holds what no key may.
    PeopleOnly(Permissions),
    /// Nobody would be left who may do everything.
    LastAdmin,
}

impl std::fmt::Display for GiveRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = |set: &Permissions| set.iter().map(P::name).collect::<Vec<_>>().join(", ");
        match self {
            Self::More(set) => write!(f, "you do not have {} yourself, so you cannot give it", list(set)),
            Self::OwnRole => f.write_str("you have this role yourself: somebody else must change it"),
            Self::FixedRole => f.write_str("the role Admin cannot be changed: make another role"),
            Self::Below => f.write_str("it would reach organizations below, where you have no such right"),
            Self::PeopleOnly(set) => write!(f, "a key cannot have {}: only people can", list(set)),
            Self::LastAdmin => f.write_str("the last Admin stays: give the role to somebody else first"),
        }
    }
}

/// What somebody can hand on: with and without the organizations below.
#[derive(Clone, Copy, Debug)]
pub struct Giver {
    /// What they may do in the organization.
    pub here: RoleSets,
    /// What they may do there and in all below it.
    pub below: RoleSets,
}

impl Giver {
    /// The operator.
    pub(crate) const ALL: Self = Self { here: RoleSets::ALL, below: RoleSets::ALL };
    /// Nobody.
    pub(crate) const NONE: Self = Self { here: RoleSets::NONE, below: RoleSets::NONE };

    /// Managing the server means nothing in an organization other than the first: there it may be handed on with the
    /// roles that contain it, such as Admin, and is never used.
    #[must_use]
    pub const fn below_the_first(self) -> Self {
        const INERT: RoleSets = RoleSets { own: Permissions::NONE, org: Permissions::of(&[P::ServerManage]) };
        Self { here: self.here.union(INERT), below: self.below.union(INERT) }
    }

    fn more(held: RoleSets, wanted: RoleSets) -> Option<GiveRule> {
        if held.contains(wanted) {
            return None;
        }
        let org = wanted.org.without(held.org);
        Some(GiveRule::More(org.union(wanted.own.without(held.with_own()))))
    }

    /// May they give this role, and shall it reach below?
    ///
    /// # Errors
    /// The rule that is in the way.
    pub fn may_assign(&self, role: RoleSets, below: bool) -> Result<(), GiveRule> {
        Self::more(self.here, role).map_or(Ok(()), Err)?;
        if below && !self.below.contains(role) { Err(GiveRule::Below) } else { Ok(()) }
    }

    /// May they take a role from somebody, or change who has it? Nobody touches what is stronger than they are.
    ///
    /// # Errors
    /// The rule that is in the way.
    pub fn may_touch(&self, role: RoleSets) -> Result<(), GiveRule> {
        Self::more(self.here, role).map_or(Ok(()), Err)
    }

    /// May they change a role from the one to the other? `holds`: they have it themselves. `inherited`: organizations
    /// below have it too.
    ///
    /// # Errors
    /// The rule that is in the way.
    pub fn may_edit(
        &self,
        number: u16,
        (before, after): (RoleSets, RoleSets),
        holds: bool,
        inherited: bool,
    ) -> Result<(), GiveRule> {
        if number == BuiltIn::Admin as u16 {
            return Err(GiveRule::FixedRole);
        }
        if holds {
            return Err(GiveRule::OwnRole);
        }
        Self::more(self.here, before).map_or(Ok(()), Err)?;
        Self::more(self.here, after).map_or(Ok(()), Err)?;
        if inherited && !self.below.contains(after) { Err(GiveRule::Below) } else { Ok(()) }
    }

    /// May they make a key that holds this?
    ///
    /// # Errors
    /// The rule that is in the way.
    pub fn may_make_key(&self, sets: RoleSets) -> Result<(), GiveRule> {
        let barred = sets.org.union(sets.own).both(Permissions::PEOPLE_ONLY);
        if !barred.is_empty() {
            return Err(GiveRule::PeopleOnly(barred));
        }
        Self::more(self.here, sets).map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(set: Permissions) -> String {
        set.iter().map(P::name).collect::<Vec<_>>().join(" ")
    }

    /// The table of the design, by hand.
    #[test]
    fn built_in_roles_hold_what_the_design_says() {
        let user = BuiltIn::User.sets();
        assert_eq!(
            names(user.own),
            "device.view device.control device.edit device.export event.view event.resolve automation.run dashboard.view"
        );
        assert_eq!(names(user.org), "dashboard.view org.view");
        let staff = BuiltIn::Staff.sets().org;
        for barred in [P::DeviceDelete, P::DeviceErase, P::DeviceToken, P::DeviceTransfer, P::KeyManage, P::OrgEdit] {
            assert!(!staff.has(barred), "{barred}");
        }
        assert_eq!(staff.iter().count(), 20);
        assert!(BuiltIn::Viewer.sets().org.iter().all(P::is_reading));
        assert_eq!(names(BuiltIn::Installer.sets().own), "device.token");
        assert_eq!(BuiltIn::Admin.sets().org, Permissions::ALL);
    }

    #[test]
    fn nobody_gives_what_they_lack() {
        let staff = BuiltIn::Staff.sets();
        let giver = Giver { here: staff, below: RoleSets::NONE };
        assert_eq!(giver.may_assign(BuiltIn::Viewer.sets(), false), Ok(()));
        assert_eq!(giver.may_assign(BuiltIn::Viewer.sets(), true), Err(GiveRule::Below));
        assert!(matches!(giver.may_assign(BuiltIn::Admin.sets(), false), Err(GiveRule::More(_))));
        assert_eq!(
            giver.may_assign(BuiltIn::Installer.sets(), false),
            Err(GiveRule::More(Permissions::of(&[P::DeviceToken])))
        );
        assert!(matches!(giver.may_touch(BuiltIn::Admin.sets()), Err(GiveRule::More(_))));
        let admin = Giver { here: RoleSets::ALL, below: RoleSets::ALL };
        let sets = (RoleSets::NONE, staff);
        assert_eq!(admin.may_edit(1, sets, false, false), Err(GiveRule::FixedRole));
        assert_eq!(admin.may_edit(7, sets, true, false), Err(GiveRule::OwnRole));
        assert_eq!(admin.may_edit(7, sets, false, true), Ok(()));
        let keys = RoleSets { own: Permissions::NONE, org: Permissions::of(&[P::DeviceView, P::UserReset]) };
        assert_eq!(admin.may_make_key(keys), Err(GiveRule::PeopleOnly(Permissions::of(&[P::UserReset]))));
    }
}
