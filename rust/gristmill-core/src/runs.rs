//! Records on their way to buckets: many writers, one reader per bucket, in memory or spilled.
//!
//! A writer gathers the records of one stretch of the corpus, bucket by bucket. What is finished stays
//! in memory as long as there is room, and is written to one nameless file otherwise, so that nothing
//! is left behind whatever happens. A bucket is read stretch by stretch, in the order of the corpus.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use crate::{Error, Result, huge};

/// A record: `N` words.
pub(crate) type Record<const N: usize> = [u32; N];

/// Where finished stretches go: a bounded part of the memory, then a file without a name.
pub(crate) struct Room {
    /// Bytes that may still be kept in memory.
    left: AtomicU64,
    folder: PathBuf,
    /// The file, once there is one, and its length.
    spill: Mutex<Option<(File, u64)>>,
}

impl Room {
    pub(crate) fn new(bytes: u64, folder: Option<&Path>) -> Self {
        let folder = folder.map_or_else(std::env::temp_dir, Path::to_path_buf);
        Self { left: AtomicU64::new(bytes), folder, spill: Mutex::new(None) }
    }

    /// Take `bytes` of memory, if they are left.
    fn take(&self, bytes: u64) -> bool {
        self.left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(bytes)).is_ok()
    }

    fn refused(&self, source: std::io::Error) -> Error {
        Error::Io { path: self.folder.display().to_string(), source }
    }

    /// A handle of the file, and where `length` bytes of it have been set aside.
    fn set_aside(&self, length: u64) -> std::io::Result<(File, u64)> {
        let mut spill = self.spill.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, end) = match &mut *spill {
            Some(made) => made,
            none => none.insert((nameless(&self.folder)?, 0)),
        };
        *end += length;
        Ok((file.try_clone()?, *end - length))
    }

    fn write(&self, bytes: &[u8]) -> Result<(File, u64)> {
        let set_aside = self.set_aside(bytes.len() as u64);
        set_aside
            .and_then(|(file, at)| file.write_all_at(bytes, at).map(|()| (file, at)))
            .map_err(|source| self.refused(source))
    }
}

