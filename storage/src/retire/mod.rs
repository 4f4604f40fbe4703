//! What leaves the store: by age, or because somebody asks for it.

pub(crate) mod erase;
pub(crate) mod expire;
pub(crate) mod transfer;
pub(crate) mod trusted_clock;
