//! Requests about templates.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::size;

/// Templates that the asker's organization sees.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlatformTemplates {
    /// Which page, from 0.
    #[serde(default)]
    pub page: usize,
    /// Templates of a page.
    #[serde(default = "size")]
    #[schemars(range(min = 1, max = 1_000))]
    pub size: usize,
}

/// A template.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlatformTemplate {
    /// Its number.
    pub id: u32,
    /// The id that firmware carries.
    pub template_id: String,
    /// Its name.
    pub name: String,
    /// For people.
    pub description: String,
}
