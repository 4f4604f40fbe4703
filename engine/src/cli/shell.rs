//! Completions and man pages, from the same table of flags that parses the command line.

use std::path::Path;

use super::failure::Failure;
use super::output::say;

/// `linchpin completions SHELL`.
pub(crate) fn completions(shell: clap_complete::Shell, mut command: clap::Command) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "linchpin", &mut script);
    say(&String::from_utf8_lossy(&script))
}

/// `linchpin man FOLDER`: a page for the program and one for each of its commands.
pub(crate) fn man_pages(folder: &Path, command: &clap::Command) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::General(format!("{}: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(failed)?;
    let mut command = command.clone();
    // Names of the commands below, such as linchpin-device-list, are theirs only once it is built.
    command.build();
    let mut left = vec![command];
    while let Some(command) = left.pop() {
        let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
        let mut page = Vec::new();
        clap_mangen::Man::new(command.clone()).render(&mut page).map_err(failed)?;
        std::fs::write(folder.join(format!("{name}.1")), page).map_err(failed)?;
        left.extend(command.get_subcommands().filter(|below| below.get_name() != "help").cloned());
    }
    Ok(())
}
