//! Addresses of Bitcoin (by their checksum) and Ethereum (by their form).

use std::ops::Range;

use super::near::{before, byte, is_word};
use super::{Entity, Found};

/// The wallet address that begins at, or two bytes before, the digits `run`.
pub(super) fn wallet(text: &str, run: &Range<usize>) -> Option<Found> {
    ethereum(text, run).or_else(|| segwit(text, run)).or_else(|| base58(text, run.start))
}

/// `0x` and 40 hexadecimal digits.
fn ethereum(text: &str, run: &Range<usize>) -> Option<Found> {
    let start = run.start;
    if run.len() != 1 || !text[start..].starts_with("0x") || is_word(before(text, start, 1)) {
        return None;
    }
    let hex = text.as_bytes()[start + 2..].iter().take(41).take_while(|b| b.is_ascii_hexdigit());
    let end = start + 42;
    let all_zero = || text[start + 2..end].bytes().all(|byte| byte == b'0');
    let valid = hex.count() == 40 && !is_word(byte(text, end)) && !all_zero();
    valid.then_some(Found { span: start..end, entity: Entity::Crypto, score: 0.7 })
}

/// `1…` or `3…`: base 58 with the first four bytes of a double SHA-256 at its end.
fn base58(text: &str, start: usize) -> Option<Found> {
    if !matches!(byte(text, start), b'1' | b'3') || is_word(before(text, start, 1)) {
        return None;
    }
    let word = text.as_bytes()[start..].iter().take(36).take_while(|byte| is_word(**byte));
    let length = word.count();
    if !(26..=35).contains(&length) {
        return None;
    }
    let decoded = base58_decode(&text.as_bytes()[start..start + length])?;
    let (payload, check) = decoded.split_at(21);
    (sha256(&sha256(payload))[..4] == *check).then_some(Found {
        span: start..start + length,
        entity: Entity::Crypto,
        score: 0.99,
    })
}

const BASE58: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

fn base58_decode(text: &[u8]) -> Option<[u8; 25]> {
    let mut bytes = [0_u8; 25];
    for character in text {
        let mut carry = BASE58.iter().position(|letter| letter == character)? as u32;
        for byte in bytes.iter_mut().rev() {
            carry += u32::from(*byte) * 58;
            *byte = carry as u8;
            carry >>= 8;
        }
        if carry > 0 {
            return None;
        }
    }
    Some(bytes)
}

const BECH32: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/// `bc1…`: bech32 or bech32m with its checksum (BIP 173, BIP 350).
fn segwit(text: &str, run: &Range<usize>) -> Option<Found> {
    let start = run.start.checked_sub(2)?;
    let bytes = text.as_bytes();
    if !bytes[start..].starts_with(b"bc1") || is_word(before(text, start, 1)) {
        return None;
    }
    let length = bytes[start..].iter().take(91).take_while(|byte| is_word(**byte)).count();
    if !(14..=90).contains(&length) {
        return None;
    }
    let mut check = polymod(1, [3, 3, 0, 2, 3]);
    for character in &bytes[start + 3..start + length] {
        let value = BECH32.iter().position(|letter| letter == character)?;
        check = polymod(check, [value as u8]);
    }
    matches!(check, 1 | 0x2BC8_30A3).then_some(Found {
        span: start..start + length,
        entity: Entity::Crypto,
        score: 0.99,
    })
}

/// The checksum step of BIP 173; `bc` expands to 3 3 0 2 3.
fn polymod<const N: usize>(check: u32, values: [u8; N]) -> u32 {
    const GENERATOR: [u32; 5] = [0x3B6A_57B2, 0x2650_8E6D, 0x1EA1_19FA, 0x3D42_33DD, 0x2A14_62B3];
    values.iter().fold(check, |check, value| {
        let top = check >> 25;
        let next = (check & 0x1FF_FFFF) << 5 ^ u32::from(*value);
        GENERATOR
            .iter()
            .enumerate()
            .filter(|(bit, _)| top >> bit & 1 == 1)
            .fold(next, |next, (_, generator)| next ^ generator)
    })
}

/// SHA-256 of at most 55 bytes (FIPS 180-4): one block.
fn sha256(message: &[u8]) -> [u8; 32] {
    let mut block = [0_u8; 64];
    block[..message.len()].copy_from_slice(message);
    block[message.len()] = 0x80;
    block[56..].copy_from_slice(&(message.len() as u64 * 8).to_be_bytes());
    let mut w = [0_u32; 64];
    for (word, bytes) in w.iter_mut().zip(block.chunks_exact(4)) {
        *word = bytes.iter().fold(0, |word, byte| word << 8 | u32::from(*byte));
    }
    for i in 16..64 {
        let s0 = w[i - 15].rotate_right(7) ^ w[i - 15].rotate_right(18) ^ w[i - 15] >> 3;
        let s1 = w[i - 2].rotate_right(17) ^ w[i - 2].rotate_right(19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16].wrapping_add(s0).wrapping_add(w[i - 7]).wrapping_add(s1);
    }
    let mut state = INITIAL;
    for (k, w) in ROUND.iter().zip(w) {
        let [a, b, c, d, e, f, g, h] = state;
        let s1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let one = h.wrapping_add(s1).wrapping_add(e & f ^ !e & g).wrapping_add(*k).wrapping_add(w);
        let s0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let two = s0.wrapping_add(a & b ^ a & c ^ b & c);
        state = [one.wrapping_add(two), a, b, c, d.wrapping_add(one), e, f, g];
    }
    let mut digest = [0; 32];
    for (bytes, (left, right)) in digest.chunks_exact_mut(4).zip(INITIAL.iter().zip(state)) {
        bytes.copy_from_slice(&left.wrapping_add(right).to_be_bytes());
    }
    digest
}

const INITIAL: [u32; 8] = [
    0x6A09_E667,
    0xBB67_AE85,
    0x3C6E_F372,
    0xA54F_F53A,
    0x510E_527F,
    0x9B05_688C,
    0x1F83_D9AB,
    0x5BE0_CD19,
];

const ROUND: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];
