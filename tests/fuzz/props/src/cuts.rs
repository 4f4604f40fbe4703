//! A stream, and how the network cuts it.

/// Splits an input into the seed of its cuts and its stream.
pub(crate) fn parse(input: &[u8]) -> (Cuts, &[u8]) {
    match input {
        [] => (Cuts(1), &[]),
        [seed, stream @ ..] => (Cuts(u64::from(*seed) + 1), stream),
    }
}

/// Lengths of pieces, the same for the same seed. Seed 0 cuts after every byte.
pub(crate) struct Cuts(u64);

impl Cuts {
    /// Cut into pieces of 1 to 64 bytes, short ones more often.
    pub(crate) fn pieces<'a>(&mut self, mut stream: &'a [u8]) -> Vec<&'a [u8]> {
        let mut pieces = Vec::new();
        while !stream.is_empty() {
            let (piece, rest) = stream.split_at(self.len().min(stream.len()));
            pieces.push(piece);
            stream = rest;
        }
        pieces
    }

    fn len(&mut self) -> usize {
        if self.0 == 1 {
            return 1;
        }
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let widest = 1 << (self.0 % 7);
        1 + (self.0 >> 8) as usize % widest
    }
}
