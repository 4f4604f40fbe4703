//! What an argument means: a number, or a name that is looked up.

use linchpin_control::request::{ListPage, OrgLine, OrgList, TemplateList, UserLine, UserList};
use linchpin_control::{Plain, Word as _};
use linchpin_protocol::model::{DeviceId, OrgId, TemplateId};

use super::args::{At, Where};
use super::client;
use super::failure::Failure;
use crate::config;

/// What is looked for: the argument, what it is, one of it and several, and the command that lists all.
struct Named {
    argument: &'static str,
    one: &'static str,
    several: &'static str,
    list: &'static str,
}

const DEVICE: Named = Named { argument: "ID", one: "device", several: "devices", list: "linchpin device list" };
const ORG: Named =
    Named { argument: "--org", one: "organization", several: "organizations", list: "linchpin org list" };
const TEMPLATE: Named =
    Named { argument: "--template", one: "template", several: "templates", list: "linchpin template list" };

/// A number as it is written; `None`: it is a name.
fn number(named: &str) -> Option<Result<u32, Failure>> {
    let is_number = !named.is_empty() && named.bytes().all(|byte| byte.is_ascii_digit());
    let wrong = |error| Failure::general(format!("{named}: {error}"));
    is_number.then(|| named.parse().map_err(wrong))
}

/// The only one with a name, whatever its case.
fn only<'a, N: Copy + std::fmt::Display>(
    kind: &Named,
    named: &str,
    all: impl Iterator<Item = (N, &'a str)> + Clone,
) -> Result<N, Failure> {
    let found: Vec<N> =
        all.clone().filter(|(_, name)| name.to_lowercase() == named.to_lowercase()).map(|it| it.0).collect();
    match found[..] {
        [id] => Ok(id),
        [] => {
            let names: Vec<&str> = all.map(|it| it.1).filter(|name| !name.is_empty()).collect();
            let near = config::nearest(named, &names).map_or(String::new(), |near| format!("; did you mean {near:?}?"));
            let Named { argument, one, list, .. } = kind;
            Err(Failure::General(format!("{argument}: there is no {one} named {named:?}{near} ({list} shows all)")))
        }
        [first, second, ..] => Err(Failure::General(format!(
            "{}: {} {} are named {named:?}, {first} and {second} for example: give the number",
            kind.argument,
            found.len(),
            kind.several
        ))),
    }
}

/// A device of a running server, by its id or its name.
pub(super) fn device(at: &At, named: &str) -> Result<Plain<DeviceId>, Failure> {
    let id = match number(named) {
        Some(id) => id.unwrap_or(0),
        None => {
            let lines = client::all_devices(&at.socket()?).map_err(Failure::general)?;
            only(&DEVICE, named, lines.iter().map(|line| (line.id, line.name.as_str())))?
        }
    };
    let wrong = || Failure::general(format!("{named} is not {}", DeviceId::EXPECTED));
    DeviceId::new(id).map(Plain).ok_or_else(wrong)
}

/// An organization of a running server, by its number or its name.
pub(super) fn org(at: &At, named: &str) -> Result<Plain<OrgId>, Failure> {
    let look = || Ok(client::ask(&at.socket()?, &OrgList {}).map_err(Failure::general)?.it);
    let wrong = || Failure::general(format!("organization {named} does not exist: their numbers begin with 1"));
    OrgId::new(org_of(named, look)?).map(Plain).ok_or_else(wrong)
}

fn org_of(named: &str, look: impl FnOnce() -> Result<Vec<OrgLine>, Failure>) -> Result<u32, Failure> {
    match number(named) {
        Some(org) => org,
        None => only(&ORG, named, look()?.iter().map(|line| (line.org, line.name.as_str()))),
    }
}

/// A template of a running server, by its id or its name; an id that is not there is for the server to say.
pub(super) fn template(at: &At, named: &str) -> Result<Plain<TemplateId>, Failure> {
    template_of(at, &TEMPLATE, named)
}

/// The same, where it is an argument of its own.
pub(super) fn this_template(at: &At, named: &str) -> Result<Plain<TemplateId>, Failure> {
    template_of(at, &Named { argument: "ID", ..TEMPLATE }, named)
}

fn template_of(at: &At, kind: &Named, named: &str) -> Result<Plain<TemplateId>, Failure> {
    let sheets = client::ask(&at.socket()?, &TemplateList {}).map_err(Failure::general)?.it;
    let id = match only(kind, named, sheets.iter().map(|sheet| (sheet.id.as_str(), sheet.name.as_str()))) {
        Ok(id) if sheets.iter().all(|sheet| sheet.id != named) => id,
        Err(fault) if named.parse::<Plain<TemplateId>>().is_err() => return Err(fault),
        _ => named,
    };
    id.parse().map_err(|error| Failure::general(format!("template {id:?} {error}")))
}

impl Where {
    /// An organization by its number or its name, of a running server or of the store.
    pub(super) fn org(&self, named: &str) -> Result<u32, Failure> {
        org_of(named, || self.answer(&OrgList {}))
    }

    /// A member by their number or their e-mail address.
    pub(super) fn user(&self, org: u32, named: &str) -> Result<u32, Failure> {
        if let Some(user) = number(named) {
            return user;
        }
        let mut after = None;
        loop {
            let page: ListPage<UserLine> = self.answer(&UserList { org, after, limit: None })?;
            if let Some(line) = page.items.iter().find(|line| line.email.eq_ignore_ascii_case(named)) {
                return Ok(line.id);
            }
            after = page.next;
            if after.is_none() {
                let list = format!("linchpin admin user list --org {org}");
                let text = format!("organization {org} has no member with this e-mail address ({list} shows all)");
                return Err(Failure::General(text));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text<N: std::fmt::Display>(outcome: Result<N, Failure>) -> String {
        match outcome {
            Ok(id) => id.to_string(),
            Err(Failure::General(text) | Failure::Config(text)) => text,
            Err(Failure::Ended(_)) => unreachable!("nothing was started"),
        }
    }

    #[test]
    fn names_are_of_one() {
        let all = [(1, "Garden"), (2, "Pump"), (3, "pump"), (4, "")];
        let text = |named| text(only(&DEVICE, named, all.into_iter()));
        assert_eq!(text("garden"), "1");
        assert!(text("Gardn").contains("did you mean \"Garden\"?"), "{}", text("Gardn"));
        assert!(text("PUMP").contains("2 devices are named \"PUMP\", 2 and 3"), "{}", text("PUMP"));
        assert!(text("zzzzzz").ends_with("(linchpin device list shows all)"));
    }

    #[test]
    fn numbers_are_not_looked_up() {
        let never = || panic!("nobody asks for it");
        assert_eq!(text(org_of("7", never)), "7");
        assert!(text(org_of("99999999999", never)).contains("99999999999"));
        let acme = OrgLine { org: 3, name: "Acme".to_owned(), created_ms: 0, raw_days: 0 };
        assert_eq!(text(org_of("ACME", || Ok(vec![acme]))), "3");
        assert!(text(org_of("Acme", || Ok(Vec::new()))).ends_with("(linchpin org list shows all)"));
    }
}
