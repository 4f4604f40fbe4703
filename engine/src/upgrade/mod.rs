//! Replacing this process by a new one while its connections stand: the conversation of `shard::handover` over a real
//! socket, with real processes, stores and threads. docs/upgrade.md is the page for operators.

mod child;
mod line;
mod new;
mod old;
mod orders;

pub(crate) use new::Incoming;
pub(crate) use old::{Ended, hand_over};
pub(crate) use orders::UpgradeOrders;
