//! Letters: what shards write each other. Plain data, which may cross the border of a machine.

use linchpin_protocol::Status;
use linchpin_protocol::http::{Call, Reply};
use linchpin_protocol::model::{OrgId, Pin};
use serde::{Deserialize, Serialize};

use crate::live::LiveLetter;
use crate::{ConnRef, Digest, HoldingRow, TokenRight};

/// Why a token is looked up; travels with the question and comes back with the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// A connection logs in.
    Login,
    /// A logged-in device opens a bridge to another device (`BRIDGE pin i token`).
    Bridge {
        /// Message id to answer.
        id: u16,
        /// The bridge pin that will stand for the target.
        bridge_pin: u8,
    },
}

/// One letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Letter {
    /// To the owner of the digest's index entry: which device is it?
    Resolve {
        /// Keyed digest of the token.
        digest: Digest,
        /// The connection that asks.
        asker: ConnRef,
        /// Why.
        purpose: Purpose,
    },
    /// The owner's answer, to the asker's shard.
    Resolved {
        /// The connection that asked.
        asker: ConnRef,
        /// What the token stands for, if it is known.
        right: Option<TokenRight>,
        /// As in the question.
        purpose: Purpose,
    },
    /// To the home of a device: a bridge write of another device.
    Bridge {
        /// The target, by the token that the bridge was opened with.
        right: TokenRight,
        /// The organization of the writing device; a bridge leads into no other.
        org: OrgId,
        /// The writing connection, to be answered only when the write is refused.
        asker: ConnRef,
        /// Does that connection speak TLS? The target's template may require it.
        over_tls: bool,
        /// Message id of the write.
        id: u16,
        /// Target pin.
        pin: Pin,
        /// Raw value, multi values NUL-joined.
        value: Box<[u8]>,
    },
    /// An HTTP request, to the owner of its token's index entry and from there to the device's home.
    Ask {
        /// Keyed digest of the token.
        digest: Digest,
        /// What the token stands for, once it is known.
        right: Option<TokenRight>,
        /// The connection that waits for the answer.
        asker: ConnRef,
        /// What is asked.
        call: Box<Call>,
    },
    /// The answer to [`Letter::Ask`], to the asker's shard.
    Reply {
        /// The connection that waits.
        asker: ConnRef,
        /// The answer; `None`: no device has this token.
        reply: Option<Box<Reply>>,
    },
    /// To every other shard: who holds most on this one. Lost ones are replaced by the next.
    Holdings(Box<[HoldingRow]>),
    /// A late answer to a frame of the asker's connection.
    Answer {
        /// The connection.
        asker: ConnRef,
        /// Message id.
        id: u16,
        /// What to answer.
        status: Status,
    },
    /// About live sockets.
    Live(Box<LiveLetter>),
}

#[cfg(test)]
mod tests {
    use linchpin_protocol::http::{Dialect, FieldRef, History, HistoryOutput, PinRef, What};
    use linchpin_protocol::model::{DeviceId, PinKind};

    use super::*;
    use crate::{LedgerClass, PayerPrefix, ShardId, Slot};

    fn calls() -> Vec<What> {
        let pin = Pin { kind: PinKind::Digital, index: 255 };
        let history = History {
            pin: Some(PinRef::Stream(3)),
            period: "DAY".into(),
            granularity: "RAW_DATA".into(),
            source: "AVG".into(),
            format: "TS".into(),
            zone: "America/New_York".into(),
            output: HistoryOutput::File,
            events: true,
            host: "iot.example.com:8080".into(),
        };
        let all = vec![
            What::Upload(u32::MAX),
            What::Get([pin.into(), PinRef::Stream(7)].into()),
            What::GetAll,
            What::Update(vec![(pin.into(), Box::new(*b"1\x00\xff"))]),
            What::Batch(pin.into(), vec![(u64::MAX, Box::new(*b"")), (0, Box::new(*b"2.5"))]),
            What::Property(PinRef::Stream(u32::MAX), vec![("label".into(), Box::new(*b"a\0b"))]),
            What::IsConnected,
            What::IsAppConnected,
            What::LogEvent("hot".into(), "\u{1f525}".into()),
            What::MetaGet(FieldRef::Id(3)),
            What::MetaSet(FieldRef::Name("name".into()), "".into()),
            What::History(Box::new(history)),
            What::Provision(None),
            What::Provision(Some("TMPL1".into())),
            What::Notify,
            What::Mail,
            What::Project,
            What::Clock,
        ];
        // A new variant must come into the list above.
        for what in &all {
            match what {
                What::Upload(_)
                | What::Get(_)
                | What::GetAll
                | What::Update(_)
                | What::Batch(..)
                | What::Property(..)
                | What::IsConnected
                | What::IsAppConnected
                | What::LogEvent(..)
                | What::MetaGet(_)
                | What::MetaSet(..)
                | What::History(_)
                | What::Provision(_)
                | What::Notify
                | What::Mail
                | What::Project
                | What::Clock => {}
            }
        }
        all
    }

