//! Sealing: the key hierarchy, what seals and opens one value, rotation of keys.

pub(crate) mod cipher;
pub(crate) mod harden;
pub(crate) mod keyring;
pub(crate) mod page;
pub(crate) mod rotate;
pub(crate) mod seals;
pub(crate) mod unseal;
