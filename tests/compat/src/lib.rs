//! Real Blynk clients against the binary.
