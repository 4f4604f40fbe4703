//! TLS on the device path, sans-IO.
