//! Signing in and out, and who one is.

use crate::command::request::*;
use crate::command::row::rows;
use crate::command::session;

rows! {
    web    SessionOpen   "session.open"    -> SessionAnswer: Nobody, Change, session::open      => "POST" "/api/v1/session";
    people SessionEnd    "session.close"   -> ():            Partly, Change, session::close     => "DELETE" "/api/v1/session";
    web    SessionStepUp "session.step-up" -> ():            Partly, Change, session::step_up   => "POST" "/api/v1/session/step-up";
    web    MeShow        "me.show"         -> Me:            Partly, Look,   session::me        => "GET" "/api/v1/me";
}
