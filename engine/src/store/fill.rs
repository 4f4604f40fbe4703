//! What must exist before a server serves: the demo of `linchpin dev`, or what the configuration file names.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::path::PathBuf;

use linchpin_control::{DeviceEntry, Keep, Made, NewDevices, Registry, RegistryError, TemplateEntry};
use linchpin_protocol::model::{DeviceId, Template};

use crate::cause::Cause;
use crate::config::DeviceConfig;
use crate::limits;
use crate::serve::demo;

/// See the module's page.
pub(crate) enum Fill {
    /// A template and three devices, and so many more whose tokens go to a file.
    Dev {
        /// More devices.
        more: u32,
        /// Where their tokens go.
        tokens_out: Option<PathBuf>,
    },
    /// What the file names.
    File {
        /// The file, for messages.
        path: PathBuf,
        /// Its templates.
        templates: Vec<Template>,
        /// Its devices.
        devices: Vec<DeviceConfig>,
    },
}

/// Why it cannot be made.
#[derive(Debug)]
pub(crate) enum FillError {
    /// The store cannot be read or written.
    Store(linchpin_storage::Error),
    /// A device of the file asks for something impossible.
    Config { path: PathBuf, name: String, source: RegistryError },
    /// The registry does not take it.
    Registry(RegistryError),
    /// The file of tokens cannot be written.
    Tokens { path: PathBuf, source: Cause },
    /// The store knows a device, but not its record.
    NoRecord(DeviceId),
    /// The registry made no device.
    NoDevice,
}

impl fmt::Display for FillError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Config { path, name, source } => write!(f, "{}: device {name:?}: {source}", path.display()),
            Self::Registry(source) => source.fmt(f),
            Self::Tokens { path, source } => {
                write!(f, "{}: {source}; choose another file with --tokens-out", path.display())
            }
            Self::NoRecord(device) => write!(f, "device {device} has no record in the store"),
            Self::NoDevice => f.write_str("no device was made"),
        }
    }
}

impl std::error::Error for FillError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store(source) => Some(source),
            Self::Config { source, .. } | Self::Registry(source) => Some(source),
            Self::Tokens { source, .. } => Some(&**source),
            Self::NoRecord(_) | Self::NoDevice => None,
        }
    }
}

impl From<linchpin_storage::Error> for FillError {
    fn from(error: linchpin_storage::Error) -> Self {
        Self::Store(error)
    }
}

impl From<RegistryError> for FillError {
    fn from(error: RegistryError) -> Self {
        Self::Registry(error)
    }
}

/// A registry and the store behind it.
struct Filling<'a> {
    registry: &'a mut Registry,
    keep: Option<&'a Keep>,
    /// Devices that the file has named so far.
    named: HashSet<DeviceId>,
    /// Devices of the store by name, in the order of their ids: who has no token in the file is the first of its name that
    /// nobody was yet.
    by_name: HashMap<Box<str>, VecDeque<DeviceId>>,
    /// Made for the file and not in the store yet: they go there together.
    unwritten: Vec<Made>,
}

impl Fill {
    /// Make what is missing. Returns the devices that the ready file and the start message show.
    ///
    /// # Errors
    /// See [`FillError`].
    pub(crate) fn make(self, registry: &mut Registry, keep: Option<&Keep>) -> Result<Vec<Made>, FillError> {
        let mut filling = Filling::new(registry, keep);
        match self {
            Self::Dev { more, tokens_out } => {
                filling.put(demo::template())?;
                let shown = filling.dev_devices(0, &demo::devices())?;
                let more = NewDevices { count: more, ..NewDevices::default() };
                let others = filling.dev_devices(demo::DEVICES, &[more])?;
                if let Some(path) = tokens_out {
                    linchpin_storage::write_private(&path, token_lines(&others).as_bytes())
                        .map_err(|error| FillError::Tokens { path: path.clone(), source: error.into() })?;
                }
                Ok(shown)
            }
            Self::File { path, templates, devices } => {
                for template in templates {
                    filling.put(template)?;
                }
                filling.index_names();
                let made: Result<Vec<Made>, _> =
                    devices.into_iter().map(|device| filling.file_device(&path, device)).collect();
                filling.write()?;
                made
            }
        }
    }
}

impl<'a> Filling<'a> {
    fn new(registry: &'a mut Registry, keep: Option<&'a Keep>) -> Self {
        Self { registry, keep, named: HashSet::new(), by_name: HashMap::new(), unwritten: Vec::new() }
    }

    fn index_names(&mut self) {
        for known in self.registry.devices() {
            self.by_name.entry(known.name.clone()).or_default().push_back(known.id);
        }
    }

