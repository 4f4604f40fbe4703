//! Parcels: everything that passes between the shards of one process. Letters are plain data; a live connection is not.

use std::net::SocketAddr;

use crate::connection::Wire;
use crate::{Input, Letter, MoveId, ShardId, TokenRight};

/// A connection on its way home: everything but the descriptor.
#[derive(Debug)]
pub struct Cargo {
    /// The device that it logs in as, by which of its tokens.
    pub right: TokenRight,
    /// The peer's address.
    pub peer: SocketAddr,
    /// Its layers: the login is not answered yet, home answers it.
    pub(crate) wire: Wire,
    /// Message id of the login.
    pub login_id: u16,
    /// Bytes that were received after the login frame; home feeds them after its answer.
    pub carry: Vec<u8>,
    /// Bytes for the peer, sealed if TLS is spoken, that had not left when the connection did; home sends them first.
    pub unsent: Vec<u8>,
}

/// A letter that holds a live connection or speaks of one: it never leaves the process.
#[derive(Debug)]
pub enum LocalLetter {
    /// State of a connection whose descriptor travels under the same id.
    Moving {
        /// Names the pair of letter and descriptor.
        id: MoveId,
        /// The state.
        cargo: Box<Cargo>,
    },
    /// The descriptor did not travel: forget the cargo.
    MoveRevoked {
        /// As in `Moving`.
        id: MoveId,
    },
}

/// What a lane between two shards of one process carries.
#[derive(Debug)]
pub enum Parcel {
    /// Plain data.
    Letter(Letter),
    /// Bound to this process.
    Local(LocalLetter),
}

const _: () = assert!(size_of::<Parcel>() == size_of::<Letter>(), "lanes are counted in letters");

impl Parcel {
    /// As the addressee gets it.
    #[must_use]
    pub fn into_input<'a>(self, from: ShardId) -> Input<'a> {
        match self {
            Self::Letter(letter) => Input::Letter { from, letter },
            Self::Local(letter) => Input::LocalLetter { from, letter },
        }
    }
}

impl From<Letter> for Parcel {
    fn from(letter: Letter) -> Self {
        Self::Letter(letter)
    }
}

impl From<LocalLetter> for Parcel {
    fn from(letter: LocalLetter) -> Self {
        Self::Local(letter)
    }
}
