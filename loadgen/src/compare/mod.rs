//! Comparing runs.

pub(crate) mod ab { pub(crate) fn run_ab(_: &crate::cli::Ab) -> Result<crate::exit::Code, crate::exit::Failure> { Err(crate::exit::Failure::usage("soon")) } }
pub(crate) mod sets { pub(crate) fn run_compare(_: &crate::cli::Compare) -> Result<crate::exit::Code, crate::exit::Failure> { Err(crate::exit::Failure::usage("soon")) } }
pub(crate) mod search { pub(crate) fn run_search(_: &crate::cli::Search) -> Result<crate::exit::Code, crate::exit::Failure> { Err(crate::exit::Failure::usage("soon")) } }
