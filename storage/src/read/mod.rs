//! The way of a read: records, history, exports, figures, and the threads that read for those who must not wait.

pub(crate) mod chart;
pub(crate) mod export;
pub(crate) mod figures;
pub(crate) mod history;
pub(crate) mod pool;
pub(crate) mod query;
pub(crate) mod reader;
pub(crate) mod reads;
pub(crate) mod zone;
