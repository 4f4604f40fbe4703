//! What a run says: a table, JSON, histograms, a time series, and one HTML page.

mod cost;
pub(crate) mod files;
mod heat;
pub(crate) mod html;
pub(crate) mod outcome;
pub(crate) mod series;
pub(crate) mod summary;
pub(crate) mod table;

pub(crate) use outcome::RunOutcome;
