//! Pages with everything in them: they load nothing, and their content policy forbids that they try.

use super::{RunOutcome, table};

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
const PLOT: &str = include_str!("page/plot.js");

/// What a page is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageKind {
    /// One run.
    Run,
    /// Two servers or two sets of runs.
    Comparison,
    /// The rates of a search.
    Search,
}

impl PageKind {
    const fn script(self) -> &'static str {
        match self {
            Self::Run => include_str!("page/run.js"),
            Self::Comparison => include_str!("page/comparison.js"),
            Self::Search => include_str!("page/search.js"),
        }
    }
}

/// Text between tags.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A page from its title, what a terminal shows, and its data (JSON).
pub(crate) fn page(kind: PageKind, title: &str, text: &str, json: &str) -> String {
    // The data last: nothing in it is taken for a place to fill. Inside a script element only "</" could end it.
    PAGE.replace("@@TITLE@@", &escape(title))
        .replace("@@TABLE@@", &escape(text))
        .replace("@@STYLE@@", STYLE)
        .replace("@@PLOT@@", PLOT)
        .replace("@@SCRIPT@@", kind.script())
        .replace("@@JSON@@", &json.replace("</", "<\\/"))
}

/// The page of a run.
pub(crate) fn run_page(outcome: &RunOutcome) -> String {
    let json = serde_json::to_string(outcome).unwrap_or_default();
    page(PageKind::Run, &outcome.scenario, &table::table(outcome), &json)
}
