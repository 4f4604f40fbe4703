//! Commands to the running server, and the virtual device.

use linchpin_protocol::model::Token;
use serde_json::{Value, json};

use super::args::{At, DeviceVerb, Export, Sim, TemplateVerb};
use super::failure::Failure;
use super::output::{print, say};
use super::sim::{self, SimOptions};
use super::{client, show};
use crate::config;
use crate::serve::launch::write_tokens;

/// Ask the server and print its answer.
pub(crate) fn ask(
    at: &At,
    command: &str,
    parameters: Value,
    text: impl FnOnce(&Value) -> String,
) -> Result<(), Failure> {
    let answer = client::ask(&at.socket(), command, parameters).map_err(Failure::general)?;
    print(at, &answer, text);
    Ok(())
}

/// `linchpin device`.
pub(crate) fn device(verb: DeviceVerb) -> Result<(), Failure> {
    match verb {
        DeviceVerb::List(at) => {
            let rows = client::all_devices(&at.socket()).map_err(Failure::general)?;
            print(&at, &Value::Array(rows.clone()), |_| show::list_text(&rows));
            Ok(())
        }
        DeviceVerb::Show { id, at } => ask(&at, "device.show", json!({"device": id}), show::device_text),
        DeviceVerb::Add { org, count, template, name, tokens_out, at } => {
            let parameters =
                json!({"org": org, "count": count, "template": template, "name": name.unwrap_or_default()});
            let made = client::ask(&at.socket(), "device.add", parameters).map_err(Failure::general)?;
            let lines = made
                .as_array()
                .into_iter()
                .flatten()
                .map(|device| format!("{} {}\n", show::plain(&device["id"]), show::plain(&device["token"])));
            let lines: String = lines.collect();
            match tokens_out {
                Some(path) => write_tokens(&path, &lines)?,
                None => print(&at, &made, |_| lines),
            }
            Ok(())
        }
        DeviceVerb::Write { id, pin, value, at } => {
            let parameters = json!({"device": id, "pin": pin, "value": value});
            ask(&at, "device.write", parameters, |answer| {
                sent(answer, "the device is offline; the value is kept for its next sync")
            })
        }
        DeviceVerb::Push { id, what, argument, at } => {
            let parameters = json!({"device": id, "what": what, "url": argument, "text": argument});
            ask(&at, "device.push", parameters, |answer| sent(answer, "the device is offline; nothing was sent"))
        }
        DeviceVerb::Token { id, at } => {
            ask(&at, "device.token", json!({"device": id}), |answer| format!("{}\n", show::plain(&answer["token"])))
        }
        DeviceVerb::Remove { id, at } => {
            ask(&at, "device.remove", json!({"device": id}), |_| format!("device {id} is removed\n"))
        }
        DeviceVerb::Diary { id, limit, at } => {
            ask(&at, "device.diary", json!({"device": id, "limit": limit}), show::diary_text)
        }
        DeviceVerb::Export(flags) => export(&flags),
        DeviceVerb::Watch { id, seconds, at } => watch(id, seconds, &at),
        DeviceVerb::Sim(flags) => simulate(&flags),
    }
}

/// Show frames until the server or the user ends it.
fn watch(id: u32, seconds: Option<u32>, at: &At) -> Result<(), Failure> {
    let parameters = json!({"device": id, "seconds": seconds});
    client::follow(&at.socket(), "device.watch", parameters, |line| {
        let Some(frame) = line.get("frame") else { return Ok(()) };
        let text = if at.json { format!("{frame}\n") } else { show::frame_text(frame) };
        say(&text)
    })
    .map_err(Failure::general)?
}

/// History on standard output.
fn export(flags: &Export) -> Result<(), Failure> {
    let parameters = json!({
        "device": flags.id,
        "pins": if flags.pin.is_empty() { Value::Null } else { json!(flags.pin) },
        "period": flags.period,
        "from_ms": flags.from_ms,
        "to_ms": flags.to_ms,
        "granularity": flags.granularity,
        "source": flags.source,
        "format": flags.format,
        "output": if flags.at.json { "JSON" } else { "CSV" },
    });
    let mut is_complete = false;
    client::follow(&flags.at.socket(), "device.export", parameters, |line| match line["piece"].as_str() {
        Some(piece) => say(piece),
        None => {
            is_complete = true;
            Ok(())
        }
    })
    .map_err(Failure::general)??;
    if is_complete {
        Ok(())
    } else {
        Err(Failure::general("the server ended before the export did: it is not complete"))
    }
}

/// `linchpin template`.
pub(crate) fn template(verb: TemplateVerb) -> Result<(), Failure> {
    match verb {
        TemplateVerb::List(at) => ask(&at, "template.list", json!({}), show::templates_text),
        TemplateVerb::Show { id, at } => ask(&at, "template.show", json!({"template": id}), show::template_text),
        TemplateVerb::Add { file, at } => {
            let parameters = config::template_request(&file).map_err(|error| Failure::Config(error.to_string()))?;
            ask(&at, "template.add", parameters, |answer| {
                let verb = if answer["replaced"] == true { "replaced" } else { "added" };
                format!("template {} is {verb}\n", show::plain(&answer["template"]))
            })
        }
    }
}

fn sent(answer: &Value, otherwise: &str) -> String {
    format!("{}\n", if answer["delivered"] == true { "sent to the device" } else { otherwise })
}

fn simulate(flags: &Sim) -> Result<(), Failure> {
    let ready: Value = match &flags.ready_file {
        Some(path) => {
            let text = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
            serde_json::from_slice(&text).map_err(|error| format!("{} is no ready file: {error}", path.display()))?
        }
        None => Value::Null,
    };
    let of_ready = |index: usize| -> Result<String, String> {
        let token = ready["devices"][index]["token"].as_str().map(str::to_owned);
        token.ok_or_else(|| {
            format!("the ready file has no device {index}: its first is 0; see --index, or give --token-file")
        })
    };
    let text = match (&flags.token, &flags.token_file) {
        (Some(token), _) => token.clone(),
        (None, Some(path)) => std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?,
        (None, None) => of_ready(flags.index)?,
    };
    let token = |text: &str| Token::parse(text.as_bytes()).map_err(|fault| fault.to_string());
    let bridge = match (&flags.bridge_to, flags.bridge_index) {
        (Some(token), _) => Some(token.clone()),
        (None, Some(index)) => Some(of_ready(index)?),
        (None, None) => None,
    };
    let server = flags.server.clone().or_else(|| ready["plain"].as_str().map(str::to_owned)).unwrap_or_default();
    let options = SimOptions {
        server,
        token: token(&text)?,
        bridge_to: bridge.as_deref().map(token).transpose()?,
        count: flags.count,
        period: flags.period,
    };
    sim::run(&options).map_err(Failure::general)
}
