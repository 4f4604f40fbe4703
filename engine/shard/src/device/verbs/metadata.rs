//! Fields that describe a device: its own, those of its template, and names that every device has.

use super::{Origin, Refused};
use crate::device::attributes::AttributesFull;
use crate::store::identity::{FieldAsk, FieldWay, ReservedField};
use crate::{ConnRef, Effect, Intake, Shard, Turn};

/// What Blynk calls the secret of a device.
const TOKEN: &str = "Auth Token";
/// Where the device is: latitude and longitude.
pub(crate) const PLACE: &str = "loc.latlon";
/// What firmware sets by itself when it was provisioned; every template has them.
const OF_FIRMWARE: [&str; 2] = ["Hotspot Name", "Device UID"];

impl Shard {
    /// A field of the metadata: what was written, else the template's default.
    pub(crate) fn metadata(&self, position: u32, name: &str) -> Result<&str, Refused> {
        if name == TOKEN {
            return Err(Refused::TokenIsSecret);
        }
        let rare = self.devices[position].rare.as_ref();
        if let Some(written) = rare.and_then(|rare| rare.attributes.metadata(name)) {
            return Ok(written);
        }
        let field = self.template_of(position).and_then(|template| template.field(name));
        field.map(|field| &*field.default).filter(|text| !text.is_empty()).ok_or(Refused::NothingThere)
    }

    /// Is it a field that only the store knows? Then ask for it; `true`: [`crate::Command::FieldAnswer`] will come.
    pub(crate) fn asks_identity(
        &self,
        turn: &mut Turn<'_>,
        position: u32,
        name: &str,
        (asker, way): (ConnRef, FieldWay),
    ) -> bool {
        let Some(field) = ReservedField::of_name(name) else { return false };
        if self.store.intake == Intake::Memory {
            return false;
        }
        let device = &self.devices[position];
        let ask = FieldAsk { asker, way, org: device.org, device: device.id, field };
        turn.fx.push(Effect::Field(ask));
        true
    }

    /// Set a field of the metadata. With a template that names fields only those, and those that every device has.
    pub(crate) fn set_metadata(
        &mut self,
        position: u32,
        name: &str,
        value: &str,
        origin: Origin,
    ) -> Result<(), Refused> {
        if ReservedField::of_name(name).is_some() || name == TOKEN {
            return Err(Refused::FieldIsReserved);
        }
        let fields = self.template_of(position).map_or(&[][..], |template| &template.fields);
        if !fields.is_empty() && name != PLACE && !OF_FIRMWARE.contains(&name) {
            let field = fields.iter().find(|field| *field.name == *name).ok_or(Refused::NothingThere)?;
            if origin == Origin::Device && !field.by_device {
                return Err(Refused::FieldIsReserved);
            }
        }
        let place = if name == PLACE { Some(place(value).ok_or(Refused::NoPlace)?) } else { None };
        self.takes_changes()?;
        let attributes = &mut self.devices[position].rare_mut().attributes;
        let set = attributes.set_metadata(name, place.as_deref().unwrap_or(value));
        set.map_err(|AttributesFull| Refused::MetadataFull)?;
        self.attributes_changed(position);
        Ok(())
    }

    /// Set fields, or remove those without a value: all of them or none.
    pub(crate) fn describe_at(
        &mut self,
        position: u32,
        fields: &[(Box<str>, Option<Box<str>>)],
    ) -> Result<(), Refused> {
        self.takes_changes()?;
        let set = self.devices[position].rare_mut().attributes.describe(fields);
        set.map_err(|_| Refused::MetadataFull)?;
        self.attributes_changed(position);
        Ok(())
    }
}

/// Latitude and longitude in degrees, parted by a space or a comma, as they are stored: `50.45 30.52`.
fn place(text: &str) -> Option<String> {
    let (latitude, longitude) = text.split_once([',', ' '])?;
    let degrees = |text: &str, most: f64| {
        let number: f64 = text.trim().parse().ok()?;
        (number.abs() <= most).then(|| text.trim().to_owned())
    };
    Some(format!("{} {}", degrees(latitude, 90.0)?, degrees(longitude, 180.0)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_latitude_and_longitude() {
        for (text, stored) in [("50.45 30.52", "50.45 30.52"), ("50.45, 30.52", "50.45 30.52"), ("-90,180", "-90 180")]
        {
            assert_eq!(place(text).as_deref(), Some(stored), "{text}");
        }
        for text in ["", "50", "91 0", "0 181", "a b", "nan 0", "1 2 3", "inf,0"] {
            assert_eq!(place(text), None, "{text}");
        }
    }
}
