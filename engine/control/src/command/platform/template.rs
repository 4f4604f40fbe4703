//! Templates.

use std::sync::Arc;

use super::own_org;
use crate::command::call::RowCall;
use crate::command::desk::Desk;
use crate::command::request::*;
use crate::command::sheet;
use crate::{CommandError, TemplateEntry};

pub(in crate::command) async fn templates(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformTemplates,
) -> Result<PlatformPage<PlatformTemplate>, CommandError> {
    let seen = sheet::templates_seen(desk, &call, own_org(&call)).await?;
    let line = |entry: &TemplateEntry| PlatformTemplate {
        id: entry.number,
        template_id: entry.template().id.as_str().to_owned(),
        name: entry.template().name.to_string(),
        description: entry.record.sheet.description.to_string(),
    };
    let content = seen.iter().skip(asked.page * asked.size).take(asked.size).map(line).collect();
    Ok(PlatformPage { content, total_elements: seen.len() })
}
