//! Bytes and meaning: the Blynk wire protocol, without I/O.
