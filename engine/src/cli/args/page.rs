//! docs/commands.md: every verb with its flags, from the table that parses them.

use std::fmt::Write as _;

use clap::{Arg, Command, CommandFactory as _};

use super::Line;

/// One line for the table: what is written, and what it means.
fn row(argument: &Arg) -> Option<String> {
    if argument.is_hide_set() || ["help", "version"].contains(&argument.get_id().as_str()) {
        return None;
    }
    let value = argument.get_value_names().and_then(|names| names.first()).map(|name| format!("<{name}>"));
    let takes_value = argument.get_action().takes_values();
    let written = match argument.get_long() {
        Some(long) if takes_value => format!("--{long} {}", value.unwrap_or_default()),
        Some(long) => format!("--{long}"),
        None => value.unwrap_or_else(|| format!("<{}>", argument.get_id().as_str().to_uppercase())),
    };
    let mut help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let defaults = argument.get_default_values();
    if takes_value && !argument.is_hide_default_value_set() && !defaults.is_empty() {
        let shown: Vec<_> = defaults.iter().map(|value| value.to_string_lossy().into_owned()).collect();
        let _ = write!(help, " Default: {}.", shown.join(", "));
    }
    let possible = argument.get_possible_values();
    if takes_value && !possible.is_empty() {
        let names: Vec<_> = possible.iter().map(clap::builder::PossibleValue::get_name).collect();
        let _ = write!(help, " One of {}.", names.join(", "));
    }
    Some(format!("| `{}` | {} |\n", written.trim(), help.replace('|', "\\|")))
}

fn section(page: &mut String, command: &mut Command, name: &str) {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let has_verbs = command.get_subcommands().any(|below| below.get_name() != "help");
    if !has_verbs || command.get_arguments().any(|argument| row(argument).is_some()) {
        let usage = command.render_usage().to_string().replace("Usage: ", "").replace('\n', " ");
        let _ =
            write!(page, "\n## {name}\n{about}.\n\n    {}\n", usage.split_whitespace().collect::<Vec<_>>().join(" "));
        let rows: String = command.get_arguments().filter_map(row).collect();
        if !rows.is_empty() {
            let _ = write!(page, "\n| | |\n|---|---|\n{rows}");
        }
    }
    let below: Vec<_> =
        command.get_subcommands().filter(|it| it.get_name() != "help").map(|it| it.get_name().to_owned()).collect();
    for verb in below {
        if let Some(command) = command.find_subcommand_mut(&verb) {
            section(page, command, &format!("{name} {verb}"));
        }
    }
}

fn page() -> String {
    let mut command = Line::command();
    command.build();
    let mut page = format!(
        "# Commands\n\nEvery verb of `linchpin` with its flags. `linchpin VERB --help` says the same.\n\n{}\n\nThis page is made from the \
         table that parses the command line: `LINCHPIN_BLESS=1 cargo test -p linchpin commands_page` writes it.\n",
        super::at::WHICH_SERVER
    );
    section(&mut page, &mut command, "linchpin");
    page
}

#[test]
fn the_commands_page_is_what_the_command_line_takes() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/commands.md");
    let page = page();
    if std::env::var_os("LINCHPIN_BLESS").is_some() {
        std::fs::write(path, &page).expect("writes the page");
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(found == page, "docs/commands.md is old: LINCHPIN_BLESS=1 cargo test -p linchpin commands_page");
    assert!(page.contains("## linchpin device list\n") && page.contains("`--name <PATTERN>`"), "{page}");
}
