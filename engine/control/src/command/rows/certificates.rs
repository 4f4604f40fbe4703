//! Certificates that the server orders by itself.

use crate::acme::{LineReport, PlanFinding};
use crate::command::certificate;
use crate::command::request::*;
use crate::command::row::rows;

rows! {
    ask    CertPlan     "cert.plan"     -> Vec<PlanFinding>:    ServerManage, Look,   certificate::plan;
    ask    CertTry      "cert.try"      -> LineReport:          ServerManage, Change, certificate::try_order;
    ask    CertStatus   "cert.status"   -> Vec<LineReport>:     ServerManage, Look,   certificate::status;
    ask    CertRenew    "cert.renew"    -> Vec<LineReport>:     ServerManage, Change, certificate::renew;
    ask    CertRevoke   "cert.revoke"   -> Vec<LineReport>:     ServerManage, Erase,  certificate::revoke;
    ask    CertRollback "cert.rollback" -> Vec<LineReport>:     ServerManage, Change, certificate::roll_back;
    ask    CertExport   "cert.export"   -> ExportedCertificate: ServerManage, Reveal, certificate::export;
}