    fn live_letters(asker: ConnRef) -> Vec<LiveLetter> {
        use crate::live::*;
        use linchpin_protocol::model::OrgId;
        let (device, pin, org) = (DeviceId::new(7).expect("not 0"), Pin::new_virtual(255), OrgId::FIRST);
        let wanted = DeviceWanted { pins: PinSet::ALL, every: [pin].into_iter().collect(), ..DeviceWanted::default() };
        let card = Card { org, is_online: true, since_ms: u64::MAX, code: 103 };
        let news = News {
            cards: vec![CardRow { device, card: Some(card), is_fresh: true }],
            loose: vec![CardRow { device, card: None, is_fresh: false }],
            values: vec![NewsRow { device, pin, at_ms: 1, bytes: Some((0, 3)) }],
            bytes: vec![0, 255, 7],
            properties: vec![(device, vec![(pin, "label".into(), Box::new(*b"\xff"))])],
            happened: vec![
                Happened::Event { device, org, at_ms: 1, number: 2, code: "hot".into(), text: "".into() },
                Happened::Value { device, pin, at_ms: 1, value: Box::new(*b"") },
                Happened::Frame {
                    device,
                    at_ms: 1,
                    is_sent: true,
                    command: 20,
                    message: 65_535,
                    body: Box::new(*b"\0"),
                },
            ],
            skipped: 9,
            members: vec![org],
            attempts: vec![AttemptRow { address: [127, 0, 0, 1].into(), code: 302, at_ms: 1, count: 4 }],
            reached: u64::MAX,
        };
        let all = vec![
            LiveLetter::Watch { number: 1, devices: vec![(device, wanted)] },
            LiveLetter::WatchOrgs { orgs: vec![(org, OrgWanted::default())], attempts: true },
            LiveLetter::News(Box::new(news)),
            LiveLetter::Members { asker, set: 1, number: 2, orgs: vec![org] },
            LiveLetter::MembersAre { asker, set: 1, number: 2, total: 1, devices: vec![device] },
            LiveLetter::Write {
                asker,
                request: 1,
                device,
                pin,
                value: Box::new(*b"1"),
                orgs: vec![org],
                is_own: false,
            },
            LiveLetter::Wrote { asker, request: 1, wrote: Wrote::Refused(601) },
        ];
        // A new variant must come into the list above.
        for letter in &all {
            match letter {
                LiveLetter::Watch { .. }
                | LiveLetter::WatchOrgs { .. }
                | LiveLetter::News(_)
                | LiveLetter::Members { .. }
                | LiveLetter::MembersAre { .. }
                | LiveLetter::Write { .. }
                | LiveLetter::Wrote { .. } => {}
            }
        }
        all
    }

    fn letters() -> Vec<Letter> {
        let asker = ConnRef { shard: ShardId(513), slot: Slot(u32::MAX), serial: 7 };
        let digest = Digest([0xa5; 16]);
        let right = DeviceId::new(u32::MAX).map(|device| TokenRight { device, epoch: u16::MAX });
        let purpose = Purpose::Bridge { id: 65_535, bridge_pin: 64 };
        let mut all = vec![
            Letter::Resolve { digest, asker, purpose },
            Letter::Resolved { asker, right, purpose: Purpose::Login },
            Letter::Resolved { asker, right: None, purpose },
            Letter::Bridge {
                right: right.expect("not 0"),
                org: OrgId::FIRST,
                asker,
                over_tls: true,
                id: 1,
                pin: Pin::new_virtual(9),
                value: Box::new([0, 255, 0]),
            },
            Letter::Holdings(Box::new([
                HoldingRow { class: LedgerClass::Tls, prefix: PayerPrefix::V6(48, u64::MAX), bytes: u64::MAX },
                HoldingRow { class: LedgerClass::Http, prefix: PayerPrefix::Token(1), bytes: 0 },
            ])),
            Letter::Reply { asker, reply: None },
            Letter::Reply { asker, reply: Some(Box::new(Reply::wrong_method(Dialect::Legacy, "GET"))) },
            Letter::Reply { asker, reply: Some(Box::new(Reply::error(Dialect::Current, 400, "\"no\""))) },
        ];
        all.extend(calls().into_iter().zip([Dialect::Current, Dialect::Legacy].into_iter().cycle()).map(
            |(what, dialect)| {
                let call = Box::new(Call { dialect, what, over_tls: dialect == Dialect::Legacy });
                Letter::Ask { digest, right, asker, call }
            },
        ));
        let statuses = (0..=u16::MAX).filter_map(Status::from_code);
        all.extend(statuses.map(|status| Letter::Answer { asker, id: 0, status }));
        all.extend(live_letters(asker).into_iter().map(|letter| Letter::Live(Box::new(letter))));
        for letter in &all {
            match letter {
                Letter::Resolve { .. }
                | Letter::Resolved { .. }
                | Letter::Bridge { .. }
                | Letter::Ask { .. }
                | Letter::Reply { .. }
                | Letter::Holdings(_)
                | Letter::Answer { .. }
                | Letter::Live(_) => {}
            }
        }
        all
    }

    #[test]
    fn every_letter_can_leave_the_process_and_come_back() {
        for letter in letters() {
            let bytes = serde_json::to_vec(&letter).expect("plain data");
            let back: Letter = serde_json::from_slice(&bytes).expect("what was written");
            assert_eq!(back, letter);
        }
    }

    #[test]
    fn ids_that_cannot_be_are_refused() {
        let json = |text: &str| serde_json::from_str::<Letter>(text);
        let asker = r#"{"shard":0,"slot":0,"serial":0}"#;
        assert!(
            json(&format!(r#"{{"Resolved":{{"asker":{asker},"right":{{"device":1,"epoch":0}},"purpose":"Login"}}}}"#))
                .is_ok()
        );
        assert!(
            json(&format!(r#"{{"Resolved":{{"asker":{asker},"right":{{"device":0,"epoch":0}},"purpose":"Login"}}}}"#))
                .is_err()
        );
        assert!(json(&format!(r#"{{"Answer":{{"asker":{asker},"id":1,"status":"Unheard"}}}}"#)).is_err());
    }
}
