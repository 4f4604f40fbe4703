//! Identities of organizations, devices and templates.

use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::Fault;
use crate::limits::MAX_TEMPLATE_ID_BYTES;

/// An organization: whoever owns devices. Never given out again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OrgId(NonZeroU32);

impl OrgId {
    /// The first one, which every server has.
    pub const FIRST: Self = Self(NonZeroU32::MIN);

    /// The id with this number; `None` for 0, which stands for the system.
    #[must_use]
    pub const fn new(number: u32) -> Option<Self> {
        match NonZeroU32::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The number, 1 or more.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for OrgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for OrgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OrgId({})", self.0)
    }
}

/// A device. Never changes and is never given out again, unlike its token.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeviceId(NonZeroU32);

impl DeviceId {
    /// The id with this number; `None` for 0.
    #[must_use]
    pub const fn new(number: u32) -> Option<Self> {
        match NonZeroU32::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The number, 1 or more.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceId({})", self.0)
    }
}

/// The public name of a template, such as `TMPL4xYz12Ab`: 1 to 16 of A-Z, a-z, 0-9, `-` and `_`. Not a secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TemplateId {
    /// Zero behind the end, so that the derived order is that of the text.
    text: [u8; MAX_TEMPLATE_ID_BYTES],
    len_bytes: u8,
}

impl TemplateId {
    /// Take the text of a template id.
    ///
    /// # Errors
    /// [`Fault::TemplateIdShape`] when it is empty, too long or has other characters.
    pub fn parse(text: &[u8]) -> Result<Self, Fault> {
        let fits = (1..=MAX_TEMPLATE_ID_BYTES).contains(&text.len());
        if !fits || !text.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
            return Err(Fault::TemplateIdShape { len_bytes: text.len() });
        }
        let mut inline = [0; MAX_TEMPLATE_ID_BYTES];
        inline[..text.len()].copy_from_slice(text);
        Ok(Self { text: inline, len_bytes: text.len() as u8 })
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.text[..usize::from(self.len_bytes)]).unwrap_or_default()
    }
}

impl fmt::Display for TemplateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for TemplateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TemplateId({})", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_ids_start_at_one() {
        assert_eq!(DeviceId::new(0), None);
        let id = DeviceId::new(42).expect("not zero");
        assert_eq!((id.get(), id.to_string()), (42, "42".to_owned()));
        assert_eq!(size_of::<Option<DeviceId>>(), 4);
    }

    #[test]
    fn template_ids_are_short_plain_text() {
        let id = TemplateId::parse(b"TMPLtest0001").expect("valid");
        assert_eq!(id.as_str(), "TMPLtest0001");
        assert_eq!(format!("{id} {id:?}"), "TMPLtest0001 TemplateId(TMPLtest0001)");
        assert!(TemplateId::parse(&[b'x'; 16]).is_ok());
        for bad in [&b""[..], &[b'x'; 17], b"TMPL 1", b"TMPL\0", "TMPLü".as_bytes()] {
            assert_eq!(TemplateId::parse(bad), Err(Fault::TemplateIdShape { len_bytes: bad.len() }));
        }
        let (short, long) = (TemplateId::parse(b"A").expect("valid"), TemplateId::parse(b"AA").expect("valid"));
        assert!(short < long && long < TemplateId::parse(b"B").expect("valid"));
    }
}
