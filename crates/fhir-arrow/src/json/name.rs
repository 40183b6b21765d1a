//! Names of members, and the table that finds them.

use super::document::Value;

/// The hash of a name: of its length and its first and last eight bytes, which tell FHIR's names apart and are
/// read in two loads. Names with equal hashes are compared.
#[inline]
pub(crate) fn hash(name: &[u8]) -> u32 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let (first, last) = ends(name);
    let mixed = (first ^ last.rotate_left(29) ^ name.len() as u64).wrapping_mul(ODD);
    (mixed >> 32) as u32
}

/// The first and the last eight bytes of a name, or all bytes of a shorter one. Two names of one length up to 16
/// are the same if these are.
#[inline]
fn ends(name: &[u8]) -> (u64, u64) {
    if let (Some(first), Some(last)) = (name.first_chunk::<8>(), name.last_chunk::<8>()) {
        return (u64::from_le_bytes(*first), u64::from_le_bytes(*last));
    }
    if let (Some(first), Some(last)) = (name.first_chunk::<4>(), name.last_chunk::<4>()) {
        return (u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into());
    }
    (name.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)), 0)
}

/// A name to look for again and again, and the one with `_` before it.
#[derive(Debug, Clone)]
pub(crate) struct Name {
    text: Box<str>,
    hash: u32,
    beside: Box<str>,
    beside_hash: u32,
}

impl Name {
    pub(crate) fn new(text: &str) -> Self {
        let beside = format!("_{text}");
        let (hash, beside_hash) = (hash(text.as_bytes()), hash(beside.as_bytes()));
        Self { text: text.into(), hash, beside: beside.into(), beside_hash }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Its number in a set of names.
    pub(crate) fn find_in(&self, names: &Names) -> Option<usize> {
        names.find(self.hash, &self.text).map(usize::from)
    }

    /// The value of the member of an object that has this name.
    pub(crate) fn member_of<'a>(&self, object: Value<'a>) -> Option<Value<'a>> {
        member(object, self.hash, &self.text)
    }

    /// The value of the member that has this name behind a `_`.
    pub(crate) fn beside_of<'a>(&self, object: Value<'a>) -> Option<Value<'a>> {
        member(object, self.beside_hash, &self.beside)
    }
}

fn member<'a>(object: Value<'a>, hash: u32, name: &str) -> Option<Value<'a>> {
    let mut members = object.members();
    members.find(|(key, _)| key.hash() == hash && key.name() == name).map(|(_, value)| value)
}

/// A fixed set of names, each with a number: an open-addressing table that is at most half full.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names(Box<[Option<Entry>]>);

#[derive(Debug, Clone)]
struct Entry {
    ends: (u64, u64),
    name: Box<str>,
    number: u16,
}

impl Names {
    /// The table of these names; a name that comes twice has its first number.
    pub(crate) fn new<'a>(names: impl IntoIterator<Item = (&'a str, u16)>) -> Self {
        let names: Vec<_> = names.into_iter().collect();
        let mut slots = vec![None; (names.len() * 2 + 1).next_power_of_two()];
        let mask = slots.len() - 1;
        for (name, number) in names {
            let mut slot = hash(name.as_bytes()) as usize & mask;
            while slots[slot].is_some() {
                slot = (slot + 1) & mask;
            }
            slots[slot] = Some(Entry { ends: ends(name.as_bytes()), name: name.into(), number });
        }
        Self(slots.into())
    }

    /// The number of the name, whose hash is given.
    #[inline]
    pub(crate) fn find(&self, hash: u32, name: &str) -> Option<u16> {
        let ends = ends(name.as_bytes());
        let mask = self.0.len().wrapping_sub(1);
        let mut slot = hash as usize & mask;
        while let Some(entry) = self.0.get(slot)? {
            let alike = entry.ends == ends && entry.name.len() == name.len();
            if alike && (name.len() <= 16 || *entry.name == *name) {
                return Some(entry.number);
            }
            slot = (slot + 1) & mask;
        }
        None
    }

    /// The number of the name.
    pub(crate) fn get(&self, name: &str) -> Option<u16> {
        self.find(hash(name.as_bytes()), name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_others_are_not() {
        let known = ["id", "", "a", "birthDate", "valueCodeableConcept", "valueCodeableConcepts", "é"];
        let names = Names::new(known.iter().copied().zip(0..));
        for (name, number) in known.iter().zip(0..) {
            assert_eq!(names.get(name), Some(number), "{name}");
        }
        for name in ["i", "ids", "birthdate", "valueXodeableConcept", "valueCodeaXXXConcept", "e"] {
            assert_eq!(names.get(name), None, "{name}");
        }
        assert_eq!(Names::default().get("id"), None);
        assert_eq!(Names::new([]).get("id"), None);
    }
}
