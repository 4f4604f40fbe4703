//! Whose a server is: who may ask it, and as whom to run a verb.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// The name of a user, else `#` and the number, as sudo takes it.
pub(crate) fn user_name(uid: u32) -> String {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let found = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(uid)).then(|| name.to_owned())
    });
    found.unwrap_or_else(|| format!("#{uid}"))
}

/// Who owns the nearest folder above that may be looked at; `None`: it is this user.
pub(crate) fn other_owner(path: &Path) -> Option<String> {
    let owner = path.ancestors().skip(1).find_map(|folder| std::fs::metadata(folder).ok())?.uid();
    (owner != rustix::process::geteuid().as_raw()).then(|| user_name(owner))
}

/// This command line as another user runs it.
pub(crate) fn command_as(user: &str) -> String {
    let words =
        std::env::args().skip(1).map(|word| if word.contains([' ', '\'', '"']) { format!("{word:?}") } else { word });
    format!("sudo -u {user} linchpin {}", words.collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_have_names_or_numbers() {
        assert_eq!(user_name(0), "root");
        assert_eq!(user_name(4_123_456_789), "#4123456789");
        let ours = rustix::process::geteuid().is_root();
        assert_eq!(other_owner(Path::new("/etc/nothing")).is_none(), ours);
    }
}
