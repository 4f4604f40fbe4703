//! What people and organizations may demand by law.

use crate::command::privacy;
use crate::command::request::*;
use crate::command::row::rows;

rows! {
    flow   MeExport  "me.export"      -> PrivacyExportBegun [String]: Myself,      Reveal, privacy::export_me  => "GET" "/api/v1/me/export";
    people MeErase   "me.erase"       -> ():                          MyselfFresh, Erase,  privacy::erase_me   => "DELETE" "/api/v1/me";
    flow   OrgExport "privacy.export" -> PrivacyExportBegun [String]: PrivacyExport, Reveal, privacy::export_org => "POST" "/api/v1/orgs/{org}/export";
    web    OrgErase  "privacy.erase"  -> ():                          PrivacyErase & OrgDelete, Erase, privacy::erase_org => "POST" "/api/v1/orgs/{org}/erase";
}
