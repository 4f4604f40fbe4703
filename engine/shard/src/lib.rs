//! One core's world: connections, devices, timers, sans-IO.
