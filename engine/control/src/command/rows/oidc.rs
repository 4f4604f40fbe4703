//! Signing in at another server.

use crate::command::oidc;
use crate::command::request::*;
use crate::command::row::rows;

rows! {
    web    OidcList     "oidc.list"     -> ListPage<OidcLine>: Nobody,      Look,   oidc::list     => "GET" "/api/v1/oidc";
    web    OidcStart    "oidc.start"    -> ():                 Nobody,      Look,   oidc::start    => "GET" "/api/v1/oidc/{provider}/start";
    web    OidcCallback "oidc.callback" -> ():                 Nobody,      Change, oidc::callback => "GET" "/api/v1/oidc/{provider}/callback";
    web    OidcLink     "oidc.link"     -> OidcStarted:        MyselfFresh, Change, oidc::link     => "POST" "/api/v1/oidc/{provider}/link";
    web    OidcUnlink   "oidc.unlink"   -> ():                 MyselfFresh, Change, oidc::unlink   => "DELETE" "/api/v1/oidc/{provider}/link";
}
