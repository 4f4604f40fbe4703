//! What the benchmarks of `benches/` share, and the instruction budgets that gate every change (`budgets`).

pub mod budget;
pub mod callgrind;
pub mod cases;
pub mod mqtt_cases;
pub mod world;
