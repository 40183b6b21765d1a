//! Keys: what of a row takes part in an upsert.

use xxhash_rust::xxh3::xxh3_128;

/// The hash of an id: 96 bits of its xxh3.
///
/// Two ids with one hash would be taken for one row. Among 10^9 ids of a table that has a chance of 1 in 10^11, which
/// is why 64 bits (1 in 40) are not enough, and why more would only make the keys longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdHash {
    /// The first 64 bits, as a signed number: key files are sorted by it.
    pub high: i64,
    /// The next 32 bits.
    pub low: u32,
}

impl IdHash {
    /// The hash of an id.
    #[must_use]
    pub fn of(id: &str) -> Self {
        Self::of_bits(xxh3_128(id.as_bytes()))
    }

    /// The first 96 of the bits of a hash.
    pub(crate) fn of_bits(bits: u128) -> Self {
        Self { high: ((bits >> 64) as u64).cast_signed(), low: (bits >> 32) as u32 }
    }
}

/// What decides between two versions of a row: the greater one stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// When the version was made at its source, or is first known to have been there: microseconds since 1970.
    pub at: i64,
    /// What of that instant is beyond the microsecond, in any unit that all keys of a table share.
    pub beyond: u32,
    /// When the source's snapshot was taken that brought it: microseconds since 1970.
    pub seen: i64,
}

/// A key of a change: a candidate for a row, or a tombstone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Whose version it is.
    pub id: IdHash,
    /// Which version; of a tombstone, the last one that it covers.
    pub version: Version,
    /// Decides between equal versions: the later in the change stands.
    pub place: u64,
    /// The hash of the content.
    pub row_hash: i64,
    /// In which of the change's files it is, by the caller's numbers; [`Key::TOMBSTONE`] for a tombstone.
    pub file: u32,
    /// Which row of that file it is, from 0.
    pub row: u32,
}

impl Key {
    /// The [`file`](Self::file) of a key that brings no row: it says that versions up to its own are deleted.
    pub const TOMBSTONE: u32 = u32::MAX;

    /// The size of a key as it lies in memory and in temporary files.
    pub(crate) const SIZE: usize = 64;

    /// Whether the key says that a row is deleted.
    #[must_use]
    pub fn is_tombstone(&self) -> bool {
        self.file == Self::TOMBSTONE
    }

    pub(crate) fn to_bytes(self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        let mut rest = bytes.as_mut_slice();
        let mut put = |value: &[u8]| {
            let (here, after) = std::mem::take(&mut rest).split_at_mut(value.len());
            here.copy_from_slice(value);
            rest = after;
        };
        put(&self.id.high.to_le_bytes());
        put(&self.id.low.to_le_bytes());
        put(&self.version.beyond.to_le_bytes());
        put(&self.version.at.to_le_bytes());
        put(&self.version.seen.to_le_bytes());
        put(&self.place.to_le_bytes());
        put(&self.row_hash.to_le_bytes());
        put(&self.file.to_le_bytes());
        put(&self.row.to_le_bytes());
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8; Self::SIZE]) -> Self {
        let mut rest = bytes.as_slice();
        let mut eight = || {
            let (value, after) = rest.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
            rest = after;
            *value
        };
        let halves = |value: [u8; 8]| {
            let value = u64::from_le_bytes(value);
            (value as u32, (value >> 32) as u32)
        };
        let high = i64::from_le_bytes(eight());
        let (low, beyond) = halves(eight());
        let (at, seen) = (i64::from_le_bytes(eight()), i64::from_le_bytes(eight()));
        let (place, row_hash) = (u64::from_le_bytes(eight()), i64::from_le_bytes(eight()));
        let (file, row) = halves(eight());
        Self { id: IdHash { high, low }, version: Version { at, beyond, seen }, place, row_hash, file, row }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_back_from_its_bytes() {
        let key = Key {
            id: IdHash { high: i64::MIN + 7, low: u32::MAX - 1 },
            version: Version { at: -1, beyond: 999, seen: i64::MAX },
            place: u64::MAX - 3,
            row_hash: -42,
            file: Key::TOMBSTONE,
            row: 5,
        };
        assert_eq!(Key::from_bytes(&key.to_bytes()), key);
        assert_eq!(size_of::<Key>(), Key::SIZE);
    }

    #[test]
    fn an_id_has_the_published_hash() {
        // xxh3 (128 bits) of nothing is 99aa06d3014798d86001c324468d497f.
        let hash = IdHash::of("");
        assert_eq!((hash.high.cast_unsigned(), hash.low), (0x99aa_06d3_0147_98d8, 0x6001_c324));
    }
}
