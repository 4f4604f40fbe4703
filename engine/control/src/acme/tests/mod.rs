//! Orders in virtual time, with an authority that misbehaves and a server that is killed.

mod bad;
mod calendar;
mod kill;
mod world;
mod year;