/// Make a file that no name leads to, so that it is gone when the process is.
pub(crate) fn nameless(folder: &Path) -> std::io::Result<File> {
    static MADE: AtomicU64 = AtomicU64::new(0);
    std::fs::create_dir_all(folder)?;
    loop {
        // threads may do this at once, and a killed process may have left a file and its number
        let name = format!("spill-{}-{}.partial", std::process::id(), MADE.fetch_add(1, Relaxed));
        let path = folder.join(name);
        match OpenOptions::new().read(true).write(true).create_new(true).open(&path) {
            Ok(file) => return std::fs::remove_file(&path).map(|()| file),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// Records in a chunk.
const CHUNK: usize = 32;
const NONE: u32 = u32::MAX;

/// The records of one stretch, by bucket: chains of chunks in one growing buffer, which costs no
/// copying, few page faults and half a chunk per bucket.
pub(crate) struct Writer<const N: usize> {
    records: Vec<Record<N>>,
    /// The chunk after each chunk.
    next: Vec<u32>,
    buckets: Vec<Chain>,
}

#[derive(Clone, Copy)]
struct Chain {
    first: u32,
    last: u32,
    length: u32,
}

impl<const N: usize> Writer<N> {
    /// A writer for about `expected` records.
    pub(crate) fn new(n_buckets: usize, expected: usize) -> Self {
        let records = Vec::with_capacity(expected + n_buckets * CHUNK);
        huge::advise_capacity(&records);
        let empty = Chain { first: NONE, last: NONE, length: 0 };
        Self { records, next: Vec::new(), buckets: vec![empty; n_buckets] }
    }

    #[inline]
    pub(crate) fn push(&mut self, bucket: usize, record: Record<N>) {
        let chain = &mut self.buckets[bucket];
        let within = chain.length as usize % CHUNK;
        if within == 0 {
            let chunk = self.next.len() as u32;
            self.next.push(NONE);
            self.records.resize(self.records.len() + CHUNK, [0; N]);
            match chain.last {
                NONE => chain.first = chunk,
                last => self.next[last as usize] = chunk,
            }
            chain.last = chunk;
        }
        self.records[chain.last as usize * CHUNK + within] = record;
        chain.length += 1;
    }

    pub(crate) fn n_records(&self) -> usize {
        self.records.len()
    }

    /// The records of a bucket, in the order in which they were pushed.
    fn bucket(&self, bucket: usize) -> impl Iterator<Item = &[Record<N>]> {
        let Chain { mut first, length, .. } = self.buckets[bucket];
        let mut left = length as usize;
        std::iter::from_fn(move || {
            let n_records = left.min(CHUNK);
            let start = first as usize * CHUNK;
            (n_records > 0).then(|| {
                first = self.next[first as usize];
                left -= n_records;
                &self.records[start..start + n_records]
            })
        })
    }

    /// Keep the records where there is room.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when they cannot be spilled.
    pub(crate) fn finish(self, room: &Room) -> Result<Stretch<N>> {
        if room.take((self.records.len() * size_of::<Record<N>>()) as u64) {
            return Ok(Stretch::Kept(self));
        }
        let mut bytes = Vec::with_capacity(self.records.len() * size_of::<Record<N>>());
        let mut ends = Vec::with_capacity(self.buckets.len());
        for bucket in 0..self.buckets.len() {
            for records in self.bucket(bucket) {
                bytes.extend(records.iter().flatten().flat_map(|word| word.to_le_bytes()));
            }
            ends.push(bytes.len() as u64);
        }
        let (file, start) = room.write(&bytes)?;
        Ok(Stretch::Spilled { file, start, ends })
    }
}

/// The finished records of one stretch.
pub(crate) enum Stretch<const N: usize> {
    Kept(Writer<N>),
    /// The buckets stand one after the other from `start` on; their ends count from there.
    Spilled {
        file: File,
        start: u64,
        ends: Vec<u64>,
    },
}

impl<const N: usize> Stretch<N> {
    /// Append the records of a bucket.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when they cannot be read back.
    pub(crate) fn append(
        &self,
        bucket: usize,
        room: &Room,
        records: &mut Vec<Record<N>>,
    ) -> Result<()> {
        match self {
            Self::Kept(writer) => {
                writer.bucket(bucket).for_each(|chunk| records.extend_from_slice(chunk));
            }
            Self::Spilled { file, start, ends } => {
                let before = if bucket == 0 { 0 } else { ends[bucket - 1] };
                let mut bytes = vec![0; (ends[bucket] - before) as usize];
                file.read_exact_at(&mut bytes, start + before)
                    .map_err(|source| room.refused(source))?;
                for record in bytes.chunks_exact(4 * N) {
                    let mut words = [0; N];
                    for (word, bytes) in words.iter_mut().zip(record.as_chunks::<4>().0) {
                        *word = u32::from_le_bytes(*bytes);
                    }
                    records.push(words);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_come_back_in_order_from_memory_and_from_disk() {
        for bytes in [u64::MAX, 0] {
            let room = Room::new(bytes, None);
            let stretches = [0, 1, 2].map(|stretch| {
                let mut writer = Writer::<2>::new(5, 10);
                for number in 0..1_000_u32 {
                    writer.push((number % 4) as usize, [stretch, number]);
                }
                writer.finish(&room).expect("there is room on the disk")
            });
            assert_eq!(matches!(stretches[0], Stretch::Kept(_)), bytes > 0);
            for bucket in 0..5 {
                let mut found = Vec::new();
                for stretch in &stretches {
                    stretch.append(bucket, &room, &mut found).expect("what was written is read");
                }
                let numbers = (0..1_000).filter(|number| bucket < 4 && number % 4 == bucket as u32);
                let expected: Vec<[u32; 2]> =
                    (0..3).flat_map(|stretch| numbers.clone().map(move |n| [stretch, n])).collect();
                assert_eq!(found, expected);
            }
        }
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let room = Room::new(0, Some(Path::new("/dev/null/spill")));
        let mut writer = Writer::<2>::new(1, 0);
        writer.push(0, [1, 2]);
        let refused = writer.finish(&room);
        assert!(matches!(refused, Err(Error::Io { path, .. }) if path == "/dev/null/spill"));
    }

    #[test]
    fn files_made_at_once_are_different_ones() {
        let folder = std::env::temp_dir();
        std::thread::scope(|scope| {
            for thread in 0..8_u8 {
                let folder = &folder;
                scope.spawn(move || {
                    for _ in 0..200 {
                        let (file, mut found) = (nameless(folder).unwrap(), [0]);
                        file.write_all_at(&[thread], 0).unwrap();
                        file.read_exact_at(&mut found, 0).unwrap();
                        assert_eq!((found, file.metadata().unwrap().len()), ([thread], 1));
                    }
                });
            }
        });
    }
}
