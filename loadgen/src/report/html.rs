//! One page with everything in it: it loads nothing, and its content policy forbids that it tries.

use super::{RunOutcome, table};

const PAGE: &str = include_str!("page.html");
const SCRIPT: &str = include_str!("page.js");

/// Text between tags.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The page of a run.
pub(crate) fn page(outcome: &RunOutcome) -> String {
    // Inside a script element only "</" could end it.
    let json = serde_json::to_string(outcome).unwrap_or_default().replace("</", "<\\/");
    PAGE.replace("@@TITLE@@", &escape(&outcome.scenario))
        .replace("@@TABLE@@", &escape(&table::table(outcome)))
        .replace("@@SCRIPT@@", SCRIPT)
        .replace("@@JSON@@", &json)
}
