//! A command of the operator that sets and removes records for dns-01.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::limits;

/// A record that was set, to be removed again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SetRecord {
    pub(super) name: String,
    pub(super) record: String,
    pub(super) value: String,
}

/// Run `COMMAND present|cleanup NAME RECORD VALUE` to its end, within [`limits::HOOK`].
///
/// # Errors
/// It cannot be started, takes too long, or ends with a status other than 0.
pub(super) async fn run(command: &Path, action: &'static str, set: &SetRecord) -> Result<(), String> {
    let (command, set) = (command.to_owned(), set.clone());
    let done = tokio::task::spawn_blocking(move || run_now(&command, action, &set)).await;
    done.unwrap_or_else(|_| Err("the hook failed inside the server".to_owned()))
}

fn run_now(command: &PathBuf, action: &str, set: &SetRecord) -> Result<(), String> {
    let shown = command.display();
    let mut child = Command::new(command)
        .args([action, &set.name, &set.record, &set.value])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("the hook {shown} cannot be started: {error}"))?;
    let begun = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(format!("the hook {shown} {action} ended with {status}")),
            Ok(None) if begun.elapsed() < limits::HOOK => std::thread::sleep(Duration::from_millis(20)),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("the hook {shown} {action} took more than {} s", limits::HOOK.as_secs()));
            }
            Err(error) => return Err(format!("the hook {shown}: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[tokio::test]
    async fn a_hook_gets_its_words_and_its_status_counts() {
        let folder = std::env::temp_dir().join(format!("linchpin-hook-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let script = folder.join("hook");
        std::fs::write(&script, format!("#!/bin/sh\necho \"$@\" >> {}/out\n[ \"$1\" = present ]\n", folder.display()))
            .expect("writes");
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).expect("sets");
        let set =
            SetRecord { name: "node.example".into(), record: "_acme-challenge.node.example".into(), value: "v".into() };
        assert_eq!(run(&script, "present", &set).await, Ok(()));
        assert!(run(&script, "cleanup", &set).await.is_err_and(|text| text.contains("exit status: 1")));
        let seen = std::fs::read_to_string(folder.join("out")).expect("it ran");
        let line = "node.example _acme-challenge.node.example v\n";
        assert_eq!(seen, format!("present {line}cleanup {line}"));
        assert!(run(&folder.join("none"), "present", &set).await.is_err());
        std::fs::remove_dir_all(&folder).expect("removes its own folder");
    }
}
