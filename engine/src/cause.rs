//! What lies below an error.

/// The error below another, or a sentence where there is none. `Display` of the one above says it too; it is kept for
/// `std::error::Error::source`.
pub(crate) type Cause = Box<dyn std::error::Error + Send + Sync>;
