//! Permissions and sets of them. Their numbers are stored: never change or reuse one.

use std::fmt;

/// Each permission: variant, number, name, the type that stands for it in a [`super::Scope`].
macro_rules! permissions {
    ($($variant:ident = $number:literal, $name:literal, $doc:literal;)+) => {
        /// One thing that may be allowed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Permission {
            $(#[doc = $doc] $variant = $number,)+
        }

        impl Permission {
            /// All, in the order of their numbers.
            pub const ALL: [Self; COUNT] = [$(Self::$variant),+];

            /// Its name in roles, routes and texts.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// What it allows, for people.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $doc),+ }
            }
        }

        const COUNT: usize = [$($number),+].len();

        /// A type for each permission, so that the compiler compares what a scope allows with what a loader needs.
        pub mod right {
            $(
                #[doc = $doc]
                #[derive(Clone, Copy, Debug)]
                pub enum $variant {}
                impl super::Right for $variant {
                    const PERMISSION: super::Permission = super::Permission::$variant;
                }
            )+
        }
    };
}

/// A type that stands for one permission.
pub trait Right {
    /// Which.
    const PERMISSION: Permission;
}

permissions! {
    DeviceView = 0, "device.view", "See devices, their values and their history.";
    DeviceControl = 1, "device.control", "Write values to devices.";
    DeviceCreate = 2, "device.create", "Make devices, and take them over from elsewhere.";
    DeviceEdit = 3, "device.edit", "Change names, metadata and shares of devices.";
    DeviceDelete = 4, "device.delete", "Remove devices.";
    DeviceErase = 5, "device.erase", "Delete the history of devices.";
    DeviceToken = 6, "device.token", "See and replace tokens of devices.";
    DeviceTransfer = 7, "device.transfer", "Give devices away.";
    DeviceBatch = 8, "device.batch", "Make and change many devices at once, and static tokens.";
    DeviceExport = 9, "device.export", "Export the history of devices.";
    DeviceDiagnose = 10, "device.diagnose", "See the diary and the frames of devices.";
    TemplateView = 11, "template.view", "See templates.";
    TemplateEdit = 12, "template.edit", "Make and change templates.";
    TemplateDelete = 13, "template.delete", "Remove templates.";
    TemplatePublish = 14, "template.publish", "Give templates to organizations below.";
    EventView = 15, "event.view", "See events.";
    EventResolve = 16, "event.resolve", "Mark events as resolved.";
    FirmwareView = 17, "firmware.view", "See firmware and where it went.";
    FirmwareShip = 18, "firmware.ship", "Send firmware to devices.";
    AutomationView = 19, "automation.view", "See automations.";
    AutomationEdit = 20, "automation.edit", "Make and change automations.";
    AutomationRun = 21, "automation.run", "Run automations by hand.";
    DashboardView = 22, "dashboard.view", "See dashboards.";
    DashboardEdit = 23, "dashboard.edit", "Make and change dashboards.";
    HookManage = 24, "hook.manage", "Make and change webhooks.";
    UserView = 25, "user.view", "See people.";
    UserInvite = 26, "user.invite", "Invite people.";
    UserEdit = 27, "user.edit", "Change names and settings of people.";
    UserSuspend = 28, "user.suspend", "Suspend people and end their sessions.";
    UserRemove = 29, "user.remove", "Remove people.";
    UserReset = 30, "user.reset", "Make people set a new password or factor.";
    UserTransfer = 31, "user.transfer", "Move people to another organization.";
    RoleView = 32, "role.view", "See roles.";
    RoleEdit = 33, "role.edit", "Make and change roles.";
    RoleAssign = 34, "role.assign", "Give roles to people.";
    OrgView = 35, "org.view", "See the organization.";
    OrgEdit = 36, "org.edit", "Change the organization and its policy.";
    OrgCreate = 37, "org.create", "Make organizations below.";
    OrgTransfer = 38, "org.transfer", "Move organizations in the tree.";
    OrgDelete = 39, "org.delete", "Delete organizations.";
    KeyManage = 40, "key.manage", "Make, change and revoke API keys and OAuth clients.";
    AuditView = 41, "audit.view", "Read the audit log.";
    PrivacyExport = 42, "privacy.export", "Export all that is stored of the organization or of a person.";
    PrivacyErase = 43, "privacy.erase", "Erase the organization or a person for ever.";
    ServerManage = 44, "server.manage", "Manage the server itself; in the first organization only.";
}

