//! The commit that the server is built from, and its bill of materials.
#![allow(clippy::print_stdout, reason = "cargo reads it there")]

#[path = "../packaging/bill.rs"]
mod bill;
#[path = "../packaging/commit.rs"]
mod commit;

fn main() {
    commit::main();
    bill::write();
}