    /// What is made so far is in the store.
    fn write(&mut self) -> Result<(), FillError> {
        let made = std::mem::take(&mut self.unwritten);
        match self.keep {
            Some(keep) if !made.is_empty() => Ok(keep.add_devices(&made)?),
            _ => Ok(()),
        }
    }

    fn put(&mut self, template: Template) -> Result<(), FillError> {
        let is_same = |known: &TemplateEntry| {
            let mut record = known.record.with_template(template.clone());
            record.number(Some(&known.record));
            record == known.record
        };
        if self.registry.template(template.id).is_some_and(is_same) {
            return Ok(());
        }
        let entry = self.registry.put_template(template)?;
        self.keep.map_or(Ok(()), |keep| Ok(keep.put_template(&entry)?))
    }

    /// As many as these, after the first `from`: those that exist, and new ones for those that do not.
    fn dev_devices(&mut self, from: usize, wanted: &[NewDevices]) -> Result<Vec<Made>, FillError> {
        let count: usize = wanted.iter().map(|new| new.count as usize).sum();
        let known: Vec<DeviceEntry> = self.registry.devices().iter().skip(from).take(count).cloned().collect();
        let mut all = known.into_iter().map(|entry| self.with_token(entry)).collect::<Result<Vec<_>, _>>()?;
        let mut missing = count - all.len();
        let mut made = Vec::new();
        for new in wanted.iter().rev() {
            let part = missing.min(new.count as usize);
            missing -= part;
            if part > 0 {
                made.insert(0, NewDevices { count: part as u32, ..new.clone() });
            }
        }
        for new in made {
            all.extend(self.add(&new)?);
        }
        Ok(all)
    }

    fn add(&mut self, new: &NewDevices) -> Result<Vec<Made>, FillError> {
        let made = self.registry.add(new)?;
        if let Some(keep) = self.keep {
            keep.add_devices(&made)?;
        }
        Ok(made)
    }

    fn with_token(&self, entry: DeviceEntry) -> Result<Made, FillError> {
        let token = match (self.registry.token(entry.id), self.keep) {
            (None, Some(keep)) => keep.token(&entry)?,
            (token, _) => token,
        };
        let missing = || FillError::NoRecord(entry.id);
        Ok(Made { token: token.ok_or_else(missing)?, entry })
    }

    /// A device of the file: found by its token if it has one, else by its name.
    fn file_device(&mut self, path: &std::path::Path, device: DeviceConfig) -> Result<Made, FillError> {
        let DeviceConfig { name, template, token } = device;
        let wrong = |source: RegistryError| FillError::Config { path: path.to_owned(), name: name.clone(), source };
        let known = match (token, self.keep) {
            (Some(token), Some(keep)) => {
                // A token that the file has twice is one device.
                if self.unwritten.iter().any(|made| made.token == token) {
                    self.write()?;
                }
                keep.find(&token)?.and_then(|id| self.registry.device(id))
            }
            (None, Some(_)) => self.first_of(&name).and_then(|id| self.registry.device(id)),
            (_, None) => None,
        };
        if let Some(known) = known.cloned() {
            self.named.insert(known.id);
            if known.template == template && *known.name == *name {
                return self.with_token(known);
            }
            let entry = DeviceEntry { name: name.as_str().into(), template, ..known };
            self.registry.change(&entry).map_err(wrong)?;
            if let Some(keep) = self.keep {
                keep.change_device(&entry)?;
            }
            return self.with_token(entry);
        }
        let made = match token {
            Some(token) => self.registry.add_with_token(&name, template, token).map_err(wrong)?,
            None => {
                let new = NewDevices { template, name: name.clone(), ..NewDevices::default() };
                let made = self.registry.add(&new).map_err(wrong)?;
                made.into_iter().next().ok_or_else(|| FillError::NoDevice)?
            }
        };
        self.named.insert(made.entry.id);
        if self.keep.is_some() {
            self.unwritten.push(made.clone());
        }
        if self.unwritten.len() == limits::WRITTEN_TOGETHER {
            self.write()?;
        }
        Ok(made)
    }

    /// A device of the store with this name that the file has not named yet.
    fn first_of(&mut self, name: &str) -> Option<DeviceId> {
        let ids = self.by_name.get_mut(name)?;
        std::iter::from_fn(|| ids.pop_front()).find(|id| !self.named.contains(id))
    }
}

/// One line a device, for `--tokens-out`: id and token.
fn token_lines(devices: &[Made]) -> String {
    devices.iter().map(|made| format!("{} {}\n", made.entry.id, made.token.expose())).collect()
}
