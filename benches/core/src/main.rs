//! `budgets`: counts instructions and allocations of each case under callgrind and compares them with `budgets.toml`.
//!
//!     budgets FILE [CASE...]    check all cases or these; with LINCHPIN_BLESS set: write what was counted
//!     budgets measure CASE      run one case (what callgrind runs)
//!
//! Exit codes: 0 all budgets are kept, 1 one is not, 2 usage.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that reports")]

use std::path::Path;
use std::process::ExitCode;

use linchpin_bench_core::budget::{Budget, Budgets, Verdict, file, judge};
use linchpin_bench_core::callgrind::count;
use linchpin_bench_core::cases::{CASES, Case};

/// What a new file allows.
const TOLERANCE_PERCENT: u64 = 3;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let texts: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match texts[..] {
        ["measure", name] => match CASES.iter().find(|case| case.name == name) {
            Some(case) => {
                case.run();
                ExitCode::SUCCESS
            }
            None => usage(&format!("no case {name:?}")),
        },
        [path, ref names @ ..] => {
            if let Some(unknown) = names.iter().find(|name| !CASES.iter().any(|case| case.name == **name)) {
                return usage(&format!("no case {unknown:?}"));
            }
            let cases = CASES.iter().filter(|case| names.is_empty() || names.contains(&case.name)).collect::<Vec<_>>();
            check(Path::new(path), &cases).unwrap_or_else(|error| {
                eprintln!("budgets: {error}");
                ExitCode::FAILURE
            })
        }
        [] => usage("usage: budgets FILE [CASE...]"),
    }
}

fn usage(text: &str) -> ExitCode {
    eprintln!("{text}");
    ExitCode::from(2)
}

/// Count each case in a program of its own.
fn counted(cases: &[&Case]) -> Result<Vec<(&'static str, Budget)>, String> {
    let program = std::env::current_exe().map_err(|error| format!("this program: {error}"))?;
    let folder = std::env::temp_dir().join(format!("linchpin-budgets-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let one = |case: &&Case| Ok((case.name, Budget::of(count(&program, case.name, &folder)?, case.units)));
    let counted = cases.iter().map(one).collect();
    let _ = std::fs::remove_dir_all(&folder);
    counted
}

fn check(path: &Path, cases: &[&Case]) -> Result<ExitCode, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let counted = counted(cases)?;
    if std::env::var_os("LINCHPIN_BLESS").is_some() {
        std::fs::write(path, file(TOLERANCE_PERCENT, &counted)).map_err(|error| wrong(&error))?;
        return Ok(ExitCode::SUCCESS);
    }
    let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
    let budgets: Budgets = toml::from_str(&text).map_err(|error| wrong(&error))?;
    let mut broken = 0;
    println!("{:>12} {:>12}  case", "instructions", "allocations");
    for (name, one) in counted {
        let remark = match judge(one, budgets.case.get(name).copied(), budgets.tolerance_percent) {
            Verdict::Kept => String::new(),
            Verdict::Loose => ": well below its budget, lower it".to_owned(),
            Verdict::Broken(why) => {
                broken += 1;
                format!(": BROKEN, {why}")
            }
        };
        println!("{:>12} {:>12}  {name}{remark}", one.instructions, one.allocations);
    }
    for name in budgets.case.keys().filter(|name| !CASES.iter().any(|case| case.name == **name)) {
        println!("{name:?} has a budget and is no case any more");
        broken += 1;
    }
    if broken == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    let path = path.display();
    eprintln!(
        "{broken} budgets of {path} are not kept: make it cheaper, or bless it and say in the commit why it costs more"
    );
    Ok(ExitCode::FAILURE)
}
