//! Commands about devices and templates of the running server.

use linchpin_control::request::{
    DeviceAdd, DeviceDiary, DeviceExport, DevicePush, DeviceRemove, DeviceShow, DeviceTap, DeviceToken, DeviceWrite,
    ExportedAs, Request, TemplateList, TemplateShow,
};
use linchpin_control::{Plain, Word};

use super::args::{At, DeviceVerb, ExportArgs, ListFlags, PushArgument, TemplateVerb};
use super::client;
use super::failure::Failure;
use super::named;
use super::output::{json_line, print, say};
use super::show;
use crate::config;
use crate::serve::launch::write_tokens;
use crate::when::TimeStyle;

/// Ask the server and print its answer.
pub(super) fn ask<R: Request>(at: &At, request: &R, text: impl FnOnce(&R::Answer) -> String) -> Result<(), Failure> {
    print(at, &client::ask(&at.socket()?, request).map_err(Failure::general)?, text)
}

/// Does a name fit a pattern, in which * stands for anything and ? for one character, whatever their case?
fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.to_lowercase().chars().collect(), name.to_lowercase().chars().collect());
    // Where the last * stands, and how much of the name it has taken.
    let (mut at, mut taken, mut star) = (0, 0, None);
    while taken < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, taken));
                at += 1;
            }
            Some(wanted) if *wanted == '?' || *wanted == name[taken] => (at, taken) = (at + 1, taken + 1),
            _ => match star {
                Some((place, had)) => {
                    star = Some((place, had + 1));
                    (at, taken) = (place + 1, had + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|rest| *rest == '*')
}

/// `linchpin device list`.
fn list(filter: &ListFlags) -> Result<(), Failure> {
    let ListFlags { online, offline, name, template, limit, at } = filter;
    let template =
        template.as_ref().map(|template| named::template(at, template)).transpose()?.map(|id| id.to_string());
    let mut lines = client::all_devices(&at.socket()?).map_err(Failure::general)?;
    let all = lines.len();
    lines.retain(|line| {
        (!online || line.online)
            && (!offline || !line.online)
            && name.as_ref().is_none_or(|pattern| fits(pattern, &line.name))
            && template.as_ref().is_none_or(|id| line.template.as_ref() == Some(id))
    });
    let found = lines.len();
    lines.truncate(limit.map_or(usize::MAX, |limit| limit as usize));
    if at.json {
        return say(&json_line(&lines)?);
    }
    say(&show::list_text(&lines, TimeStyle::of(at.utc)))?;
    if lines.len() < all {
        say(&format!("{} of {found} that fit, {all} devices in all\n", lines.len()))
    } else {
        Ok(())
    }
}

/// A word of the command line.
fn word<T: Word<Form = String>>(name: &str, text: &str) -> Result<Plain<T>, Failure> {
    text.parse().map_err(|error| Failure::general(format!("{name} {text:?} {error}")))
}

/// `linchpin device`.
pub(super) fn device(verb: DeviceVerb) -> Result<(), Failure> {
    match verb {
        DeviceVerb::List(filter) => list(&filter),
        DeviceVerb::Show { id: which, at } => ask(&at, &DeviceShow { device: named::device(&at, &which)? }, |view| {
            show::device_text(view, TimeStyle::of(at.utc))
        }),
        DeviceVerb::Add { org, count, template, name, tokens_out, at } => {
            let request = DeviceAdd {
                count,
                org: org.map(|org| named::org(&at, &org)).transpose()?,
                template: template.map(|template| named::template(&at, &template)).transpose()?,
                name: name.unwrap_or_default(),
            };
            let made = client::ask(&at.socket()?, &request).map_err(Failure::general)?;
            match tokens_out {
                Some(path) => write_tokens(&path, &show::tokens_text(&made.it)),
                None => print(&at, &made, |made| show::tokens_text(made)),
            }
        }
        DeviceVerb::Write { id: which, pin, value, at } => {
            let (device, meant) = (named::device(&at, &which)?, word("pin", &pin)?);
            let shown = format!("{pin} = {value:?}");
            let answer = client::ask(&at.socket()?, &DeviceWrite { device, pin: meant, value });
            let answer = answer.map_err(|error| Failure::General(format!("{shown}: {error}")))?;
            print(&at, &answer, |answer| {
                show::delivered_text(answer, "the device is offline; the value is stored for its next sync")
            })
        }
        DeviceVerb::Push { id: which, what, argument, at } => {
            check_push(what, argument.as_deref())?;
            let (url, text) = (argument.clone(), argument);
            let request = DevicePush { device: named::device(&at, &which)?, what: what.into(), url, text };
            ask(&at, &request, |answer| show::delivered_text(answer, "the device is offline; nothing was sent"))
        }
        DeviceVerb::Token { id: which, at } => ask(&at, &DeviceToken { device: named::device(&at, &which)? }, |made| {
            format!("{}\n", made.token.0.expose())
        }),
        DeviceVerb::Remove { id: which, at } => {
            ask(&at, &DeviceRemove { device: named::device(&at, &which)? }, |gone| {
                format!("device {} is removed\n", gone.removed)
            })
        }
        DeviceVerb::Diary { id: which, limit, at } => {
            let device = which.map(|which| named::device(&at, &which)).transpose()?;
            ask(&at, &DeviceDiary { device, limit }, |lines| show::diary_text(lines, TimeStyle::of(at.utc)))
        }
        DeviceVerb::Export(flags) => export(&flags),
        DeviceVerb::Tap { id: which, seconds, at } => tap(&which, seconds, &at),
        DeviceVerb::Sim(flags) => super::sim::simulate(&flags),
    }
}

/// Show frames until the server or the user ends it.
fn tap(which: &str, seconds: Option<u32>, at: &At) -> Result<(), Failure> {
    let seconds = seconds.unwrap_or(linchpin_shard::limits::TAP_S);
    client::follow(&at.socket()?, &DeviceTap { device: named::device(at, which)?, seconds }, |frame| {
        say(&if at.json { json_line(&frame.json)? } else { show::frame_text(&frame.it) })
    })
    .map_err(Failure::general)?
}

/// Name what is missing as the command line does.
fn check_push(what: PushArgument, argument: Option<&str>) -> Result<(), Failure> {
    let wrong = |text: String| Err(Failure::General(text));
    match (what, argument) {
        (PushArgument::Ota, None) => {
            wrong("ota needs the address of the firmware: linchpin device push ID ota URL".to_owned())
        }
        (PushArgument::Ota, Some(url)) if !url.starts_with("http://") && !url.starts_with("https://") => {
            wrong(format!("URL is {url:?}, it must begin with http:// or https://"))
        }
        (PushArgument::Debug, None) => wrong("debug needs a text: linchpin device push ID debug TEXT".to_owned()),
        (PushArgument::Reboot, Some(more)) => wrong(format!("reboot takes nothing more, not {more:?}")),
        _ => Ok(()),
    }
}

/// History on standard output.
fn export(flags: &ExportArgs) -> Result<(), Failure> {
    if let (Some(from), Some(to)) = (flags.from_ms, flags.to_ms)
        && from > to
    {
        return Err(Failure::General(format!("--from-ms {from} is after --to-ms {to}: exchange them")));
    }
    let request = DeviceExport {
        device: named::device(&flags.at, &flags.id)?,
        pins: flags.pin.iter().map(|pin| word("--pin", pin)).collect::<Result<_, _>>()?,
        period: word("--period", &flags.period)?,
        from_ms: flags.from_ms,
        to_ms: flags.to_ms,
        granularity: word("--granularity", &flags.granularity)?,
        source: word("--source", &flags.source)?,
        format: word("--format", &flags.format)?,
        output: if flags.at.json { ExportedAs::Json } else { ExportedAs::Csv },
    };
    client::follow(&flags.at.socket()?, &request, |item| say(&item.it.piece)).map_err(Failure::general)?
}

/// `linchpin template`.
pub(super) fn template(verb: TemplateVerb) -> Result<(), Failure> {
    match verb {
        TemplateVerb::List(at) => ask(&at, &TemplateList {}, |sheets| show::templates_text(sheets)),
        TemplateVerb::Show { id, at } => {
            ask(&at, &TemplateShow { template: named::this_template(&at, &id)? }, show::template_text)
        }
        TemplateVerb::Add { file, at } => {
            let request = config::template_request(&file).map_err(|error| Failure::Config(error.to_string()))?;
            ask(&at, &request, |answer| {
                let verb = if answer.replaced { "replaced" } else { "added" };
                format!("template {} is {verb}\n", answer.template)
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_whole_names() {
        for (pattern, name) in
            [("green*", "Greenhouse"), ("*", ""), ("?x*z", "axyz"), ("*a*b*", "xxaxxbxx"), ("é?", "Éa")]
        {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("green", "Greenhouse"), ("?", ""), ("a*b", "abc"), ("", "x")] {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
    }
}
