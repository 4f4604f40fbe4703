//! The templates that a shard knows.

use linchpin_protocol::model::{Template, TemplateId};

/// Templates that this shard knows; devices refer to them by position.
#[derive(Debug, Default)]
pub(crate) struct Templates(Vec<Template>);

impl Templates {
    /// Add or replace.
    pub(crate) fn put(&mut self, template: Template) {
        match self.0.iter_mut().find(|t| t.id == template.id) {
            Some(known) => *known = template,
            None => self.0.push(template),
        }
    }

    /// Position + 1 of a template, 0 when it is not known.
    pub(crate) fn number(&self, id: TemplateId) -> u16 {
        self.0.iter().position(|t| t.id == id).map_or(0, |at| at as u16 + 1)
    }

    /// The template with a number.
    pub(crate) fn get(&self, number: u16) -> Option<&Template> {
        usize::from(number).checked_sub(1).and_then(|at| self.0.get(at))
    }
}
