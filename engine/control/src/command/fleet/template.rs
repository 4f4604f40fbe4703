//! What the template of a device says of what its page shows. Whoever sees the device sees this, without a right to see
//! templates: a person with devices of their own has none.

use std::sync::Arc;

use super::held;
use crate::access::right;
use crate::command::call::RowCall;
use crate::command::desk::Desk;
use crate::command::request::{FleetTemplate, FleetTemplateShown};
use crate::command::sheet;
use crate::{Code, CommandError};

pub(in crate::command) async fn template(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: FleetTemplate,
) -> Result<FleetTemplateShown, CommandError> {
    let (org, id) = (asked.org.0, asked.device.0);
    let record = held::<right::DeviceView>(desk, &call, org, id).await?;
    let found = record.template.and_then(|template| desk.registry().template(template).cloned());
    let entry = found.ok_or_else(|| CommandError::new(Code::NotFound, "the device has no template"))?;
    call.extras(|extras| extras.etag = Some(sheet::etag(&entry)));
    desk.with_people(&call, move |call| {
        let loader = call.loader()?;
        let sees_dashboard = call
            .scope_if::<right::DashboardView>(org)
            .is_some_and(|scope| loader.device(&scope, id, call.now_ms()).is_ok());
        let sees_template =
            call.scope_if::<right::TemplateView>(org).is_some_and(|scope| loader.sees_template(&scope, &entry));
        let mut whole = sheet::sheet_of(entry.org, &entry.record);
        whole.streams.retain(|stream| sees_template || !stream.hidden);
        Ok(FleetTemplateShown {
            id: whole.id,
            name: whole.name,
            streams: whole.streams,
            metadata: whole.metadata,
            layout: sees_dashboard.then_some(whole.layout),
        })
    })
    .await
}
