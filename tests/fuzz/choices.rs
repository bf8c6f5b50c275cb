//! Where an input's decisions come from: a seed, or the bytes of a fuzzer that is guided by what it
//! covers. The same source gives the same input, on every machine.

/// A stream of decisions; SplitMix64 once the bytes have run out.
pub(crate) struct Choices<'a> {
    bytes: &'a [u8],
    state: u64,
}

impl<'a> Choices<'a> {
    /// For input `index` of a run.
    pub(crate) fn seeded(seed: u64, index: u64) -> Self {
        let mut choices =
            Self { bytes: &[], state: seed ^ index.wrapping_mul(0xa076_1d64_78bd_642f) };
        choices.roll();
        choices
    }

    pub(crate) fn read_from(bytes: &'a [u8]) -> Self {
        Self { bytes, state: bytes.len() as u64 }
    }

    fn roll(&mut self) -> u64 {
        if let Some((first, rest)) = self.bytes.split_first() {
            self.bytes = rest;
            return u64::from(*first);
        }
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.roll() % end as u64) as usize
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.roll() as u8
    }

    /// True in so many of a hundred cases.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    #[track_caller]
    pub(crate) fn of<'t, T: ?Sized>(&mut self, from: &[&'t T]) -> &'t T {
        from[self.below(from.len())]
    }

    /// Bytes of a few kinds: small ones, which lengths are made of, letters, and any.
    pub(crate) fn noise(&mut self, len_max: usize) -> Vec<u8> {
        let len = self.below(len_max + 1);
        let most = [4, 128, 256][self.below(3)];
        (0..len).map(|_| (usize::from(self.byte()) % most) as u8).collect()
    }
}
