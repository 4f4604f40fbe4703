//! HTTP on a device port: requests in, answers out.

pub(crate) mod answers;
pub(crate) mod requests;
