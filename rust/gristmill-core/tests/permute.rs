//! The keyed permutation against what a permutation is.

#![allow(clippy::unwrap_used)] // a test fails by panicking

use gristmill_core::permute::Permutation;
use proptest::prelude::*;

fn is_bijection(n: u64, key: u64) -> bool {
    let mut order = Permutation::new(n, key).stride(0, n, 1).unwrap();
    order.sort_unstable();
    order.into_iter().eq(0..n)
}

#[test]
fn every_small_length_is_permuted_completely() {
    for n in 0..600 {
        assert!(is_bijection(n, n.wrapping_mul(0x1234_5678_9ABC_DEF1)), "n = {n}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_length_and_key_give_a_bijection(n in 0_u64..40_000, key: u64) {
        prop_assert!(is_bijection(n, key));
    }

    #[test]
    fn powers_of_two_and_their_neighbours_are_permuted(
        bits in 1_u32..17, off in -1_i64..=1, key: u64
    ) {
        prop_assert!(is_bijection((1_u64 << bits).saturating_add_signed(off), key));
    }

    #[test]
    fn huge_lengths_stay_inside_and_never_meet(n in (1_u64 << 32)..=u64::MAX, key: u64, at: u64) {
        let order = Permutation::new(n, key);
        let (at, next) = (at % n, (at % n + 1) % n);
        let (a, b) = (order.get(at).unwrap(), order.get(next).unwrap());
        prop_assert!(a < n && b < n && a != b);
    }

    #[test]
    fn a_stretch_is_cut_from_the_whole(n in 1_u64..5_000, key: u64, a: u64, b: u64) {
        let order = Permutation::new(n, key);
        let (a, b) = (a % n, b % n);
        let (start, end) = (a.min(b), a.max(b));
        let whole = order.stride(0, n, 1).unwrap();
        let part = order.stride(start, end - start, 1).unwrap();
        prop_assert_eq!(&whole[start as usize..end as usize], &part[..]);
        let thirds = order.stride(start, (end - start) / 3, 3).unwrap();
        prop_assert!(thirds.iter().eq(part.iter().step_by(3).take(thirds.len())));
    }
}

#[test]
fn a_stretch_past_the_end_is_refused() {
    let order = Permutation::new(10, 1);
    assert!(order.stride(5, 6, 1).is_err());
    assert!(order.stride(4, 3, 3).is_err());
    assert!(order.stride(u64::MAX, 2, 1).is_err());
    assert!(order.stride(1, u64::MAX, u64::MAX).is_err());
    assert_eq!(order.stride(10, 0, 1).unwrap(), Vec::<u64>::new());
    assert_eq!(order.get(10), None);
}

#[test]
fn another_key_gives_another_order() {
    let orders: std::collections::HashSet<Vec<u64>> =
        (0..200).map(|key| Permutation::new(50, key).stride(0, 50, 1).unwrap()).collect();
    assert_eq!(orders.len(), 200);
}

/// Each number lands on each position about equally often: chi-square over 16 x 16 cells, 225
/// degrees of freedom, far tail.
#[test]
fn no_position_prefers_a_number() {
    const N: usize = 16;
    const KEYS: u64 = 16_000;
    let mut counts = [[0_f64; N]; N];
    for key in 0..KEYS {
        for (place, number) in
            Permutation::new(16, key).stride(0, 16, 1).unwrap().iter().enumerate()
        {
            counts[place][*number as usize] += 1.0;
        }
    }
    let expected = KEYS as f64 / N as f64;
    let chi: f64 = counts.iter().flatten().map(|count| (count - expected).powi(2) / expected).sum();
    assert!(chi < 310.0, "chi-square {chi}");
}
