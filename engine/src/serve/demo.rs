//! What every `linchpin dev` server has: a template and three devices.

use linchpin_control::NewDevices;
use linchpin_protocol::model::{Datastream, Pin, Template, TemplateField, TemplateId, ValueKind};

/// The template that every dev server has.
const TEMPLATE_ID: &[u8] = b"TMPLlinchpin";

/// Devices that every dev server has: one with the template, two without.
pub(crate) const DEVICES: usize = 3;

/// What they are made of.
pub(crate) fn devices() -> [NewDevices; 2] {
    let id = template().id;
    let with = NewDevices { template: Some(id), name: "Demo with template".to_owned(), ..NewDevices::default() };
    let without = NewDevices { count: DEVICES as u32 - 1, name: "Demo".to_owned(), ..NewDevices::default() };
    [with, without]
}

/// The template of the demo.
pub(crate) fn template() -> Template {
    let stream = |index, name, kind, unit, sync| Datastream::new(Pin::new_virtual(index), name, kind, unit, sync);
    let field = |name: &str| TemplateField { id: 0, name: name.into(), default: "".into(), by_device: true };
    let datastreams = vec![
        stream(0, "Slider", ValueKind::Int { min: 0, max: 1_023 }, "", true),
        stream(1, "Counter", ValueKind::Int { min: 0, max: i64::from(i32::MAX) }, "s", false),
        stream(2, "Temperature", ValueKind::Double { min: -55.0, max: 125.0 }, "°C", false),
        stream(3, "Message", ValueKind::Text, "", true),
        stream(4, "Switch", ValueKind::Int { min: 0, max: 1 }, "", true),
        stream(5, "Mode", ValueKind::Enum { count: 4 }, "", true),
    ];
    // The id above is valid: a constant of this file, checked by the test below.
    let id = TemplateId::parse(TEMPLATE_ID).unwrap_or_else(|_| unreachable!("the demo template's id is valid"));
    Template::new(id, "Demo".into(), datastreams, vec!["hot".into(), "offline".into()])
        .with_fields(vec![field("Room"), field("Serial Number")])
}
