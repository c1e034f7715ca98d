//! Which ids there were, and in which record.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::digest;

/// 25 bytes an id, times the table's slack: two ids are taken for one when their 128-bit digests
/// are equal.
#[derive(Debug, Default)]
pub(super) struct Seen(HashTable<([u64; 2], u64)>);

impl Seen {
    /// Remember an id, or give the number of the record that had it.
    pub(super) fn insert(&mut self, id: &str, number: u64) -> Result<(), u64> {
        let whole = digest::xxh3_128(id.as_bytes());
        let key = [whole as u64, (whole >> 64) as u64];
        match self.0.entry(key[0], |entry| entry.0 == key, |entry| entry.0[0]) {
            Entry::Occupied(known) => Err(known.get().1),
            Entry::Vacant(free) => {
                free.insert((key, number));
                Ok(())
            }
        }
    }
}
