//! Lines to columns, on any bytes and on objects that were made from parts.

use gristmill_core::records::{Limits, Origin, Rows, Stop, python_float};
use proptest::prelude::*;

fn rows() -> Rows {
    let origin = Origin { source: "s".into(), license: "MIT".into(), locator: "a".into() };
    Rows::new(origin, Limits { batch_bytes: 1 << 20, batch_docs: 8_192, longest: 1 << 20 }, 0)
}

/// Read all lines; how many were unusual.
fn read(rows: &mut Rows, block: &[u8]) -> usize {
    let (mut at, mut n_unusual) = (0, 0);
    while at < block.len() {
        let (next, stop) = rows.read_lines(block, at, 0);
        match stop {
            Stop::Done => assert_eq!(next, block.len()),
            Stop::Unusual(_) => n_unusual += 1,
            Stop::License(declared) => rows.add_license(declared, "MIT".into(), None),
        }
        at = next;
    }
    n_unusual
}

proptest! {
    #[test]
    fn any_bytes_are_read_to_their_end(block in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut rows = rows();
        read(&mut rows, &block);
        let newlines = block.iter().filter(|&&byte| byte == b'\n').count();
        let lines = newlines + usize::from(block.last().is_some_and(|&last| last != b'\n'));
        prop_assert_eq!(rows.n_read(), lines as u64);
    }

    #[test]
    fn any_json_like_bytes_are_read_to_their_end(
        parts in prop::collection::vec(prop::sample::select(vec![
            "{", "}", "[", "]", ":", ",", "\"", "\\", "\\u", "d83d", "\"text\":", "\"id\":", "1", "-", ".",
            "e", "null", "true", "\n", "é", "\"metadata\":", "\"created\":\"2024-", " ", "\u{1}", "\"license\":",
        ]), 0..60)
    ) {
        let mut rows = rows();
        read(&mut rows, parts.concat().as_bytes());
        let columns = rows.take();
        prop_assert_eq!(columns.id.lengths.len(), columns.text.lengths.len());
        prop_assert_eq!(columns.text.lengths.iter().sum::<usize>(), columns.text.values.len());
        prop_assert_eq!(columns.metadata.lengths.iter().sum::<usize>(), columns.metadata.values.len());
    }

    #[test]
    fn a_float_reads_back_as_itself(bits in any::<u64>()) {
        let value = f64::from_bits(bits);
        prop_assume!(value.is_finite());
        let read_back: f64 = python_float(value).parse().map_err(|_| TestCaseError::fail("no float"))?;
        prop_assert_eq!(read_back.to_bits(), bits);
    }
}

#[test]
fn a_line_that_is_broken_leaves_nothing_behind() {
    let mut rows = rows();
    assert_eq!(
        read(&mut rows, b"{\"text\": \"half a\n{\"text\": \"b\", \"n\": [1}\n{\"text\": \"c\"}\n"),
        2
    );
    let columns = rows.take();
    assert_eq!(columns.text.values, "c");
    assert_eq!(columns.metadata.values, "{\"locator\": \"a:3\"}");
}
