//! Rules about how files relate: circles between them, names that stand twice, paths that documents name, decisions.

pub mod advisories;
pub mod circles;
pub mod dangers;
pub mod decisions;
pub mod faults;
pub mod files;
pub mod names;
pub mod paths;
pub mod permissions;
pub mod units;

/// Is this a source file of the product, without its tests?
#[must_use]
pub fn is_product(path: &str) -> bool {
    let rooms = ["protocol/src/", "engine/", "storage/src/", "loadgen/src/"];
    rooms.iter().any(|room| path.starts_with(room))
        && path.contains("/src/")
        && !path.contains("/tests/")
        && !path.ends_with("/tests.rs")
}
