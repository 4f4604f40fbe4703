//! Commands about devices and templates of the running server.

use linchpin_control::request::{
    DeviceAdd, DeviceDiary, DeviceExport, DevicePush, DeviceRemove, DeviceShow, DeviceTap, DeviceToken, DeviceWrite,
    ExportedAs, Request, TemplateList, TemplateShow,
};
use linchpin_control::{Plain, Word};
use linchpin_protocol::model::DeviceId;

use super::args::{At, DeviceVerb, ExportArgs, TemplateVerb};
use super::client;
use super::failure::Failure;
use super::output::{json_line, print, say};
use super::show;
use crate::config;
use crate::serve::launch::write_tokens;

/// Ask the server and print its answer.
pub(super) fn ask<R: Request>(at: &At, request: &R, text: impl FnOnce(&R::Answer) -> String) -> Result<(), Failure> {
    print(at, &client::ask(&at.socket(), request).map_err(Failure::general)?, text)
}

/// A number of the command line as the id that it is.
fn id(number: u32) -> Result<Plain<DeviceId>, Failure> {
    let id = DeviceId::new(number).map(Plain);
    id.ok_or_else(|| Failure::general(format!("{number} is not {}", DeviceId::EXPECTED)))
}

/// A word of the command line.
fn word<T: Word<Form = String>>(name: &str, text: &str) -> Result<Plain<T>, Failure> {
    text.parse().map_err(|error| Failure::general(format!("{name} {text:?} {error}")))
}

/// `linchpin device`.
pub(super) fn device(verb: DeviceVerb) -> Result<(), Failure> {
    match verb {
        DeviceVerb::List(at) => {
            let lines = client::all_devices(&at.socket()).map_err(Failure::general)?;
            say(&if at.json { json_line(&lines)? } else { show::list_text(&lines) })
        }
        DeviceVerb::Show { id: number, at } => ask(&at, &DeviceShow { device: id(number)? }, show::device_text),
        DeviceVerb::Add { org, count, template, name, tokens_out, at } => {
            let no_org = || Failure::general("organization 0 does not exist: their numbers begin with 1");
            let request = DeviceAdd {
                count,
                org: org
                    .map(|org| linchpin_protocol::model::OrgId::new(org).ok_or_else(no_org))
                    .transpose()?
                    .map(Plain),
                template: template.map(|id| word("--template", &id)).transpose()?,
                name: name.unwrap_or_default(),
            };
            let made = client::ask(&at.socket(), &request).map_err(Failure::general)?;
            match tokens_out {
                Some(path) => write_tokens(&path, &show::tokens_text(&made.it)),
                None => print(&at, &made, |made| show::tokens_text(made)),
            }
        }
        DeviceVerb::Write { id: number, pin, value, at } => {
            let request = DeviceWrite { device: id(number)?, pin: word("pin", &pin)?, value };
            ask(&at, &request, |answer| {
                show::delivered_text(answer, "the device is offline; the value is stored for its next sync")
            })
        }
        DeviceVerb::Push { id: number, what, argument, at } => {
            let (url, text) = (argument.clone(), argument);
            let request = DevicePush { device: id(number)?, what: what.into(), url, text };
            ask(&at, &request, |answer| show::delivered_text(answer, "the device is offline; nothing was sent"))
        }
        DeviceVerb::Token { id: number, at } => {
            ask(&at, &DeviceToken { device: id(number)? }, |made| format!("{}\n", made.token.0.expose()))
        }
        DeviceVerb::Remove { id: number, at } => {
            ask(&at, &DeviceRemove { device: id(number)? }, |gone| format!("device {} is removed\n", gone.removed))
        }
        DeviceVerb::Diary { id: number, limit, at } => {
            ask(&at, &DeviceDiary { device: number.map(id).transpose()?, limit }, |lines| show::diary_text(lines))
        }
        DeviceVerb::Export(flags) => export(&flags),
        DeviceVerb::Tap { id, seconds, at } => tap(id, seconds, &at),
        DeviceVerb::Sim(flags) => super::sim::simulate(&flags),
    }
}

/// Show frames until the server or the user ends it.
fn tap(number: u32, seconds: Option<u32>, at: &At) -> Result<(), Failure> {
    let seconds = seconds.unwrap_or(linchpin_shard::limits::TAP_S);
    client::follow(&at.socket(), &DeviceTap { device: id(number)?, seconds }, |frame| {
        say(&if at.json { json_line(&frame.json)? } else { show::frame_text(&frame.it) })
    })
    .map_err(Failure::general)?
}

/// History on standard output.
fn export(flags: &ExportArgs) -> Result<(), Failure> {
    let request = DeviceExport {
        device: id(flags.id)?,
        pins: flags.pin.iter().map(|pin| word("--pin", pin)).collect::<Result<_, _>>()?,
        period: word("--period", &flags.period)?,
        from_ms: flags.from_ms,
        to_ms: flags.to_ms,
        granularity: word("--granularity", &flags.granularity)?,
        source: word("--source", &flags.source)?,
        format: word("--format", &flags.format)?,
        output: if flags.at.json { ExportedAs::Json } else { ExportedAs::Csv },
    };
    client::follow(&flags.at.socket(), &request, |item| say(&item.it.piece)).map_err(Failure::general)?
}

/// `linchpin template`.
pub(super) fn template(verb: TemplateVerb) -> Result<(), Failure> {
    match verb {
        TemplateVerb::List(at) => ask(&at, &TemplateList {}, |sheets| show::templates_text(sheets)),
        TemplateVerb::Show { id, at } => {
            ask(&at, &TemplateShow { template: word("template", &id)? }, show::template_text)
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
