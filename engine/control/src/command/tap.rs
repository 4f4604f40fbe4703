//! What is said on a device's connection right now.

use std::time::Duration;

use linchpin_protocol::blynk::Command as Wire;
use linchpin_protocol::mqtt::kind_name;
use linchpin_shard::{Command, Report, TappedFrame, home_of};
use tokio::time::Instant;

use super::desk::Desk;
use super::request::{DeviceTap, Frame, TapBegun};
use super::run::Items;
use crate::shards::Watching;
use crate::{Code, CommandError};

/// Begin to show the frames of a device.
pub(super) async fn tap(desk: &Desk, asked: DeviceTap) -> Result<(TapBegun, Tap), CommandError> {
    let DeviceTap { device, seconds } = asked;
    let device = device.0;
    let ask = |request| Command::Tap { request, device, seconds };
    match desk.shards.watch(home_of(device, desk.shards.count()), ask).await? {
        (Report::Done, frames) => {
            let until = Instant::now() + Duration::from_secs(seconds.into());
            Ok((TapBegun { seconds }, Tap { frames, until }))
        }
        (Report::TooMany { limit }, _) => Err(CommandError::new(
            Code::TooMany,
            format!("{limit} devices of this shard are shown already: end one of these taps first"),
        )),
        _ => Err(CommandError::no_such_device(device)),
    }
}

/// The frames; the shard stops to show them when this is dropped.
pub(super) struct Tap {
    frames: Watching,
    until: Instant,
}

impl Items for Tap {
    type Item = Frame;

    async fn next(&mut self) -> Option<Result<Frame, CommandError>> {
        loop {
            // The end of its time is the end of a tap.
            if let Report::Frame(frame) =
                tokio::time::timeout_at(self.until, self.frames.frames.recv()).await.ok()??
            {
                return Some(Ok(Frame::from(&*frame)));
            }
        }
    }
}

/// Decoded as far as its command tells.
impl From<&TappedFrame> for Frame {
    fn from(frame: &TappedFrame) -> Self {
        let is_answer = !frame.is_mqtt && frame.command == Wire::Response.number();
        let body = if is_answer || frame.body.is_empty() { None } else { Some(&*frame.body) };
        let fields = body.into_iter().flat_map(|body| body.split(|byte| *byte == 0));
        Self {
            direction: if frame.is_sent { "to-device" } else { "from-device" }.to_owned(),
            command: match Wire::from_number(frame.command) {
                _ if frame.is_mqtt => kind_name(frame.command).to_owned(),
                Some(known) => known.to_string(),
                None => frame.command.to_string(),
            },
            id: frame.id,
            status: is_answer.then_some(frame.status_or_len),
            len_bytes: (!is_answer).then_some(frame.status_or_len),
            fields: fields.map(|field| String::from_utf8_lossy(field).into_owned()).collect(),
        }
    }
}