impl Permission {
    /// The one with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|permission| permission.name() == name)
    }

    /// Must the person have proved themselves within the last minutes?
    #[must_use]
    pub const fn needs_step_up(self) -> bool {
        Permissions::STEP_UP.has(self)
    }

    /// Does it change nothing?
    #[must_use]
    pub const fn is_reading(self) -> bool {
        Permissions::READING.has(self)
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of permissions: 64 bits, as they are stored.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Permissions(u64);

impl Permissions {
    /// None.
    pub const NONE: Self = Self(0);
    /// All that there are.
    pub const ALL: Self = Self::of(&Permission::ALL);
    /// Those that can be limited to what is somebody's own.
    pub const OWNABLE: Self = Self::of(&[
        Permission::DeviceView,
        Permission::DeviceControl,
        Permission::DeviceCreate,
        Permission::DeviceEdit,
        Permission::DeviceDelete,
        Permission::DeviceErase,
        Permission::DeviceToken,
        Permission::DeviceTransfer,
        Permission::DeviceBatch,
        Permission::DeviceExport,
        Permission::DeviceDiagnose,
        Permission::EventView,
        Permission::EventResolve,
        Permission::AutomationRun,
        Permission::DashboardView,
    ]);
    /// Those that need a fresh proof.
    pub const STEP_UP: Self = Self::of(&[
        Permission::DeviceToken,
        Permission::UserReset,
        Permission::RoleEdit,
        Permission::OrgTransfer,
        Permission::OrgDelete,
        Permission::KeyManage,
        Permission::PrivacyExport,
        Permission::PrivacyErase,
    ]);
    /// Those that change nothing: all that a view as somebody else may use.
    pub const READING: Self = Self::of(&[
        Permission::DeviceView,
        Permission::DeviceDiagnose,
        Permission::TemplateView,
        Permission::EventView,
        Permission::FirmwareView,
        Permission::AutomationView,
        Permission::DashboardView,
        Permission::UserView,
        Permission::RoleView,
        Permission::OrgView,
        Permission::AuditView,
    ]);
    /// Those that no program's key ever holds: it must not reach people's credentials or make itself stronger.
    pub const PEOPLE_ONLY: Self = Self::of(&[
        Permission::UserReset,
        Permission::RoleView,
        Permission::RoleEdit,
        Permission::RoleAssign,
        Permission::PrivacyExport,
        Permission::PrivacyErase,
        Permission::KeyManage,
        Permission::ServerManage,
    ]);

    /// Of a list.
    #[must_use]
    pub const fn of(list: &[Permission]) -> Self {
        let (mut bits, mut at) = (0, 0);
        while at < list.len() {
            bits |= 1 << list[at] as u8;
            at += 1;
        }
        Self(bits)
    }

    /// As stored; bits of permissions that this program does not know are left out.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits & Self::ALL.0)
    }

    /// As it is stored.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Is it in there?
    #[must_use]
    pub const fn has(self, permission: Permission) -> bool {
        self.0 & (1 << permission as u8) != 0
    }

    /// Is nothing in there?
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Are all of these in there?
    #[must_use]
    pub const fn contains(self, others: Self) -> bool {
        others.0 & !self.0 == 0
    }

    /// These and those.
    #[must_use]
    pub const fn union(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Those that are in both.
    #[must_use]
    pub const fn both(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }

    /// These without those.
    #[must_use]
    pub const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// One by one, in the order of their numbers.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.into_iter().filter(move |permission| self.has(*permission))
    }

    /// Of names.
    ///
    /// # Errors
    /// The first name that is none.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, &'a str> {
        let mut set = Self::NONE;
        for name in names {
            let permission = Permission::parse(name).ok_or(name)?;
            set = set.union(Self::of(&[permission]));
        }
        Ok(set)
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(Permission::name)).finish()
    }
}

const _: () = assert!(COUNT == 45, "docs/permissions.md, roles and routes know this many");
const _: () = assert!(Permissions::ALL.0 == (1 << COUNT) - 1, "the numbers have no gap");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_and_names_go_both_ways() {
        for permission in Permission::ALL {
            assert_eq!(Permission::parse(permission.name()), Some(permission));
        }
        let set = Permissions::parse(["device.view", "org.edit"]).expect("both are known");
        assert_eq!(set.iter().collect::<Vec<_>>(), [Permission::DeviceView, Permission::OrgEdit]);
        assert_eq!(Permissions::from_bits(set.bits()), set);
        assert_eq!(Permissions::from_bits(u64::MAX), Permissions::ALL);
        assert_eq!(Permissions::parse(["device.view", "device.fly"]), Err("device.fly"));
        assert!(Permissions::ALL.contains(set) && !set.contains(Permissions::ALL));
        assert_eq!(format!("{set:?}"), "[\"device.view\", \"org.edit\"]");
    }

    /// Written by hand, not derived: what a key must never hold and what needs a fresh proof.
    #[test]
    fn the_marked_sets_are_those_of_the_design() {
        let names = |set: Permissions| set.iter().map(Permission::name).collect::<Vec<_>>().join(" ");
        assert_eq!(
            names(Permissions::STEP_UP),
            "device.token user.reset role.edit org.transfer org.delete key.manage privacy.export privacy.erase"
        );
        assert_eq!(
            names(Permissions::PEOPLE_ONLY),
            "user.reset role.view role.edit role.assign key.manage privacy.export privacy.erase server.manage"
        );
        assert!(
            Permissions::READING
                .iter()
                .all(|permission| permission.name().ends_with(".view") || permission == Permission::DeviceDiagnose)
        );
    }
}
