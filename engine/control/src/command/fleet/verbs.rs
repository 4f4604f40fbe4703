//! What is done with a device by its home as the device itself does it: events, properties, points of the past; and orders.

use std::sync::Arc;

use linchpin_protocol::limits::{MAX_EVENT_DESCRIPTION_CHARS, MAX_VALUE_BYTES};
use linchpin_protocol::model::{DeviceId, OrgId, Pin, is_known_property};
use linchpin_shard::{Command, Push, Refused, Report, home_of};

use super::held;
use crate::access::right;
use crate::command::call::RowCall;
use crate::command::desk::Desk;
use crate::{Code, CommandError};

/// As its home answers: false: it is not connected.
async fn carry_out(desk: &Desk, device: DeviceId, push: Push) -> Result<bool, CommandError> {
    let ask = |request| Command::Push { request, device, push };
    match desk.shards.ask(home_of(device, desk.shards.count()), ask).await? {
        Report::Done => Ok(true),
        Report::Offline => Ok(false),
        Report::Rejected(refused) => Err(CommandError::new(code_of(refused), refused.to_string())),
        Report::TooLarge { buff_in } => {
            let text = format!("the device takes messages below {buff_in} bytes (its buff-in)");
            Err(CommandError::new(Code::TooLarge, text))
        }
        _ => Err(CommandError::new(Code::NotFound, "there is no such thing")),
    }
}

const fn code_of(refused: Refused) -> Code {
    match refused {
        Refused::NoSuchEvent => Code::NotFound,
        Refused::EventTooSoon | Refused::EventsUsedUp | Refused::EventCodeUsedUp(_) => Code::TooMany,
        Refused::NotStored | Refused::StoreFailed => Code::Busy,
        Refused::PropertiesFull | Refused::NoSuchOrder | Refused::Unsubscribed => Code::Refused,
        _ => Code::Rejected,
    }
}

fn check_value(field: &str, value: &[u8]) -> Result<(), CommandError> {
    if value.len() <= MAX_VALUE_BYTES {
        return Ok(());
    }
    let text = format!("a value of {} bytes is too long, {MAX_VALUE_BYTES} are allowed", value.len());
    Err(CommandError::new(Code::ValueTooLong, text).about(field))
}

/// Log an event of a device. The description comes with the name that the caller knows it by.
pub(in crate::command) async fn log_event(
    desk: &Desk,
    call: &Arc<RowCall>,
    (org, device): (OrgId, DeviceId),
    (code, (field, description)): (String, (&str, String)),
) -> Result<(), CommandError> {
    held::<right::DeviceControl>(desk, call, org, device).await?;
    let (chars, most) = (description.chars().count(), MAX_EVENT_DESCRIPTION_CHARS);
    if chars > most {
        let expected = format!("at most {most} characters, not {chars}");
        return Err(CommandError::parameter(field, &expected));
    }
    let push = Push::Event { code: code.into(), description: description.into() };
    carry_out(desk, device, push).await.map(drop)
}

/// Set how a pin of a device is shown.
pub(in crate::command) async fn set_property(
    desk: &Desk,
    call: &Arc<RowCall>,
    (org, device): (OrgId, DeviceId),
    (pin, name, value): (Pin, String, String),
) -> Result<(), CommandError> {
    held::<right::DeviceControl>(desk, call, org, device).await?;
    if !is_known_property(&name) {
        let expected = "a property of widgets, such as color, label, min or isDisabled";
        return Err(CommandError::parameter("property", expected).about("property"));
    }
    if value.is_empty() || value.contains('\0') {
        return Err(CommandError::parameter("value", "a text of at least one character without NUL").about("value"));
    }
    check_value("value", value.as_bytes())?;
    let push = Push::Property { pin, name: name.into(), value: value.into_bytes().into() };
    carry_out(desk, device, push).await.map(drop)
}

/// Put points of the past into the history of a pin: all of them or none.
pub(in crate::command) async fn import(
    desk: &Desk,
    call: &Arc<RowCall>,
    (org, device): (OrgId, DeviceId),
    (pin, points): (Pin, Vec<(u64, String)>),
) -> Result<(), CommandError> {
    held::<right::DeviceControl>(desk, call, org, device).await?;
    points.iter().try_for_each(|(_, value)| check_value("values", value.as_bytes()))?;
    let points = points.into_iter().map(|(at_ms, value)| (at_ms, value.into_bytes().into())).collect();
    carry_out(desk, device, Push::Points { pin, points }).await.map(drop)
}

/// Send a board to the setup of its Wi-Fi. False: it is not connected.
pub(in crate::command) async fn reconfigure(
    desk: &Desk,
    call: &Arc<RowCall>,
    (org, device): (OrgId, DeviceId),
) -> Result<bool, CommandError> {
    held::<right::DeviceControl>(desk, call, org, device).await?;
    carry_out(desk, device, Push::Reconfigure).await
}
