//! The gate can fail: `budgets` against files that allow too little, enough, and far too much.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

const CASE: &str = "codec: build a response";

/// Exit code, output, errors.
fn judged(content: &str, cases: &[&str]) -> (Option<i32>, String, String) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("linchpin-gate-{}-{count}.toml", std::process::id()));
    std::fs::write(&path, content).expect("a file");
    let mut budgets = Command::new(env!("CARGO_BIN_EXE_budgets"));
    let ran = budgets.env_remove("LINCHPIN_BLESS").arg(&path).args(cases).output().expect("runs");
    let _ = std::fs::remove_file(&path);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (ran.status.code(), text(&ran.stdout), text(&ran.stderr))
}

fn file(instructions: u64, allocations: u64) -> String {
    let budget = format!("{{ instructions = {instructions}, allocations = {allocations} }}");
    format!("tolerance_percent = 3\n[case]\n\"{CASE}\" = {budget}\n")
}

#[test]
fn a_budget_that_is_too_small_fails_and_names_what_and_by_how_much() {
    let (code, out, errors) = judged(&file(1, 0), &[CASE]);
    assert_eq!(code, Some(1), "{out}{errors}");
    assert!(out.contains(&format!("{CASE}: BROKEN, ")) && out.contains("its budget is 1 + 3 %"), "{out}");
    assert!(errors.starts_with("1 budgets of "), "{errors}");
}

#[test]
fn one_that_suffices_passes_and_one_that_is_too_large_is_told() {
    let (code, out, errors) = judged(&file(1_000_000, 0), &[CASE]);
    assert_eq!((code, errors.as_str()), (Some(0), ""), "{out}");
    assert!(out.contains("well below its budget"), "{out}");
}

#[test]
fn cases_and_budgets_must_be_known() {
    let (code, _, errors) = judged(&file(1, 0), &["no such"]);
    assert_eq!((code, errors.trim()), (Some(2), "no case \"no such\""));
    let stale = file(1_000_000, 0) + "\"gone\" = { instructions = 1, allocations = 0 }\n";
    let (code, out, _) = judged(&stale, &[CASE]);
    assert!(code == Some(1) && out.contains("\"gone\" has a budget and is no case any more"), "{out}");
    let (code, out, _) = judged("tolerance_percent = 3\n[case]\n", &[CASE]);
    assert!(code == Some(1) && out.contains("it has no budget"), "{out}");
}
