//! Who may do what, as pure functions: no clock, no store, no network.
//!
//! | file | what |
//! |---|---|
//! | [`permission`] | the 45 permissions, sets of them, and a zero-sized type for each |
//! | [`role`] | the built-in roles; what a role, a grant and a key may hold |
//! | [`tree`] | organizations, their state and who is above whom |
//! | [`standing`] | what somebody may do as they come in: memberships, limits, how well they proved themselves |
//! | [`scope`] | `admit`: the only way to a [`Scope`], and with it to a record |
//! | [`directory`] | who is where with which role, in memory |
//! | [`explain`] | why somebody may or may not, in words |
//!
//! A request is admitted once: [`admit`] looks at the session, the organization and the permission and answers a
//! [`Scope`], or a [`Denial`]. The loaders of the store take the scope and build their keys from it, so that an object of
//! another organization cannot even be named: it is missing.

pub mod directory;
pub mod explain;
pub mod permission;
pub mod role;
pub mod scope;
pub mod standing;
pub mod tree;

pub use directory::{Directory, PersonRef};
pub use explain::explain;
pub use permission::{Permission, Permissions, Right, right};
pub use role::{BuiltIn, GiveRule, RoleSets};
pub use scope::{Denial, Scope, ScopeReach, admit};
pub use standing::{Assurance, Membership, RoleEyes, Standing};
pub use tree::{OrgNode, Tree, TreeError};

#[cfg(test)]
mod escalation;
