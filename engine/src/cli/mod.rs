//! The command line.

pub(crate) mod args;
mod certificate;
mod check;
mod client;
mod device;
mod doctor;
mod drain;
mod explain;
pub(crate) mod failure;
mod named;
mod output;
pub(crate) mod owner;
mod people;
mod run;
mod shell;
mod show;
mod sim;
mod status;
mod store;
mod top;
mod upgrade;

pub(crate) use run::run;
