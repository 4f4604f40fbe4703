//! What must exist before a server serves: the demo of `linchpin dev`, or what the configuration file names.

use std::fmt;
use std::path::PathBuf;

use linchpin_control::{DeviceEntry, Keep, Made, NewDevices, Registry, RegistryError, TemplateEntry};
use linchpin_protocol::model::{DeviceId, Template};

use crate::cause::Cause;
use crate::config::DeviceConfig;
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
    named: Vec<DeviceId>,
}

impl Fill {
    /// Make what is missing. Returns the devices that the ready file and the start message show.
    ///
    /// # Errors
    /// See [`FillError`].
    pub(crate) fn make(self, registry: &mut Registry, keep: Option<&Keep>) -> Result<Vec<Made>, FillError> {
        let mut filling = Filling { registry, keep, named: Vec::new() };
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
                devices.into_iter().map(|device| filling.file_device(&path, device)).collect()
            }
        }
    }
}

impl Filling<'_> {
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
            (Some(token), Some(keep)) => keep.find(&token)?.and_then(|id| self.registry.device(id)),
            (None, Some(_)) => {
                let is_it = |known: &&DeviceEntry| *known.name == *name && !self.named.contains(&known.id);
                self.registry.devices().iter().find(is_it)
            }
            (_, None) => None,
        };
        if let Some(known) = known.cloned() {
            self.named.push(known.id);
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
        self.named.push(made.entry.id);
        if let Some(keep) = self.keep {
            keep.add_devices(std::slice::from_ref(&made))?;
        }
        Ok(made)
    }
}

/// One line a device, for `--tokens-out`: id and token.
fn token_lines(devices: &[Made]) -> String {
    devices.iter().map(|made| format!("{} {}\n", made.entry.id, made.token.expose())).collect()
}
