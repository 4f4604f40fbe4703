//! The browser application's files: bytes of the binary, written like answers of the control plane.

use linchpin_protocol::http::{
    Asset, BodyLength, Head, ListedFields, Method, Target, is_control_path, is_known_etag, is_page_path, wants_html,
};

use super::answering::Manner;
use super::ask::AnswerStart;
use super::problem::Problem;
use super::under_way::{AskEnd, AskOut, UnderWay};
use crate::connection::Exchange;
use crate::{Shard, Slot, Turn};

/// Who answers a request that is not a device's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Place {
    /// The control plane.
    Control,
    /// The shard, with this file.
    File(&'static Asset),
    /// Nobody: there is no such file.
    NoFile,
}

impl Shard {
    /// Whose a request is; `None`: the device APIs'. `bytes` begin with its head.
    pub(in crate::http) fn place_of(&self, head: &Head<'_>, bytes: &[u8]) -> Option<Place> {
        let assets = &self.http.assets;
        if !self.http.asks && assets.is_empty() {
            return None;
        }
        let path = Target::parse(head.target).path;
        if self.http.asks && is_control_path(path) {
            return Some(Place::Control);
        }
        if assets.is_empty() || !matches!(head.method, Method::Get | Method::Head) {
            return None;
        }
        if let Some(file) = assets.get(path) {
            return Some(Place::File(file));
        }
        if path.starts_with("/assets/") {
            return Some(Place::NoFile);
        }
        let page = assets.page().filter(|_| head.method == Method::Get && is_page_path(path))?;
        let fields = ListedFields::of_head(&bytes[..head.len_bytes]).ok()?;
        fields.text("accept").is_some_and(wants_html).then_some(Place::File(page))
    }

    /// Answer with a file: how many of `bytes` were used if the next request may follow at once, else `None`.
    pub(in crate::http) fn serve_file(
        &mut self,
        turn: &mut Turn<'_>,
        slot: Slot,
        file: &'static Asset,
        head: &Head<'_>,
        bytes: &[u8],
    ) -> Option<usize> {
        let fields = match ListedFields::of_head(&bytes[..head.len_bytes]) {
            Ok(fields) if self.http.is_own_host(&fields) => fields,
            Ok(_) => return self.no_file(turn, slot, Problem::ForeignHost, head),
            Err(fault) => return self.no_file(turn, slot, Problem::Malformed(fault), head),
        };
        if self.operator.drain.is_some() {
            return self.no_file(turn, slot, Problem::Stopping, head);
        }
        if !self.asks.has_room_for_file() {
            return self.no_file(turn, slot, Problem::Crowded, head);
        }
        let form = file.form(fields.text("accept-encoding").unwrap_or_default());
        let is_known = fields.text("if-none-match").is_some_and(|known| is_known_etag(known, &form.etag));
        let mut manner = Manner::of(head);
        // Nobody reads a body that a GET has.
        manner.keep_alive &= head.body == BodyLength::Known(0);
        let mut out = AskOut::default();
        let body = if is_known || manner.head_only { &[] } else { form.bytes };
        let start = AnswerStart {
            status: if is_known { 304 } else { 200 },
            fields: file.answer_fields(&form),
            len_bytes: Some(form.bytes.len() as u64),
        };
        let name = self.asks.name(self.id, slot, self.connections[slot].serial);
        let ask = UnderWay::file(turn.now.mono, name, &start, body, manner, &mut out);
        turn.fx.send(slot, |wire| wire.extend_from_slice(&out.wire));
        match out.over {
            // A file is never too much.
            Some(AskEnd::Next | AskEnd::Later) => {
                self.connections[slot].serve(Exchange::AT_BEGIN);
                return Some(head.len_bytes);
            }
            Some(AskEnd::Close(end) | AskEnd::Cut(end)) => self.refuse(turn, slot, end),
            None => {
                self.connections[slot].serve(Exchange::UnderWay);
                let ip = self.connections[slot].peer.ip();
                self.asks.insert(slot, ip, ask, true);
                let rest = if manner.keep_alive { &bytes[head.len_bytes..] } else { &[] };
                self.ask_step(turn, slot, |ask, now, out| ask.received(now.mono, rest, out));
            }
        }
        None
    }

    /// Answer a request for a file without one.
    pub(in crate::http) fn no_file(
        &mut self,
        turn: &mut Turn<'_>,
        slot: Slot,
        problem: Problem,
        head: &Head<'_>,
    ) -> Option<usize> {
        turn.fx.send(slot, |out| problem.write(head.method == Method::Head, out));
        self.refuse(turn, slot, problem.end());
        None
    }
}
