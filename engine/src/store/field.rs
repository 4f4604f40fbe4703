//! What only the store knows of a device, for `Device Name` and `Device Owner`.

use linchpin_protocol::model::{DeviceId, OrgId};
use linchpin_shard::ReservedField;
use linchpin_storage::schema::{Device, DeviceKey, User, UserKey};
use linchpin_storage::{Error, Reads};

/// The value; `None`: there is none, or it cannot be read.
pub(super) fn value(reads: &Reads, org: OrgId, device: DeviceId, field: ReservedField) -> Option<Box<str>> {
    let found = found(reads, org, device, field).unwrap_or_else(|fault| {
        tracing::error!(error = %fault, %device, "a field of a device cannot be read");
        None
    });
    found.filter(|text| !text.is_empty())
}

fn found(reads: &Reads, org: OrgId, device: DeviceId, field: ReservedField) -> Result<Option<Box<str>>, Error> {
    let Some(record) = reads.get::<Device>(&DeviceKey::new(org, device))? else { return Ok(None) };
    match field {
        ReservedField::DeviceName => Ok(Some(record.name)),
        // The name only: an address is nobody's business who holds a device.
        ReservedField::DeviceOwner => {
            let Some((home, user)) = record.owner else { return Ok(None) };
            Ok(reads.get::<User>(&UserKey::new(home, user))?.map(|user| user.name))
        }
    }
}
