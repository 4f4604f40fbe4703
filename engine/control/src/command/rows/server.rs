//! The server in the console: for its operators, who have `server.manage` in the first organization.

use crate::command::request::*;
use crate::command::row::rows;
use crate::command::server;

rows! {
    web ServerShow   "server.show"   -> ServerPage: ServerManage, Look,   server::show     => "GET" "/api/v1/server";
    web BackupBegin "server.backup" -> ServerWork: ServerManage, Change, server::back_up  => "POST" "/api/v1/server/backup";
    web VerifyBegin "server.verify" -> ServerWork: ServerManage, Change, server::verify
        => "POST" "/api/v1/server/backup/verify";
    web RotateBegin "server.rotate" -> ServerWork: ServerManage, Change, server::rotate
        => "POST" "/api/v1/server/keys/rotate";
}
