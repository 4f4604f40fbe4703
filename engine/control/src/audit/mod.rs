//! The audit log: what is written down, by whom, and whether it is still whole.

pub mod action;
pub mod chain;
pub mod checkpoint;
pub mod ledger;

pub use action::{AuditAction, ObjectKind};
pub use chain::{ChainFault, ChainFound, verify};
pub use checkpoint::{Checkpoint, Signer};
pub use ledger::{AuditedChange, By, Ledger, Note};
