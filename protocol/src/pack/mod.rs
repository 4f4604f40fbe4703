//! State that outlives its process: what a connection's layers write of themselves for the process that takes the place
//! of this one, and read there.
//!
//! Every layer stands in a section of its own: kind (1 byte), version of its format (1), length (4), bytes. A reader takes
//! the kinds and versions that it knows and says [`Unreadable`] to all others, to bytes that are left over in a section, and
//! to values that its layer could never have: that connection ends then, nothing else. Numbers are big-endian.

mod reader;

pub use reader::{PackReader, Unreadable};

use crate::model::Pin;

/// A layer of a connection that can go to another process. All that speaks on a connection implements this; what does not
/// cannot go.
pub trait Pack: Sized {
    /// What it is called when it cannot be read.
    const NAME: &'static str;
    /// Tells it from other layers; never given to another one.
    const KIND: u8;
    /// Of the format that [`Pack::write`] writes. Older ones are read for two versions of the product.
    const VERSION: u8;

    /// Append its state.
    fn write(&self, out: &mut Vec<u8>);

    /// Read what [`Pack::write`] of this `version` wrote.
    ///
    /// # Errors
    /// The version is not known, or the state is none that the layer can have.
    fn read(version: u8, from: &mut PackReader<'_>) -> Result<Self, Unreadable>;

    /// Append its section.
    fn pack(&self, out: &mut Vec<u8>) {
        section(out, Self::KIND, Self::VERSION, |out| self.write(out));
    }

    /// Read its section.
    ///
    /// # Errors
    /// It is another section, or as [`Pack::read`].
    fn unpack(from: &mut PackReader<'_>) -> Result<Self, Unreadable> {
        let (kind, version, mut inner) = from.section(Self::NAME)?;
        if kind != Self::KIND {
            return Err(Unreadable::new(Self::NAME, "its kind"));
        }
        let this = Self::read(version, &mut inner)?;
        inner.end(Self::NAME)?;
        Ok(this)
    }
}

/// Append a section that `write` fills.
pub fn section(out: &mut Vec<u8>, kind: u8, version: u8, write: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(&[kind, version, 0, 0, 0, 0]);
    let start = out.len();
    write(out);
    let len = (out.len() - start) as u32;
    out[start - 4..start].copy_from_slice(&len.to_be_bytes());
}

/// Append bytes behind their length (4 bytes).
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// Append a pin: kind and number, a byte each.
pub fn put_pin(out: &mut Vec<u8>, pin: Pin) {
    out.extend_from_slice(&[pin.kind.letter(), pin.index]);
}

#[cfg(test)]
mod tests;
