//! Labelled steps of what must survive being ended half-way: tests end the program at each of them.

use std::fmt;
use std::sync::Arc;

/// Called at every labelled step; does nothing unless a test wants it.
#[derive(Clone, Default)]
pub struct Steps(Option<Arc<dyn Fn(&'static str) + Send + Sync>>);

impl Steps {
    /// Call this at each step.
    pub fn new(watch: impl Fn(&'static str) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(watch)))
    }

    pub(crate) fn reach(&self, step: &'static str) {
        if let Some(watch) = &self.0 {
            watch(step);
        }
    }
}

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Steps(watched)" } else { "Steps" })
    }
}
