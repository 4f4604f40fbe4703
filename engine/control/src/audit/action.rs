//! What is written down, and of what. The numbers are stored: never change or reuse one.

/// What an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ObjectKind {
    /// The organization itself.
    Org = 0,
    /// A person.
    User = 1,
    /// A role.
    Role = 2,
    /// A session.
    Session = 3,
    /// An API key or OAuth client.
    Client = 4,
    /// An invitation or another link.
    Invite = 5,
    /// A device.
    Device = 6,
    /// A template.
    Template = 7,
    /// A pair of static tokens.
    Static = 8,
    /// The server.
    Server = 9,
    /// An event of a device.
    Event = 10,
}

impl ObjectKind {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Org,
        Self::User,
        Self::Role,
        Self::Session,
        Self::Client,
        Self::Invite,
        Self::Device,
        Self::Template,
        Self::Static,
        Self::Server,
        Self::Event,
    ];

    /// The one with this number.
    #[must_use]
    pub fn of_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }

    /// Its name in lists and exports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Org => "organization",
            Self::User => "person",
            Self::Role => "role",
            Self::Session => "session",
            Self::Client => "key",
            Self::Invite => "link",
            Self::Device => "device",
            Self::Template => "template",
            Self::Static => "static token",
            Self::Server => "server",
            Self::Event => "event",
        }
    }
}

macro_rules! actions {
    ($($variant:ident = $number:literal, $name:literal;)+) => {
        /// What was done.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u16)]
        pub enum AuditAction {
            $(#[doc = $name] $variant = $number,)+
        }

        impl AuditAction {
            /// All, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its name in lists and exports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }
    };
}

actions! {
    SignIn = 1, "session.open";
    SignInFailed = 2, "session.refuse";
    SignOut = 3, "session.end";
    StepUp = 4, "session.step-up";
    Denied = 5, "access.deny";
    UserCreate = 10, "user.create";
    UserEdit = 11, "user.edit";
    UserSuspend = 12, "user.suspend";
    UserResume = 13, "user.resume";
    UserRemove = 14, "user.remove";
    UserReset = 15, "user.reset";
    PasswordSet = 16, "user.password";
    FactorSet = 17, "user.factor";
    FactorRemove = 18, "user.factor-remove";
    AddressSet = 19, "user.address";
    UserMove = 20, "user.move";
    IdentityLink = 21, "user.identity-link";
    IdentityUnlink = 22, "user.identity-unlink";
    InviteCreate = 30, "invite.create";
    InviteAccept = 31, "invite.accept";
    InviteRevoke = 32, "invite.revoke";
    RoleEdit = 40, "role.edit";
    RoleDelete = 41, "role.delete";
    RoleAssign = 42, "role.assign";
    RoleUnassign = 43, "role.unassign";
    OrgCreate = 50, "org.create";
    OrgEdit = 51, "org.edit";
    OrgSuspend = 52, "org.suspend";
    OrgResume = 53, "org.resume";
    OrgMove = 54, "org.move";
    OrgDelete = 55, "org.delete";
    KeyCreate = 60, "key.create";
    KeyRotate = 61, "key.rotate";
    KeyRevoke = 62, "key.revoke";
    KeyReuse = 63, "key.reuse";
    DeviceCreate = 70, "device.create";
    DeviceEdit = 71, "device.edit";
    DeviceDelete = 72, "device.delete";
    DeviceErase = 73, "device.erase";
    TokenReveal = 74, "device.token-reveal";
    TokenReplace = 75, "device.token-replace";
    DeviceLeave = 76, "device.leave";
    DeviceEnter = 77, "device.enter";
    ShareSet = 78, "device.share";
    ShareRemove = 79, "device.unshare";
    DeviceClaim = 80, "device.claim";
    StaticCreate = 81, "static.create";
    DeviceExport = 82, "device.export";
    TemplateEdit = 90, "template.edit";
    TemplateDelete = 91, "template.delete";
    EventResolve = 100, "event.resolve";
    PrivacyExport = 110, "privacy.export";
    PrivacyErase = 111, "privacy.erase";
    ConsentSet = 112, "privacy.consent";
    Bootstrap = 120, "server.bootstrap";
    Upgrade = 121, "server.upgrade";
    ServerWork = 122, "server.work";
}

impl AuditAction {
    /// The one with this number.
    #[must_use]
    pub fn of_number(number: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| *action as u16 == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_there_once() {
        let names: std::collections::BTreeSet<_> = AuditAction::ALL.iter().map(|action| action.name()).collect();
        assert_eq!(names.len(), AuditAction::ALL.len());
        assert_eq!(AuditAction::of_number(42), Some(AuditAction::RoleAssign));
        assert_eq!(AuditAction::of_number(0), None, "entries of the first version");
    }
}
