//! Pages of lists.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A page of a list.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ListPage<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// `after` of the next page; none: this was the last.
    pub next: Option<String>,
}

impl<T> ListPage<T> {
    /// A list that is whole.
    #[must_use]
    pub const fn whole(items: Vec<T>) -> Self {
        Self { items, next: None }
    }
}
