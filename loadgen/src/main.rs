//! skeleton
mod exit;
mod limits;
mod plan;
mod scenario;
mod units;
fn main() {}
