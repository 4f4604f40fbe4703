//! The file's own shape, and its translation into a checked [`Config`].

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use linchpin_control::request::TemplateAdd;
use linchpin_control::{PeopleSettings, Word as _};
use linchpin_driver::{Choice, Descriptors, Features, IdleReceive};
use linchpin_protocol::limits::{MAX_META_NAME_BYTES, TEMPLATE_ALIASES, TEMPLATE_FIELDS, TEMPLATE_TOPICS};
use linchpin_protocol::model::{
    Datastream, Network, Pin, SubstituteFault, Template, TemplateField, TemplateId, Token, TopicMapping, ValueKind,
};
use linchpin_shard::Settings;
use serde::Deserialize;
use toml::Spanned;

use super::acme::AcmeTable;
use super::console::{self, ConsoleTable};
use super::mail::{self, MailTable};
use super::oidc::{self, OidcTable};
use super::settings::{self, SETTINGS};
use super::source::ConfigText;
use super::store::{self, BackupTable, DataTable, RetentionTable};
use super::tls::{self, CertificateTable, TlsTable};
use super::{Config, ConfigError, DeviceConfig, EngineOptions, Listen, default_shards, nearest};
use crate::serve::log::{self, LogOptions};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// For our own tests: `linchpin config default` does not show it.
    #[serde(default)]
    debug: DebugTable,
    listen: Spanned<ListenTable>,
    data: DataTable,
    #[serde(default)]
    retention: RetentionTable,
    #[serde(default)]
    backup: BackupTable,
    #[serde(default)]
    console: ConsoleTable,
    mail: Option<Spanned<MailTable>>,
    #[serde(default)]
    oidc: Vec<Spanned<OidcTable>>,
    #[serde(default)]
    engine: Engine,
    #[serde(default)]
    log: LogTable,
    #[serde(default)]
    tls: TlsTable,
    #[serde(default, rename = "certificate")]
    certificates: Vec<Spanned<CertificateTable>>,
    acme: Option<Spanned<AcmeTable>>,
    /// Its keys are those of [`super::settings`].
    #[serde(default)]
    limits: BTreeMap<Spanned<String>, Spanned<i64>>,
    #[serde(default, rename = "template")]
    templates: Vec<TemplateTable>,
    #[serde(default, rename = "device")]
    devices: Vec<DeviceTable>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct DebugTable {
    /// Also the routes of the control plane that only tests need.
    #[serde(default)]
    test_routes: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListenTable {
    plain: Option<Spanned<Vec<Spanned<String>>>>,
    tls: Option<Spanned<Vec<Spanned<String>>>>,
    mutual: Option<Spanned<Vec<Spanned<String>>>>,
    proxied: Option<Spanned<Vec<Spanned<String>>>>,
    proxies: Option<Vec<Spanned<String>>>,
    hosts: Option<Vec<Spanned<String>>>,
    metrics: Option<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Engine {
    shards: Option<Spanned<i64>>,
    driver: Option<Spanned<String>>,
    driver_features: Option<Spanned<String>>,
    descriptors: Option<Spanned<String>>,
    idle_receive: Option<Spanned<String>>,
    connections: Option<Spanned<i64>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct LogTable {
    format: Option<Spanned<String>>,
    level: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TemplateTable {
    id: Spanned<String>,
    #[serde(default)]
    name: String,
    /// Its devices are served over TLS only.
    #[serde(default)]
    tls: bool,
    #[serde(default)]
    events: Vec<String>,
    #[serde(default, rename = "datastream")]
    datastreams: Vec<DatastreamTable>,
    #[serde(default, rename = "topic")]
    topics: Vec<Spanned<TopicTable>>,
    #[serde(default, rename = "field")]
    fields: Vec<FieldTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldTable {
    name: Spanned<String>,
    id: Option<Spanned<i64>>,
    #[serde(default)]
    default: String,
    by_device: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TopicTable {
    topic: String,
    #[serde(default)]
    pointer: String,
    pin: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DatastreamTable {
    pin: Spanned<String>,
    id: Option<Spanned<i64>>,
    name: String,
    #[serde(default)]
    aliases: Vec<Spanned<String>>,
    #[serde(rename = "type")]
    kind: Spanned<String>,
    min: Option<Spanned<f64>>,
    max: Option<Spanned<f64>>,
    count: Option<Spanned<i64>>,
    #[serde(default)]
    unit: String,
    #[serde(default)]
    sync: bool,
    default: Option<Spanned<String>>,
    fallback: Option<Spanned<i64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeviceTable {
    name: Option<Spanned<String>>,
    template: Option<Spanned<String>>,
    token_file: Option<Spanned<PathBuf>>,
}

/// The result, or a mistake more.
fn note<T>(wrong: &mut Vec<ConfigError>, result: Result<T, ConfigError>) -> Option<T> {
    result.map_err(|error| wrong.push(error)).ok()
}

/// Parse and check: a mistake of each table that has any is told.
pub(super) fn parse(path: &Path, text: &str) -> Result<Config, Vec<ConfigError>> {
    let source = ConfigText { path, text };
    let file: File = toml::from_str(text).map_err(|error| vec![wrong_shape(path, text, &error)])?;
    let mut wrong = Vec::new();
    let listen = note(&mut wrong, listen(&source, &file.listen));
    let tls = note(&mut wrong, tls::tls(&source, &file.tls, &file.certificates, file.acme.as_ref()));
    if let (Some(listen), Some(tls)) = (&listen, &tls) {
        let checked = tls::check_listeners(listen, tls.as_ref());
        note(&mut wrong, checked.map_err(|what| source.error(file.listen.span(), what)));
    }
    let engine = note(&mut wrong, engine(&source, &file.engine));
    let log = note(&mut wrong, log(&source, &file.log));
    let settings = note(&mut wrong, limits(&source, &file.limits));
    let templates = note(&mut wrong, templates(&source, &file.templates));
    let known = templates.as_deref().unwrap_or_default();
    let devices: Result<Vec<_>, _> = file.devices.iter().map(|table| device(&source, table, known)).collect();
    // Without its templates nothing can be said of devices.
    let devices = if templates.is_some() { note(&mut wrong, devices) } else { None };
    let store = note(&mut wrong, store::store(&source, &file.data, &file.retention, &file.backup));
    let mail = note(&mut wrong, file.mail.as_ref().map(|table| mail::mail(&source, table)).transpose());
    let oidc = note(&mut wrong, oidc::oidc(&source, &file.oidc, file.console.public_url.is_some()));
    let people = note(&mut wrong, console::people(&source, &file.console));
    let test_routes = file.debug.test_routes;
    let data_path = file.data.dir;
    let made = || {
        let (listen, tls, engine, log) = (listen?, tls?, engine?, log?);
        let (store, settings, people) = (store?, settings?, PeopleSettings { mail: mail?, oidc: oidc?, ..people? });
        let (templates, devices) = (templates?, devices?);
        Some(Config { listen, data_path, engine, log, tls, store, settings, people, test_routes, templates, devices })
    };
    if wrong.is_empty() { made().ok_or(wrong) } else { Err(wrong) }
}

/// All templates, each once.
fn templates(source: &ConfigText<'_>, tables: &[TemplateTable]) -> Result<Vec<Template>, ConfigError> {
    let mut templates: Vec<Template> = Vec::new();
    for table in tables {
        let made = template(source, table)?;
        if templates.iter().any(|known| known.id == made.id) {
            return Err(source.error(table.id.span(), format!("template {} is there twice", made.id.as_str())));
        }
        templates.push(made);
    }
    Ok(templates)
}

/// As much of a file as names the data directory.
#[derive(Deserialize)]
struct DataOnly {
    data: DirOnly,
}

/// See [`DataOnly`].
#[derive(Deserialize)]
struct DirOnly {
    dir: PathBuf,
}

/// Only the data directory.
pub(super) fn data_path(path: &Path, text: &str) -> Result<PathBuf, ConfigError> {
    let file: DataOnly = toml::from_str(text).map_err(|error| wrong_shape(path, text, &error))?;
    Ok(file.data.dir)
}

/// What the parser says, in our words.
fn wrong_shape(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let what = error.message().replace('\n', " ");
    let what = match error.span() {
        Some(span) if what.contains("expected a sequence") => list_hint(text, span).unwrap_or(what),
        _ => with_hint(&what),
    };
    ConfigError::at(path, text, error.span(), &what)
}

/// A single value where a list belongs.
fn list_hint(text: &str, span: std::ops::Range<usize>) -> Option<String> {
    let (value, before) = (text.get(span.clone())?, text.get(..span.start)?);
    let key = before.rsplit('\n').next()?.split('=').next()?.trim();
    Some(format!("{key} is a list: write {key} = [{value}]"))
}

/// A file that holds one template.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TemplateFile {
    template: Spanned<Vec<TemplateTable>>,
}

/// One template as the running server is asked to add it.
pub(super) fn template_request(path: &Path, text: &str) -> Result<TemplateAdd, ConfigError> {
    let source = ConfigText { path, text };
    let file: TemplateFile = toml::from_str(text).map_err(|error| wrong_shape(path, text, &error))?;
    let [table] = file.template.get_ref().as_slice() else {
        return Err(source.error(file.template.span(), "the file must have exactly one [[template]]"));
    };
    Ok(TemplateAdd::from(&template(&source, table)?))
}

/// The parser's message, with the name that was probably meant: it puts the unknown word and the known ones in
/// backticks, in this order.
fn with_hint(message: &str) -> String {
    let mut words = message.split('`').skip(1).step_by(2);
    match words.next() {
        Some(unknown) if message.starts_with("unknown field") => {
            let known: Vec<_> = words.collect();
            nearest(unknown, &known).map_or(message.to_owned(), |near| format!("{message}; did you mean `{near}`?"))
        }
        _ => message.replace("expected i64", "expected a whole number").replace("expected f64", "expected a number"),
    }
}

fn listen(source: &ConfigText<'_>, spanned: &Spanned<ListenTable>) -> Result<Listen, ConfigError> {
    let table = spanned.get_ref();
    let list = |list: &Option<Spanned<Vec<Spanned<String>>>>| match list {
        Some(list) => addresses(source, list),
        None => Ok(Vec::new()),
    };
    let (plain, tls, mutual, proxied) =
        (list(&table.plain)?, list(&table.tls)?, list(&table.mutual)?, list(&table.proxied)?);
    if plain.is_empty() && tls.is_empty() && mutual.is_empty() {
        let what = "plain or tls must have at least one address, such as plain = [\"0.0.0.0:8080\"]";
        return Err(source.error(table.plain.as_ref().map_or(spanned.span(), Spanned::span), what));
    }
    for (name, list) in [("tls", &table.tls), ("mutual", &table.mutual), ("proxied", &table.proxied)] {
        let others = [("plain", &plain), ("tls", &tls), ("mutual", &mutual), ("proxied", &proxied)];
        let others = others.into_iter().take_while(|(other, _)| *other != name);
        let items = list.iter().flat_map(|list| list.get_ref());
        for (item, (other, known)) in items.flat_map(|item| others.clone().map(move |other| (item, other))) {
            if let Some(twice) = known.iter().find(|at| at.port() != 0 && item.get_ref().parse() == Ok(**at)) {
                let what = format!("the address {twice} is in {other} too: a listener is of one kind");
                return Err(source.error(item.span(), what));
            }
        }
    }
    if let Some(list) = &table.proxied
        && table.proxies.is_none()
        && !proxied.is_empty()
    {
        let what = "proxied needs proxies, the addresses of the load balancers, such as [\"10.0.0.7\"]";
        return Err(source.error(list.span(), what));
    }
    let networks = table.proxies.iter().flatten();
    let proxies = networks
        .map(|text| Network::parse(text.get_ref()).map_err(|what| source.error(text.span(), what)))
        .collect::<Result<_, _>>()?;
    let metrics = match &table.metrics {
        Some(text) => {
            let address = address(source, text)?;
            if !address.ip().is_loopback() {
                let what =
                    format!("metrics are for this machine only: {address} must be an address of 127.0.0.0/8 or ::1");
                return Err(source.error(text.span(), what));
            }
            Some(address)
        }
        None => None,
    };
    let hosts = table.hosts.iter().flatten().map(|text| host(source, text)).collect::<Result<_, _>>()?;
    Ok(Listen { plain, tls, mutual, proxied, proxies, hosts, metrics })
}

/// A name without a port.
fn host(source: &ConfigText<'_>, text: &Spanned<String>) -> Result<String, ConfigError> {
    let name = text.get_ref();
    match linchpin_protocol::http::host_name(name.as_bytes()) {
        Some(found) if found == name => Ok(name.to_ascii_lowercase()),
        _ => {
            let what = format!("{name:?} is not a host name without a port, such as \"iot.example\"");
            Err(source.error(text.span(), what))
        }
    }
}

fn address(source: &ConfigText<'_>, text: &Spanned<String>) -> Result<SocketAddr, ConfigError> {
    text.get_ref().parse().map_err(|_| {
        let what =
            format!("{:?} is not an address with a port from 0 to 65535, such as \"0.0.0.0:8080\"", text.get_ref());
        source.error(text.span(), what)
    })
}

fn addresses(source: &ConfigText<'_>, list: &Spanned<Vec<Spanned<String>>>) -> Result<Vec<SocketAddr>, ConfigError> {
    let parsed: Vec<SocketAddr> = list.get_ref().iter().map(|text| address(source, text)).collect::<Result<_, _>>()?;
    for (at, address) in parsed.iter().enumerate() {
        // Port 0 is another port each time.
        if address.port() != 0 && parsed[..at].contains(address) {
            return Err(source.error(list.get_ref()[at].span(), format!("the address {address} is there twice")));
        }
    }
    Ok(parsed)
}

fn engine(source: &ConfigText<'_>, table: &Engine) -> Result<EngineOptions, ConfigError> {
    let default = EngineOptions::default();
    let most_shards = i64::from(crate::limits::SHARDS);
    let most_connections = i64::from(linchpin_driver::limits::MAX_CONNECTIONS) * most_shards;
    let shards = source.within(table.shards.as_ref(), "shards", 1..=most_shards, default_shards().into())? as u16;
    let choices = [("auto", Choice::Auto), ("io_uring", Choice::IoUring), ("portable", Choice::Portable)];
    let driver = source.one_of(table.driver.as_ref(), "driver", &choices, default.driver)?;
    let kinds = [("auto", Descriptors::Auto), ("direct", Descriptors::Direct), ("plain", Descriptors::Plain)];
    let descriptors = source.one_of(table.descriptors.as_ref(), "descriptors", &kinds, default.descriptors)?;
    let ways = [("armed", IdleReceive::Armed), ("poll", IdleReceive::Poll)];
    let idle_receive = source.one_of(table.idle_receive.as_ref(), "idle_receive", &ways, default.idle_receive)?;
    let connections =
        source.within(table.connections.as_ref(), "connections", 1..=most_connections, default.connections)?;
    let features = match &table.driver_features {
        Some(list) => Features::parse(list.get_ref()).map_err(|what| source.error(list.span(), what))?,
        None => default.features,
    };
    Ok(EngineOptions { shards, driver, features, descriptors, idle_receive, connections })
}

fn log(source: &ConfigText<'_>, table: &LogTable) -> Result<LogOptions, ConfigError> {
    let default = LogOptions::default();
    let format = source.one_of(table.format.as_ref(), "format", &log::FORMATS, default.format)?;
    let level = source.one_of(table.level.as_ref(), "level", &log::LEVELS, default.level)?;
    Ok(LogOptions { format, level })
}

fn limits(source: &ConfigText<'_>, table: &BTreeMap<Spanned<String>, Spanned<i64>>) -> Result<Settings, ConfigError> {
    let mut settings = Settings::default();
    let mut in_order: Vec<_> = table.iter().collect();
    in_order.sort_by_key(|(name, _)| name.span().start);
    for (name, value) in in_order {
        let Some(setting) = settings::find(name.get_ref()) else {
            let known: Vec<_> = SETTINGS.iter().map(|setting| format!("`{}`", setting.name)).collect();
            let message = format!("unknown field `{}`, expected one of {}", name.get_ref(), known.join(", "));
            return Err(source.error(name.span(), with_hint(&message)));
        };
        setting.put(&mut settings, *value.get_ref()).map_err(|what| source.error(value.span(), what))?;
    }
    Ok(settings)
}

fn template_id(source: &ConfigText<'_>, text: &Spanned<String>) -> Result<TemplateId, ConfigError> {
    TemplateId::parse(text.get_ref().as_bytes()).map_err(|fault| source.error(text.span(), fault))
}

fn template(source: &ConfigText<'_>, table: &TemplateTable) -> Result<Template, ConfigError> {
    let id = template_id(source, &table.id)?;
    let mut datastreams: Vec<Datastream> = Vec::new();
    for stream in &table.datastreams {
        let made = datastream(source, stream)?;
        if datastreams.iter().any(|known| known.pin == made.pin) {
            return Err(source.error(stream.pin.span(), format!("the template has two datastreams on {}", made.pin)));
        }
        datastreams.push(made);
    }
    let events = table.events.iter().map(|event| event.as_str().into()).collect();
    let made = Template::new(id, table.name.as_str().into(), datastreams, events).with_tls_required(table.tls);
    let made = made.with_fields(fields(source, table)?);
    made.check_ids().map_err(|twice| source.error(table.id.span(), twice))?;
    let (aliases, topics) = (aliases(source, table, &made)?, topics(source, table, &made)?);
    Ok(made.with_aliases(aliases).with_topics(topics))
}

/// Metadata fields.
fn fields(source: &ConfigText<'_>, table: &TemplateTable) -> Result<Vec<TemplateField>, ConfigError> {
    if let Some(last) = table.fields.get(TEMPLATE_FIELDS) {
        return Err(source.error(last.name.span(), format!("a template has {TEMPLATE_FIELDS} fields at most")));
    }
    let one = |field: &FieldTable| {
        let (name, most) = (field.name.get_ref(), MAX_META_NAME_BYTES);
        if name.is_empty() || name.len() > most {
            let what = format!("a field's name has 1 to {most} bytes, not {}", name.len());
            return Err(source.error(field.name.span(), what));
        }
        Ok(TemplateField {
            id: source.within(field.id.as_ref(), "id", 1..=i64::from(u32::MAX), 0)?,
            name: name.as_str().into(),
            default: field.default.as_str().into(),
            by_device: field.by_device.unwrap_or(true),
        })
    };
    table.fields.iter().map(one).collect()
}

/// Other names of datastreams.
fn aliases(
    source: &ConfigText<'_>,
    table: &TemplateTable,
    made: &Template,
) -> Result<Vec<(Box<str>, Pin)>, ConfigError> {
    let mut found: Vec<(Box<str>, Pin)> = Vec::new();
    for stream in &table.datastreams {
        let pin = pin(source, &stream.pin)?;
        for alias in &stream.aliases {
            let name = alias.get_ref().as_str();
            if !made.may_alias(&found, name) {
                let what = format!(
                    "the alias {name:?} must be of one datastream only, not empty, without , + # and control characters"
                );
                return Err(source.error(alias.span(), what));
            }
            if found.len() >= TEMPLATE_ALIASES {
                return Err(source.error(alias.span(), format!("a template has {TEMPLATE_ALIASES} aliases at most")));
            }
            found.push((name.into(), pin));
        }
    }
    Ok(found)
}

/// Topics of the firmware's own.
fn topics(source: &ConfigText<'_>, table: &TemplateTable, made: &Template) -> Result<Vec<TopicMapping>, ConfigError> {
    if let Some(last) = table.topics.get(TEMPLATE_TOPICS) {
        return Err(source.error(last.span(), format!("a template maps {TEMPLATE_TOPICS} topics at most")));
    }
    let mut found = Vec::new();
    for topic in &table.topics {
        let TopicTable { topic: name, pointer, pin: text } = topic.get_ref();
        let pin = pin(source, text)?;
        if made.datastream(pin).is_none() {
            return Err(source.error(text.span(), format!("the template has no datastream on {pin}")));
        }
        found.push(TopicMapping::new(name, pointer, pin).map_err(|what| source.error(topic.span(), what))?);
    }
    Ok(found)
}

fn pin(source: &ConfigText<'_>, text: &Spanned<String>) -> Result<Pin, ConfigError> {
    Pin::read(text.get_ref().clone()).ok_or_else(|| {
        let what = format!("pin must be V0 to V255, D0 to D255 or A0 to A255, not {:?}", text.get_ref());
        source.error(text.span(), what)
    })
}

fn datastream(source: &ConfigText<'_>, table: &DatastreamTable) -> Result<Datastream, ConfigError> {
    let pin = pin(source, &table.pin)?;
    let (low, high) = (table.min.as_ref().map(|v| *v.get_ref()), table.max.as_ref().map(|v| *v.get_ref()));
    if let (Some(min), Some(low), Some(high)) = (&table.min, low, high)
        && low > high
    {
        return Err(source.error(min.span(), format!("min {low} must not be above max {high}")));
    }
    let count = source.within(table.count.as_ref(), "count", 1..=10_000, 2)?;
    let kinds = [
        ("int", ValueKind::Int { min: low.map_or(i64::MIN, |v| v as i64), max: high.map_or(i64::MAX, |v| v as i64) }),
        ("double", ValueKind::Double { min: low.unwrap_or(f64::MIN), max: high.unwrap_or(f64::MAX) }),
        ("text", ValueKind::Text),
        ("enum", ValueKind::Enum { count }),
    ];
    let kind = source.one_of(Some(&table.kind), "type", &kinds, ValueKind::Text)?;
    let id = source.within(table.id.as_ref(), "id", 1..=i64::from(u32::MAX), 0)?;
    let made = Datastream::new(pin, &table.name, kind, &table.unit, table.sync).with_id(id);
    let fallback = match &table.fallback {
        Some(_) => Some(source.within(table.fallback.as_ref(), "fallback", 0..=9_999, 0)?),
        None => None,
    };
    let default = table.default.as_ref().map(|text| text.get_ref().as_str());
    made.with_substitutes(default, fallback).map_err(|fault| {
        let of_default = matches!(fault, SubstituteFault::Default(_) | SubstituteFault::DefaultOutside);
        let place = if of_default { table.default.as_ref().map(Spanned::span) } else { None };
        let place = place.or_else(|| table.fallback.as_ref().map(Spanned::span));
        source.error(place.unwrap_or_else(|| table.pin.span()), fault)
    })
}

fn device(source: &ConfigText<'_>, table: &DeviceTable, templates: &[Template]) -> Result<DeviceConfig, ConfigError> {
    let most = linchpin_control::limits::NAME_BYTES;
    let name = match &table.name {
        Some(name) if name.get_ref().len() > most => {
            let len = name.get_ref().len();
            return Err(source.error(name.span(), format!("a name of {len} bytes is too long, {most} are allowed")));
        }
        Some(name) => name.get_ref().clone(),
        None => String::new(),
    };
    let mut template = None;
    if let Some(text) = &table.template {
        let id = template_id(source, text)?;
        if !templates.iter().any(|known| known.id == id) {
            let known: Vec<_> = templates.iter().map(|t| t.id.as_str().to_owned()).collect();
            let what = format!("there is no template {}; the file has: {}", id.as_str(), known.join(", "));
            return Err(source.error(text.span(), what));
        }
        template = Some(id);
    }
    let token = match &table.token_file {
        Some(path) => Some(read_token(source, path)?),
        None => None,
    };
    Ok(DeviceConfig { name, template, token })
}

/// A token stands in a file of its own, so that the configuration can be shown to others.
fn read_token(source: &ConfigText<'_>, path: &Spanned<PathBuf>) -> Result<Token, ConfigError> {
    if Token::parse(path.get_ref().as_os_str().as_encoded_bytes()).is_ok() && !path.get_ref().exists() {
        return Err(
            source.error(path.span(), "token_file must be the path of a file with the token in it, not the token")
        );
    }
    let text = std::fs::read(path.get_ref())
        .map_err(|error| source.error(path.span(), format!("{}: {error}", path.get_ref().display())))?;
    Token::parse(&text).map_err(|fault| source.error(path.span(), fault))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "[listen]\nplain = [\"127.0.0.1:0\"]\n[data]\ndir = \"/tmp/x\"\n";

    fn mistake(text: &str) -> String {
        parse(Path::new("c.toml"), text).expect_err("must be refused").remove(0).to_string()
    }

    #[test]
    fn the_smallest_file_has_defaults_for_the_rest() {
        let config = parse(Path::new("c.toml"), SMALL).expect("good");
        assert_eq!(config.settings, Settings::default());
        assert_eq!((config.engine.shards, config.devices.len()), (default_shards(), 0));
    }

    #[test]
    fn mistakes_have_their_line_and_what_would_be_right() {
        let limit = mistake(&format!("{SMALL}[limits]\nheartbeat_s = 1\n"));
        assert!(limit.starts_with("c.toml:6:15: heartbeat_s must be 5 to 3600, not 1"), "{limit}");
        let unknown = mistake(&SMALL.replace("dir", "dri"));
        assert!(unknown.starts_with("c.toml:4:1") && unknown.contains("did you mean `dir`?"), "{unknown}");
        let setting = mistake(&format!("{SMALL}[limits]\nmesage_burst = 1\n"));
        assert!(setting.starts_with("c.toml:6:1") && setting.contains("did you mean `message_burst`?"), "{setting}");
        let number = mistake(&format!("{SMALL}[limits]\nmessage_burst = \"7\"\n"));
        assert!(number.starts_with("c.toml:6:17") && number.contains("a whole number"), "{number}");
        let pasted = mistake(&format!("{SMALL}[[device]]\ntoken_file = \"{}\"\n", "x".repeat(32)));
        assert!(pasted.contains("not the token") && !pasted.contains("xxx"), "{pasted}");
        let empty = mistake(&SMALL.replace("[\"127.0.0.1:0\"]", "[]"));
        assert!(empty.contains("at least one address"), "{empty}");
        let stream = |more: &str| {
            let head = "[[template]]\nid = \"A\"\n[[template.datastream]]\npin = \"V0\"\nname = \"x\"\n";
            format!("{SMALL}{head}{more}\n")
        };
        let outside = mistake(&stream("type = \"int\"\nmax = 9\ndefault = \"10\""));
        assert!(outside.starts_with("c.toml:12:11: the default lies outside"), "{outside}");
        let choice = mistake(&stream("type = \"enum\"\ncount = 3\nfallback = 3"));
        assert!(choice.starts_with("c.toml:12:12: the fallback 3 is not one of the 3"), "{choice}");
        let number = mistake(&stream("type = \"int\"\nfallback = 3"));
        assert!(number.starts_with("c.toml:11:12: only an enum"), "{number}");
        let twice = mistake(&format!("{SMALL}[[template]]\nid = \"A\"\n[[template]]\nid = \"A\"\n"));
        assert!(twice.starts_with("c.toml:8:6: template A is there twice"), "{twice}");
    }
}
