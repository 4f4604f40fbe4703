//! Comparisons in interleaved rounds: kept results, statistics over pairs, and the report. For programs that measure
//! Linchpin beside something else; `bench-compare` is one of them, `bench-peers` another.

pub mod report;
pub mod results;
pub mod statistics;
