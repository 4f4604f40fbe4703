//! One core's world: connections, devices, timers and limits of one shard, without I/O.
//!
//! The whole crate is one state machine, [`Shard`], with one shape:
//! `shard.handle(now, input, &mut effects)`. Time is an argument, randomness is a seed given at
//! start, and whatever must happen outside (send, close, move, write to another shard) is pushed to
//! [`Effects`] in the order in which it must be carried out. A driver (`engine/src/tick/mod.rs`) or the
//! simulator (`tests/sim`) carries it out.
//!
//! A shard never blocks, never waits for another shard, and shares no memory with it but what it is given at the start for
//! the whole process ([`TlsOptions`], [`LoginFailures`]): shards write each other [`Letter`]s, and the control plane writes
//! them [`Command`]s. Both are plain data.

mod audit;
mod blynk;
mod command;
mod connection;
mod device;
mod effects;
mod end;
pub mod handover;
mod http;
mod ids;
mod input;
mod ledger;
mod letter;
mod letters;
pub mod limits;
mod live;
mod login;
mod mqtt;
mod operator;
mod parcel;
mod settings;
mod shard;
mod store;
mod tls;
mod turn;
mod ws;

pub use command::{
    Command, DeviceGlance, DeviceRow, DeviceView, DiaryEntry, Push, Report, RequestId, ShardStatus, TappedFrame,
};
pub use connection::Peer;
pub use connection::failures::LoginFailures;

pub use device::verbs::Refused;
pub use effects::{Effect, Effects, SendRange};
pub use end::{Blame, End};
pub use http::asks::admit::HttpOptions;
pub use http::asks::ask::{AnswerPart, AnswerStart, AskPart, AskRef, AskStart};
pub use http::asks::shares::{Held, who_pays};
pub use ids::{ConnRef, Digest, MoveId, ShardId, Slot, TokenRight, home_of, index_owner_of};
pub use input::{Input, Receive, Via};
pub use ledger::class::LedgerClass;
pub use ledger::elsewhere::HoldingRow;
pub use ledger::owner::PayerPrefix;
pub use letter::{Letter, Purpose};
pub use live::{
    AttemptRow, Card, CardRow, DeviceWanted, Happened, LiveGrant, LiveLetter, LiveOwner, LiveRefusal, LiveRights,
    LiveScope, News, NewsRow, OrgWanted, PinSet, PropertyRows, Revocation, WhoseRights, Wrote,
};
pub use login::index::digest;
pub use mqtt::MESSAGE_CODES;
pub use operator::presented::Presented;
pub use parcel::{Cargo, LocalLetter, Parcel};
pub use settings::Settings;
pub use shard::{Shard, ShardOptions};
pub use store::identity::{FieldAsk, FieldWay, ReservedField};
pub use store::{AwaitedAnswer, AwaitedKind, Change, DeviceChange, EventDay, EventId, Intake, Points, Restored};
pub use tls::TlsOptions;

pub(crate) use turn::Turn;
