//! Arguments of commands about people.

use clap::{Args, Subcommand};

use super::at::At;
use super::store::Where;

#[derive(Subcommand)]
pub(crate) enum AdminVerb {
    /// People.
    #[command(subcommand)]
    User(UserVerb),
    /// Organizations.
    #[command(subcommand)]
    Org(AdminOrgVerb),
    /// Roles.
    #[command(subcommand)]
    Role(RoleVerb),
    /// Sessions of a person.
    #[command(subcommand)]
    Session(SessionVerb),
    /// Invitations.
    #[command(subcommand)]
    Invite(InviteVerb),
    /// API keys and OAuth clients.
    #[command(subcommand)]
    Key(KeyVerb),
    /// A link that sets the server up, while there is nobody who can sign in.
    Bootstrap(At),
}

/// An organization.
#[derive(Args)]
pub(crate) struct InOrg {
    /// The organization, by its number or name.
    #[arg(long, default_value = "1")]
    pub(crate) org: String,
    #[command(flatten)]
    pub(crate) at: Where,
}

fn number_or_address(text: &str) -> Result<String, String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number || text.contains('@') {
        Ok(text.to_owned())
    } else {
        Err("no number and no e-mail address".to_owned())
    }
}

/// A member of an organization.
#[derive(Args)]
pub(crate) struct OfUser {
    /// Their number or e-mail address: `linchpin admin user list` shows them.
    #[arg(value_parser = number_or_address)]
    pub(crate) user: String,
    #[command(flatten)]
    pub(crate) of: InOrg,
}

#[derive(Subcommand)]
pub(crate) enum UserVerb {
    /// Make a person who may sign in.
    Create {
        /// Their organization, by its number or name.
        #[arg(long, default_value = "1")]
        org: String,
        /// admin, staff, user, viewer, installer, or a number.
        #[arg(long)]
        role: String,
        /// Their e-mail address.
        #[arg(long)]
        email: String,
        /// For people.
        #[arg(long, default_value = "")]
        name: String,
        /// The password is the first line of the standard input.
        #[arg(long, required = true)]
        password_stdin: bool,
        #[command(flatten)]
        at: Where,
    },
    /// Members of an organization.
    List(InOrg),
    /// Keep a person from signing in; their sessions end.
    Suspend(OfUser),
    /// Let a person sign in again.
    Resume(OfUser),
    /// Take a person's second factor away; their sessions end.
    ResetFactor(OfUser),
    /// Give a member the role Admin, for the organizations below too.
    MakeAdmin(OfUser),
    /// Remove a person with their keys and sessions.
    Remove(OfUser),
}

#[derive(Subcommand)]
pub(crate) enum AdminOrgVerb {
    /// All organizations.
    List(Where),
    /// Suspend one with all below it.
    Suspend(InOrg),
    /// Let it be used again.
    Resume(InOrg),
}

#[derive(Subcommand)]
pub(crate) enum RoleVerb {
    /// Roles of an organization with their permissions.
    List(InOrg),
}

#[derive(Subcommand)]
pub(crate) enum SessionVerb {
    /// Sessions of a person.
    List(OfUser),
    /// End all sessions of a person.
    End(OfUser),
}

#[derive(Subcommand)]
pub(crate) enum InviteVerb {
    /// Invitations that nobody has accepted yet.
    List(InOrg),
    /// Take one back.
    Revoke {
        /// Its number.
        invite: u32,
        #[command(flatten)]
        of: InOrg,
    },
}

#[derive(Subcommand)]
pub(crate) enum KeyVerb {
    /// API keys and OAuth clients of an organization.
    List(InOrg),
    /// Take one away.
    Revoke {
        /// Its number.
        key: u32,
        #[command(flatten)]
        of: InOrg,
    },
}
