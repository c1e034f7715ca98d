//! Digests against the published values of xxHash and against themselves in parts.

#![allow(clippy::unwrap_used)] // a test fails by panicking

use gristmill_core::digest::{Hasher, row_128, xxh3_64, xxh3_128};
use proptest::prelude::*;

#[test]
fn the_empty_input_has_the_published_digests() {
    assert_eq!(format!("{:016x}", xxh3_64(b"")), "2d06800538d394c2");
    assert_eq!(format!("{:032x}", xxh3_128(b"")), "99aa06d3014798d86001c324468d497f");
}

proptest! {
    #[test]
    fn parts_give_the_digest_of_the_whole(
        parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..700), 0..6)
    ) {
        let mut hasher = Hasher::new();
        for part in &parts {
            hasher.update(part);
        }
        prop_assert_eq!(hasher.digest(), xxh3_128(&parts.concat()));
    }

    #[test]
    fn a_border_between_fields_counts(left in ".{0,9}", right in ".{1,9}") {
        let joined = format!("{left}{right}");
        prop_assert_ne!(row_128([left.as_str(), &right]), row_128([joined.as_str(), ""]));
    }
}
