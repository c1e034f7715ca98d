//! Documents become keys of bands, which wait in buckets for documents with equal ones.
//!
//! A bucket holds one partition (the highest bits of a key) of one band. Its records keep 48 further
//! bits of the key and the document's place in its stretch, so that a document costs 8 bytes a band,
//! on disk when there is no room.

use std::ops::Range;

use rayon::prelude::*;

use super::Options;
use super::budget::Budget;
use super::reader::Reader;
use crate::Result;
use crate::lsh::Banding;
use crate::minhash::MinHash;
use crate::runs::{Room, Stretch, Writer};
use crate::text::{Identity, Shingler, mix};

/// Most documents of a stretch: their places fit into 16 bits.
const MAX_STRETCH: usize = 1 << 16;
/// Documents of a partition, about, so that it is sorted in the cache.
const PARTITION: usize = 1 << 15;
/// Fewest partitions, for threads to share.
const MIN_PARTITIONS: usize = 8;
/// Stretches that a thread signs, so that none waits long for the last of another.
const STRETCHES: usize = 32;
/// Bytes of a record.
const RECORD_BYTES: usize = 8;

/// What is known of the documents before any two are compared.
pub(super) struct Signed {
    /// Equal for documents with the same words.
    pub(super) identities: Vec<Identity>,
    stretches: Vec<Stretch<2>>,
    stretch_docs: usize,
    n_partitions: usize,
    room: Room,
}

/// Which of a document's keys.
#[derive(Debug, Clone, Copy)]
pub(super) enum Key {
    /// That of a band of the signature.
    Band(usize),
    /// That of all its words.
    Words,
}

impl Signed {
    /// Sign all texts.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Io`] when spilling fails.
    pub(super) fn new(
        reader: &Reader<'_>,
        banding: &Banding,
        options: &Options<'_>,
        budget: &Budget,
    ) -> Result<Self> {
        let n_docs = reader.n_texts();
        let stretch_docs = stretch_docs(n_docs, banding, options.threads, budget);
        let mut signed = Self {
            identities: vec![(0, 0); n_docs],
            stretches: Vec::new(),
            stretch_docs,
            n_partitions: (n_docs / PARTITION).next_power_of_two().max(MIN_PARTITIONS),
            room: Room::new(budget.kept, options.spill),
        };
        let minhash = MinHash::new(options.num_perm, options.seed, options.method);
        let mut identities = std::mem::take(&mut signed.identities);
        signed.stretches = identities
            .par_chunks_mut(stretch_docs)
            .enumerate()
            .map_init(
                || Signer::new(banding, &minhash, options.ngram),
                |signer, (number, identities)| {
                    let first = number * stretch_docs;
                    signed.sign(signer, reader, first as u32, identities)
                },
            )
            .collect::<Result<_>>()?;
        signed.identities = identities;
        Ok(signed)
    }

    /// Sign the texts from `first` on, one per identity.
    fn sign(
        &self,
        signer: &mut Signer<'_>,
        reader: &Reader<'_>,
        first: u32,
        identities: &mut [Identity],
    ) -> Result<Stretch<2>> {
        let n_bands = signer.banding.bands();
        let n_records = identities.len() * (n_bands + 1);
        let mut writer = Writer::new((n_bands + 1) * self.n_partitions, n_records);
        for (place, identity) in identities.iter_mut().enumerate() {
            *identity = signer.sign(reader.next(first + place as u32));
            let words = mix(identity.0 ^ identity.1.rotate_left(32));
            let keys = signer.banding.keys(&signer.signature).chain([words]);
            for (band, key) in keys.enumerate() {
                let bucket = band * self.n_partitions + self.partition_of(key);
                let record = key << 16 | place as u64;
                writer.push(bucket, [record as u32, (record >> 32) as u32]);
            }
        }
        writer.finish(&self.room)
    }

    fn partition_of(&self, key: u64) -> usize {
        (key >> (64 - self.n_partitions.trailing_zeros())) as usize
    }

    pub(super) fn partitions(&self) -> Range<usize> {
        0..self.n_partitions
    }

    /// The documents of one partition that share their key with others.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Io`] when what was spilled cannot be read.
    pub(super) fn groups(&self, key: Key, n_bands: usize, partition: usize) -> Result<Groups> {
        let band = match key {
            Key::Band(band) => band,
            Key::Words => n_bands,
        };
        let bucket = band * self.n_partitions + partition;
        let (mut keyed, mut records) = (Vec::new(), Vec::new());
        for (stretch, number) in self.stretches.iter().zip(0..) {
            stretch.append(bucket, &self.room, &mut records)?;
            let first = (number * self.stretch_docs) as u32;
            keyed.extend(records.drain(..).map(|[low, high]| {
                let record = u64::from(high) << 32 | u64::from(low);
                (record >> 16, first + (record & 0xFFFF) as u32)
            }));
        }
        keep_repeated(&mut keyed);
        keyed.sort_unstable();
        let shared = keyed.chunk_by(|a, b| a.0 == b.0).filter(|group| group.len() > 1);
        Ok(Groups::new(shared.map(|group| group.iter().map(|&(_, document)| document))))
    }
}

/// Documents of a stretch: many enough stretches for all threads, small enough for the memory.
fn stretch_docs(n_docs: usize, banding: &Banding, threads: usize, budget: &Budget) -> usize {
    let shared = n_docs.div_ceil(STRETCHES * threads);
    let fits = budget.stretches / threads / (RECORD_BYTES * (banding.bands() + 1));
    shared.min(fits).clamp(256, MAX_STRETCH)
}

/// Drop most of the records whose key no other has: few are left to sort.
fn keep_repeated(keyed: &mut Vec<(u64, u32)>) {
    let n_bits = (8 * keyed.len()).next_power_of_two().max(64);
    let place = |key: u64| (key as usize & (n_bits - 1), key as usize % 64);
    let [mut once, mut again] = [0, 1].map(|_: usize| vec![0_u64; n_bits / 64]);
    for &(key, _) in &*keyed {
        let (at, bit) = place(key);
        let (word, bit) = (at / 64, 1 << bit);
        again[word] |= once[word] & bit;
        once[word] |= bit;
    }
    keyed.retain(|&(key, _)| {
        let (at, bit) = place(key);
        again[at / 64] >> bit & 1 == 1
    });
}

/// Groups of documents, each in ascending order.
#[derive(Debug, Default)]
pub(super) struct Groups {
    documents: Vec<u32>,
    ends: Vec<usize>,
}

impl Groups {
    fn new(groups: impl Iterator<Item = impl Iterator<Item = u32>>) -> Self {
        let mut found = Self::default();
        for group in groups {
            found.documents.extend(group);
            found.ends.push(found.documents.len());
        }
        found
    }

    /// The groups, of at least two documents each.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u32]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.documents[start..end])
    }
}

/// Makes signatures; keeps its buffers between texts.
struct Signer<'a> {
    shingler: Shingler,
    minhash: &'a MinHash,
    banding: Banding,
    signature: Vec<u32>,
}

impl<'a> Signer<'a> {
    fn new(banding: &Banding, minhash: &'a MinHash, ngram: usize) -> Self {
        Self { shingler: Shingler::new(ngram), minhash, banding: *banding, signature: Vec::new() }
    }

    /// Replace the signature by that of `text`.
    fn sign(&mut self, text: &[u8]) -> Identity {
        self.minhash.begin(&mut self.signature);
        let add = |shingles: &[u64]| self.minhash.add(shingles, &mut self.signature);
        let identity = self.shingler.each_portion(text, add);
        self.minhash.finish(&mut self.signature);
        identity
    }
}
