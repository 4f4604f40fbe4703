//! A Blynk session on its way to another process.

use super::{Reads, Session, Stamp, State};
use crate::limits::GROUP_WRITES;
use crate::model::UnixMillis;
use crate::pack::{Pack, PackReader, Unreadable};

impl Pack for Session {
    const NAME: &'static str = "a Blynk session";
    const KIND: u8 = b'B';
    const VERSION: u8 = 1;

    fn write(&self, out: &mut Vec<u8>) {
        let reads = |reads| u8::from(reads == Reads::FirstFrame);
        match self.0 {
            State::Fresh => out.push(0),
            State::Pending(how) => out.extend_from_slice(&[1, reads(how)]),
            State::Live(how) => out.extend_from_slice(&[2, reads(how)]),
            State::Grouped { reads: how, writes, begun_s, stamp } => {
                out.extend_from_slice(&[3, reads(how), writes]);
                out.extend_from_slice(&begun_s.to_be_bytes());
                out.extend_from_slice(&{ stamp.0 }.0.to_be_bytes());
            }
        }
    }

    fn read(version: u8, from: &mut PackReader<'_>) -> Result<Self, Unreadable> {
        if version != Self::VERSION {
            return Err(Unreadable::new(Self::NAME, "its version"));
        }
        let state = from.u8()?;
        if state == 0 {
            return Ok(Self(State::Fresh));
        }
        let reads = if from.flag()? { Reads::FirstFrame } else { Reads::AllFrames };
        match state {
            1 => Ok(Self(State::Pending(reads))),
            2 => Ok(Self(State::Live(reads))),
            3 => {
                let writes = from.u8()?;
                let (begun_s, stamp) = (from.u32()?, Stamp(UnixMillis(from.u64()?)));
                if writes >= GROUP_WRITES {
                    return Err(Unreadable::new(Self::NAME, "the size of its group"));
                }
                Ok(Self(State::Grouped { reads, writes, begun_s, stamp }))
            }
            _ => Err(Unreadable::new(Self::NAME, "its state")),
        }
    }
}
