//! What people and organizations may demand by law: their data in a readable form, and that it is erased.

mod archive;
mod erase;
mod export;
mod gather;

pub(crate) use erase::follow_erasures;
pub(super) use erase::{erase_me, erase_org};
pub(super) use export::{export_me, export_org};
