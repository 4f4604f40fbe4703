//! What a kind of device is like.

use crate::model::TemplateId;

use super::super::Command;
use super::super::codec::device as write;

/// Which of the two login commands a device uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoginCommand {
    /// HARDWARE_LOGIN (29), as almost all do.
    #[default]
    Current,
    /// LOGIN (2), as the Python `blynklib` does.
    Old,
}

impl LoginCommand {
    pub(super) const fn command(self) -> Command {
        match self {
            Self::Current => Command::Login,
            Self::Old => Command::LoginOld,
        }
    }
}

/// What a kind of device is like. Shared by all devices of the kind and lent to each call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceOptions {
    /// How it logs in.
    pub login_command: LoginCommand,
    /// Seconds without traffic after which it pings, 1 or more; the C++ library takes 10 to 3600.
    pub heartbeat_s: u16,
    /// It ends the connection at a body of so many bytes or more.
    pub buff_in_bytes: u16,
    /// The library's version (`ver`).
    pub library: Box<str>,
    /// The board's name (`dev`).
    pub board: Box<str>,
    /// The template of its firmware (`fw-type` and `tmpl`).
    pub template: Option<TemplateId>,
    /// The firmware's version (`fw`).
    pub firmware: Option<Box<str>>,
    /// When the firmware was built (`build`).
    pub build: Option<Box<str>>,
    /// The kind of link (`conn`).
    pub connection: Option<Box<str>>,
}

impl Default for DeviceOptions {
    fn default() -> Self {
        Self {
            login_command: LoginCommand::Current,
            heartbeat_s: 40,
            buff_in_bytes: 4_096,
            library: "1.4.0".into(),
            board: "Linux".into(),
            template: None,
            firmware: None,
            build: None,
            connection: None,
        }
    }
}

impl DeviceOptions {
    /// The INTERNAL frame in which a device introduces itself.
    pub(super) fn introduce(&self, out: &mut Vec<u8>, id: u16) {
        let (heartbeat, buff_in) = (self.heartbeat_s.to_string(), self.buff_in_bytes.to_string());
        let template = self.template.as_ref().map(TemplateId::as_str);
        let pairs = [
            ("ver", Some(&*self.library)),
            ("h-beat", Some(&*heartbeat)),
            ("buff-in", Some(&*buff_in)),
            ("dev", Some(&*self.board)),
            ("fw-type", template),
            ("fw", self.firmware.as_deref()),
            ("build", self.build.as_deref()),
            ("conn", self.connection.as_deref()),
            ("tmpl", template),
        ];
        let mut fields: Vec<&[u8]> = Vec::with_capacity(2 * pairs.len() + 1);
        for (key, value) in pairs {
            fields.extend(value.map(|value| [key.as_bytes(), value.as_bytes()]).into_iter().flatten());
        }
        // The library ends its list with a NUL.
        fields.push(b"");
        write::internal(out, id, &fields);
    }

    pub(super) fn heartbeat_ms(&self) -> u64 {
        u64::from(self.heartbeat_s.max(1)) * 1_000
    }
}
