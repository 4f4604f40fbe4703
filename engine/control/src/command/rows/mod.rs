//! The rows of the table, a file a subject.

pub(super) mod certificates;
pub(super) mod claim;
pub(super) mod fleet;
pub(super) mod me;
pub(super) mod members;
pub(super) mod oidc;
pub(super) mod operator;
pub(super) mod platform;
pub(super) mod privacy;
pub(super) mod server;
pub(super) mod session;
pub(super) mod tree;
