//! Blynk's Platform API: its names and shapes, on the functions of the other rows. Ids of devices say their organization: one
//! that the asker does not see is as missing as one that does not exist.
//!
//! | file | what |
//! |---|---|
//! | `device` | one device: made, shown, changed, given away, removed |
//! | `list` | devices a page at a time |
//! | `value` | values, their history, properties, metadata |
//! | `log` | events of devices, and when they came and went |
//! | `board` | boards that are set up, static tokens |
//! | `org` | organizations |
//! | `template` | templates |
//! | `user` | people |
//! | `join` | people who are to come |

mod board;
mod device;
mod join;
mod list;
mod log;
mod org;
mod template;
mod user;
mod value;

use linchpin_protocol::model::{Datastream, DeviceId, OrgId, Pin, ValueKind};
use linchpin_storage::schema::Device;
use serde_json::Value;

use super::call::{RowCall, RowCaller};
use super::desk::Desk;
use super::plain::Plain;
use crate::{Code, CommandError, TemplateEntry};

pub(super) use board::{provision, reconfigure, statics};
pub(super) use device::{base_info, clear, create, delete, device, edit, online, remove_owner, tags, transfer};
pub(super) use join::{create_in_org, create_user, invite, register};
pub(super) use list::{by_owner, by_user_org, devices, last_activated, search_devices};
pub(super) use log::{logs, timeline, trigger};
pub(super) use org::{create_org, delete_org, org, profile, search_orgs};
pub(super) use template::{events, fields, streams, template, templates};
pub(super) use user::{move_user, search_users, set_role, show_user, users};
pub(super) use value::{history, import, metafields, set_metafield, set_property, set_value, set_values, values};

fn missing(device: DeviceId) -> CommandError {
    let text = format!("Device with identifier {device} is not found or belong to another organization.");
    CommandError::new(Code::NotFound, text)
}

/// Where a device is, so that its scope can be asked for.
fn home(desk: &Desk, device: DeviceId) -> Result<OrgId, CommandError> {
    desk.fleet.lock().home(device).ok_or_else(|| missing(device))
}

/// What is not there and what may not be seen read the same.
fn hidden<T>(result: Result<T, CommandError>, missing: impl Fn() -> CommandError) -> Result<T, CommandError> {
    result.map_err(|error| if error.code.status() == 404 { missing() } else { error })
}

fn of_device<T>(device: DeviceId, result: Result<T, CommandError>) -> Result<T, CommandError> {
    hidden(result, || missing(device))
}

/// The organization of the asker.
fn own_org(call: &RowCall) -> OrgId {
    let RowCaller::Known(known) = call.caller() else { return OrgId::FIRST };
    let standing = &known.asker.standing;
    let first = || standing.memberships.first().map_or(OrgId::FIRST, |member| member.org);
    standing.view.map_or_else(first, |view| view.org)
}

/// The organization that a request names, or that of the asker.
fn org_or_own(call: &RowCall, named: Option<Plain<OrgId>>) -> OrgId {
    named.map_or_else(|| own_org(call), |org| org.0)
}

fn template_of(desk: &Desk, record: &Device) -> Option<TemplateEntry> {
    record.template.and_then(|id| desk.registry().template(id).cloned())
}

fn pin_name(pin: Pin) -> String {
    pin.to_string().to_lowercase()
}

/// Numbers of numeric datastreams are numbers.
fn typed(stream: Option<&Datastream>, value: &[u8]) -> Value {
    let text = String::from_utf8_lossy(value);
    let is_number = stream.is_none_or(|stream| !matches!(stream.kind, ValueKind::Text));
    let number = || match text.parse::<i64>() {
        Ok(number) => Some(Value::from(number)),
        Err(_) => text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::from),
    };
    is_number.then(number).flatten().unwrap_or_else(|| text.into())
}

fn text_of(value: &Value) -> Result<String, CommandError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(on) => Ok(u8::from(*on).to_string()),
        _ => Err(CommandError::parameter("value", "a number or a text").about("value")),
    }
}
