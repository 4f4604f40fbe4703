//! What operators do with people and the audit log.

use std::io::BufRead as _;

use linchpin_control::request::{AccessWhy, AuditVerify, UserCreate, UserList};

use super::args::{AccessVerb, AdminVerb, AuditVerb, UserVerb};
use super::failure::Failure;

/// `linchpin audit`.
pub(crate) fn audit(verb: AuditVerb) -> Result<(), Failure> {
    let AuditVerb::Verify { org, checkpoints, at } = verb;
    let text = match &checkpoints {
        Some(path) => {
            std::fs::read_to_string(path).map_err(|error| Failure::general(format!("{}: {error}", path.display())))?
        }
        None => String::new(),
    };
    let lines = text.lines().filter(|line| !line.trim().is_empty()).map(serde_json::from_str);
    let checkpoints = lines.collect::<Result<_, _>>().map_err(Failure::general)?;
    at.run(&AuditVerify { org, checkpoints })
}

/// `linchpin access`.
pub(crate) fn access(verb: AccessVerb) -> Result<(), Failure> {
    let AccessVerb::Why { email, permission, org, at } = verb;
    at.run(&AccessWhy { email, org, permission })
}

/// `linchpin admin`.
pub(crate) fn admin(verb: AdminVerb) -> Result<(), Failure> {
    let AdminVerb::User(verb) = verb;
    match verb {
        UserVerb::Create { org, role, email, name, password_stdin: _, at } => {
            let mut line = String::new();
            std::io::stdin().lock().read_line(&mut line).map_err(Failure::general)?;
            let password = line.trim_end_matches(['\r', '\n']).to_owned();
            at.run(&UserCreate { org, role, email, name, password })
        }
        UserVerb::List { org, at } => at.run(&UserList { org }),
    }
}
