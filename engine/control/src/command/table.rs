//! The table of commands: the rows of all subjects. The admin socket, the command line, the routes over HTTP, docs/admin.md
//! and docs/permissions.md come from it.

use std::sync::LazyLock;

use super::row::Row;
use super::rows;
use crate::{Code, CommandError};

/// All commands.
pub static TABLE: LazyLock<Vec<&'static Row>> = LazyLock::new(|| {
    let subjects = [
        rows::operator::ROWS,
        rows::certificates::ROWS,
        rows::server::ROWS,
        rows::session::ROWS,
        rows::me::ROWS,
        rows::members::ROWS,
        rows::tree::ROWS,
        rows::fleet::ROWS,
        rows::platform::ROWS,
        rows::claim::ROWS,
        rows::privacy::ROWS,
        rows::oidc::ROWS,
    ];
    subjects.into_iter().flatten().collect()
});

/// The command with this name.
///
/// # Errors
/// There is none.
pub(crate) fn find(name: &str) -> Result<&'static Row, CommandError> {
    let text = || format!("there is no command {name:?}; see docs/admin.md");
    TABLE.iter().copied().find(|row| row.name == name).ok_or_else(|| CommandError::new(Code::UnknownCommand, text()))
}
