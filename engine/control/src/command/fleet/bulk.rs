//! Devices from lines of CSV.

use std::sync::Arc;

use linchpin_protocol::model::TemplateId;
use linchpin_storage::schema::Device;

use super::{check_template, one};
use crate::access::right;
use crate::command::call::RowCall;
use crate::command::desk::Desk;
use crate::command::request::{FleetBulk, FleetBulkLine, ListPage};
use crate::loader::name::check_name;
use crate::{Code, CommandError, limits};

/// A line that can be made, or why not.
type BulkRow = Result<(Device, Vec<(Box<str>, Option<Box<str>>)>), String>;

fn rows(text: &str) -> Result<Vec<(usize, BulkRow)>, CommandError> {
    let wrong = |error: csv::Error| CommandError::parameter("csv", &format!("CSV with a header: {error}")).about("csv");
    let mut reader = csv::ReaderBuilder::new().flexible(false).trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = reader.headers().map_err(wrong)?.clone();
    if !header.iter().any(|name| name.eq_ignore_ascii_case("name")) {
        return Err(
            CommandError::parameter("csv", "CSV whose first line names the columns, `name` among them").about("csv")
        );
    }
    let mut found = Vec::new();
    for (at, record) in reader.records().enumerate() {
        if at >= limits::BULK_LINES {
            let text = format!("at most {} lines", limits::BULK_LINES);
            return Err(CommandError::parameter("csv", &text).about("csv"));
        }
        let row = record.map_err(|error| error.to_string()).and_then(|record| row(&header, &record));
        found.push((at + 2, row));
    }
    Ok(found)
}

fn row(header: &csv::StringRecord, record: &csv::StringRecord) -> BulkRow {
    let (mut name, mut template, mut tags, mut fields) = ("", None, Vec::new(), Vec::new());
    for (column, value) in header.iter().zip(record) {
        match column.to_ascii_lowercase().as_str() {
            "name" => name = value,
            "template" if value.is_empty() => {}
            "template" => {
                let id = TemplateId::parse(value.as_bytes());
                template = Some(id.map_err(|_| format!("{value:?} is no template id"))?);
            }
            "tags" => tags = value.split(';').map(|tag| tag.trim().to_owned()).filter(|tag| !tag.is_empty()).collect(),
            _ if value.is_empty() => {}
            _ => fields.push((column.into(), Some(value.into()))),
        }
    }
    let fits = |(field, value): &(Box<str>, Option<Box<str>>)| {
        (1..=limits::META_NAME_BYTES).contains(&field.len())
            && value.as_ref().is_some_and(|value| value.len() <= limits::META_VALUE_BYTES)
    };
    check_name(name, 0..=limits::NAME_BYTES).map_err(|expected| format!("the name must be {expected}"))?;
    if !fields.iter().all(fits) {
        return Err("a field of the metadata is too long".to_owned());
    }
    Ok((one::blank(name, template, tags), fields))
}

/// Good lines are made, bad ones are named.
pub(in crate::command) async fn bulk(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: FleetBulk,
) -> Result<ListPage<FleetBulkLine>, CommandError> {
    let org = asked.org.0;
    let admit = move |call: &RowCall| {
        call.scope::<right::DeviceBatch>(org)?;
        call.scope::<right::DeviceCreate>(org).map(drop)
    };
    desk.with_people(&call, admit).await?;
    let (mut lines, mut wanted, mut places) = (Vec::new(), Vec::new(), Vec::new());
    for (line, row) in rows(&asked.csv)? {
        let row = row.and_then(|(device, fields)| match device.template {
            Some(id) => check_template(desk, &call, org, id).map_err(|error| error.text).map(|()| (device, fields)),
            None => Ok((device, fields)),
        });
        let error = match row {
            Ok((device, fields)) => {
                places.push((lines.len(), fields));
                wanted.push(device);
                None
            }
            Err(error) => Some(error),
        };
        lines.push(FleetBulkLine { line, id: None, token: None, error });
    }
    if wanted.is_empty() {
        return Ok(ListPage::whole(lines));
    }
    let made = one::make_all(desk, &call, org, wanted).await?;
    for ((place, fields), (id, device)) in places.into_iter().zip(made) {
        lines[place].id = Some(id.get());
        lines[place].token = Some(device.token.into());
        if let Err(error) = one::describe_new(desk, id, fields).await {
            lines[place].error = Some(format!("it was made, its metadata was not set: {}", error.text));
        }
    }
    call.extras(|extras| extras.status = Some(201));
    if lines.iter().all(|line| line.id.is_none()) {
        return Err(CommandError::new(Code::BadParameter, "no line could be made").about("csv"));
    }
    Ok(ListPage::whole(lines))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_devices_or_are_named() {
        let text = "Name,template,tags,Serial\npump 1,TMPLpump,a; b,17\n\"pump, 2\",,,\npump 3,no id!,,\n";
        let found = rows(text).expect("CSV");
        let (device, fields) = found[0].1.as_ref().expect("good");
        assert_eq!((&*device.name, device.tags.len(), found[0].0), ("pump 1", 2, 2));
        assert_eq!(fields, &[("Serial".into(), Some("17".into()))]);
        assert_eq!(found[1].1.as_ref().map(|(device, _)| &*device.name), Ok("pump, 2"));
        assert!(found[2].1.as_ref().is_err_and(|error| error.contains("no id!")));
        assert!(rows("serial\n1\n").is_err(), "names are missing");
        assert!(rows("").is_err());
        let short = rows("name,a\nx\n").expect("read");
        assert!(short[0].1.is_err(), "a cell is missing");
    }
}
