//! Deterministic simulation of shards, devices and completions.
