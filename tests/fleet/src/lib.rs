//! Tens of thousands of simple devices.
