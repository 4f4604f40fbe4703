//! Members of an organization, their roles, and invitations.

use crate::command::request::*;
use crate::command::row::rows;
use crate::command::{address, links, members};

rows! {
    people UserList    "user.list"    -> ListPage<UserLine>: UserView,    Look,   members::list        => "GET" "/api/v1/orgs/{org}/users";
    people UserShow    "user.show"    -> UserLine:           UserView,    Look,   members::show        => "GET" "/api/v1/orgs/{org}/users/{user}";
    people UserEdit    "user.edit"    -> ():                 UserEdit,    Change, members::edit        => "PATCH" "/api/v1/orgs/{org}/users/{user}";
    people UserRemove  "user.remove"  -> ():                 UserRemove,  Erase,  members::remove      => "DELETE" "/api/v1/orgs/{org}/users/{user}";
    people UserSuspend "user.suspend" -> ():                 UserSuspend, Change, members::suspend     => "POST" "/api/v1/orgs/{org}/users/{user}/suspend";
    people UserResume  "user.resume"  -> ():                 UserSuspend, Change, members::resume      => "POST" "/api/v1/orgs/{org}/users/{user}/resume";
    people UserLogout  "user.logout"  -> ():                 UserSuspend, Change, members::logout      => "POST" "/api/v1/orgs/{org}/users/{user}/logout";
    people UserSessions "user.sessions" -> ListPage<MySession>: UserSuspend, Look, members::sessions   => "GET" "/api/v1/orgs/{org}/users/{user}/sessions";
    people UserResetFactor "user.reset-factor" -> ():        UserReset,   Change, members::reset_factor => "POST" "/api/v1/orgs/{org}/users/{user}/reset-factor";
    web    UserReset   "user.reset"   -> ():                 UserReset,   Change, members::reset       => "POST" "/api/v1/orgs/{org}/users/{user}/reset";
    people UserMove    "user.move"    -> ():                 UserTransfer & RoleAssign, Change, members::move_user => "POST" "/api/v1/orgs/{org}/users/{user}/move";
    people GrantSet    "grant.set"    -> ():                 RoleAssign,  Change, members::set_grant   => "PUT" "/api/v1/orgs/{org}/users/{user}/grant";
    people RoleList    "role.list"    -> ListPage<RoleLine>: RoleView,    Look,   members::list_roles  => "GET" "/api/v1/orgs/{org}/roles";
    people RolePut     "role.put"     -> ():                 RoleEdit,    Change, members::put_role    => "PUT" "/api/v1/orgs/{org}/roles/{role}";
    people RoleRemove  "role.remove"  -> ():                 RoleEdit,    Change, members::remove_role => "DELETE" "/api/v1/orgs/{org}/roles/{role}";
    people InviteList  "invite.list"  -> ListPage<InviteLine>: UserInvite, Look,  links::list          => "GET" "/api/v1/orgs/{org}/invites";
    web    InviteCreate "invite.create" -> MadeInvitation:   UserInvite,  Change, links::create        => "POST" "/api/v1/orgs/{org}/invites";
    people InviteRevoke "invite.revoke" -> ():               UserInvite,  Change, links::revoke        => "DELETE" "/api/v1/orgs/{org}/invites/{invite}";
    web    InviteAccept "invite.accept" -> LinkedPerson:     Nobody,      Change, links::accept        => "POST" "/api/v1/verify";
    web    SignUp      "sign-up"      -> ():                 Nobody,      Change, address::sign_up     => "POST" "/api/v1/register";
    web    PasswordForgot "password.forgot" -> ():           Nobody,      Change, links::forgot        => "POST" "/api/v1/reset";
    web    PasswordReset "password.reset" -> ():             Nobody,      Change, links::reset         => "POST" "/api/v1/reset/confirm";
    web    SetupState  "setup.state"  -> SetupAnswer:        Nobody,      Look,   links::setup_state   => "GET" "/api/v1/bootstrap";
    web    SetupOpen   "setup.open"   -> LinkedPerson:       Nobody,      Change, links::set_up        => "POST" "/api/v1/bootstrap";
    web    SetupRenew  "setup.renew"  -> SetupLink:          ServerManage, Reveal, links::renew_setup;
}
