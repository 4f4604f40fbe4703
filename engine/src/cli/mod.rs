//! The command line.

pub(crate) mod args;
mod client;
mod device;
mod doctor;
pub(crate) mod failure;
mod output;
mod people;
mod run;
mod shell;
mod show;
mod sim;
mod store;
mod top;
mod upgrade;

pub(crate) use run::run;
