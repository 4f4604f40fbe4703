//! Where mistakes of the file are reported, and checks that every table needs.

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::path::Path;

use toml::Spanned;

use super::ConfigError;

/// The file while it is checked: where mistakes are reported.
pub(super) struct ConfigText<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
}

impl ConfigText<'_> {
    pub(super) fn error(&self, place: Range<usize>, what: impl Display) -> ConfigError {
        ConfigError::at(self.path, self.text, Some(place), &what.to_string())
    }

    pub(super) fn within(
        &self,
        value: Option<&Spanned<i64>>,
        name: &str,
        range: RangeInclusive<i64>,
        default: u32,
    ) -> Result<u32, ConfigError> {
        let Some(value) = value else { return Ok(default) };
        let number = *value.get_ref();
        if !range.contains(&number) {
            let what = format!("{name} must be {} to {}, not {number}", range.start(), range.end());
            return Err(self.error(value.span(), what));
        }
        Ok(u32::try_from(number).unwrap_or(u32::MAX))
    }

    pub(super) fn one_of<T: Copy>(
        &self,
        value: Option<&Spanned<String>>,
        name: &str,
        known: &[(&str, T)],
        default: T,
    ) -> Result<T, ConfigError> {
        let Some(value) = value else { return Ok(default) };
        let found = known.iter().find(|(word, _)| *word == value.get_ref().as_str());
        found.map(|(_, value)| *value).ok_or_else(|| {
            let words: Vec<_> = known.iter().map(|(word, _)| format!("{word:?}")).collect();
            self.error(value.span(), format!("{name} must be {}, not {:?}", words.join(" or "), value.get_ref()))
        })
    }
}
