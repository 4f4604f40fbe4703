//! Organizations, their keys, and the audit log.

use crate::command::request::*;
use crate::command::row::rows;
use crate::command::{keys, log, tree};

rows! {
    web    OrgShow     "org.show"     -> OrgSheet:           OrgView,   Look,   tree::show     => "GET" "/api/v1/orgs/{org}";
    people OrgChange   "org.edit"     -> ():                 OrgEdit,   Change, tree::edit     => "PATCH" "/api/v1/orgs/{org}";
    web    OrgDelete   "org.delete"   -> ():                 OrgDelete, Erase,  tree::delete   => "DELETE" "/api/v1/orgs/{org}";
    web    OrgChildren "org.children" -> ListPage<OrgSheet>: OrgView,   Look,   tree::children => "GET" "/api/v1/orgs/{org}/orgs";
    web    OrgCreate   "org.create"   -> OrgSheet:           OrgCreate, Change, tree::create   => "POST" "/api/v1/orgs/{org}/orgs";
    people OrgMove     "org.move"     -> ():                 OrgTransfer & OrgCreate, Change, tree::move_org => "POST" "/api/v1/orgs/{org}/move";
    people OrgSuspend  "org.suspend"  -> ():                 OrgEdit,   Change, tree::suspend  => "POST" "/api/v1/orgs/{org}/suspend";
    people OrgResume   "org.resume"   -> ():                 OrgEdit,   Change, tree::resume   => "POST" "/api/v1/orgs/{org}/resume";
    people KeyList     "key.list"     -> ListPage<KeyLine>:  KeyManage, Look,   keys::list     => "GET" "/api/v1/orgs/{org}/keys";
    people KeyCreate   "key.create"   -> MadeKey:            KeyManage, Reveal, keys::create   => "POST" "/api/v1/orgs/{org}/keys";
    people KeyRotate   "key.rotate"   -> MadeKey:            KeyManage, Reveal, keys::rotate   => "POST" "/api/v1/orgs/{org}/keys/{key}/rotate";
    people KeyRevoke   "key.revoke"   -> ():                 KeyManage, Change, keys::revoke   => "DELETE" "/api/v1/orgs/{org}/keys/{key}";
    web    OauthToken  "oauth.token"  -> OauthTokens:        Nobody,    Change, keys::token    => "POST" "/oauth2/token";
    people AuditList   "audit.list"   -> ListPage<AuditEntryLine>: AuditView, Look, log::list  => "GET" "/api/v1/orgs/{org}/audit";
    flow   AuditExport "audit.export" -> AuditExportBegun [AuditEntryLine]: AuditView, Reveal, log::export => "GET" "/api/v1/orgs/{org}/audit.jsonl";
    people AuditHead   "audit.head"   -> AuditHeadAnswer:    AuditView, Look,   log::head      => "GET" "/api/v1/orgs/{org}/audit/head";
    people PermissionList "permission.list" -> ListPage<PermissionLine>: Partly, Look, log::permissions => "GET" "/api/v1/permissions";
}
