//! Addresses of cryptocurrencies, by their checksums: base58check (Bitcoin, Litecoin, Dogecoin, Dash, Tron),
//! bech32 (Bitcoin, Litecoin), EIP-55 (Ethereum; in one letter case by its form).

use std::ops::Range;

use sha2::{Digest, Sha256};
use sha3::Keccak256;

use super::near::{before, byte, is_word};
use super::{Entity, Found};

/// The wallet address that begins at the digits `run` or has its first digits there.
pub(super) fn wallet(text: &str, run: &Range<usize>) -> Option<Found> {
    ethereum(text, run).or_else(|| segwit(text, run)).or_else(|| base58(text, run))
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
    if hex.count() != 40 || is_word(byte(text, end)) || all_zero() {
        return None;
    }
    let score = letter_case(&text.as_bytes()[start + 2..end])?;
    Some(Found { span: start..end, entity: Entity::Crypto, score })
}

/// How sure the case of the letters makes it: in both cases they must be EIP-55's checksum.
fn letter_case(digits: &[u8]) -> Option<f32> {
    let lower: [u8; 40] = digits.to_ascii_lowercase().try_into().ok()?;
    if digits == lower || digits == lower.to_ascii_uppercase() {
        return Some(0.7);
    }
    let hash = Keccak256::digest(lower);
    let nibble =
        |at: usize| if at.is_multiple_of(2) { hash[at / 2] >> 4 } else { hash[at / 2] & 15 };
    let mut letters = digits.iter().enumerate().filter(|(_, digit)| digit.is_ascii_alphabetic());
    letters.all(|(at, digit)| digit.is_ascii_uppercase() == (nibble(at) >= 8)).then_some(0.99)
}

/// Base 58 with the first four bytes of a double SHA-256 at its end.
fn base58(text: &str, run: &Range<usize>) -> Option<Found> {
    let head = text.as_bytes()[..run.start].iter().rev().take(LONGEST_BASE58);
    let start = run.start - head.take_while(|byte| byte.is_ascii_alphabetic()).count();
    let usual =
        matches!(byte(text, start), b'1' | b'3' | b'L' | b'M' | b'D' | b'T' | b'X' | b'A' | b'9');
    if !usual || is_word(before(text, start, 1)) {
        return None;
    }
    let word =
        text.as_bytes()[start..].iter().take(LONGEST_BASE58 + 1).take_while(|byte| is_word(**byte));
    let length = word.count();
    if !(26..=LONGEST_BASE58).contains(&length) {
        return None;
    }
    let decoded = base58_decode(&text.as_bytes()[start..start + length])?;
    let (payload, check) = decoded.split_at(21);
    (Sha256::digest(Sha256::digest(payload))[..4] == *check).then_some(Found {
        span: start..start + length,
        entity: Entity::Crypto,
        score: 0.99,
    })
}

const LONGEST_BASE58: usize = 35;

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

/// `bc1…`, `ltc1…`, `tb1…`: bech32 or bech32m with its checksum (BIP 173, BIP 350).
fn segwit(text: &str, run: &Range<usize>) -> Option<Found> {
    let bytes = text.as_bytes();
    let head = &bytes[run.start.saturating_sub(3)..run.start];
    if byte(text, run.start) != b'1' || head.len() < 2 {
        return None;
    }
    let ends = |name: &&str| head.to_ascii_lowercase().ends_with(name.as_bytes());
    let name = ["bc", "tb", "ltc"].into_iter().find(ends)?;
    let start = run.start - name.len();
    if is_word(before(text, start, 1)) {
        return None;
    }
    let length = bytes[start..].iter().take(91).take_while(|byte| is_word(**byte)).count();
    let word = &bytes[start..start + length];
    let lower = word.to_ascii_lowercase();
    let one_case = word == lower || word == lower.to_ascii_uppercase();
    if !one_case || !(14..=90).contains(&length) {
        return None;
    }
    let (high, low) = (name.bytes().map(|byte| byte >> 5), name.bytes().map(|byte| byte & 31));
    let mut check = high.chain([0]).chain(low).fold(1, polymod);
    for character in &lower[name.len() + 1..] {
        let value = BECH32.iter().position(|letter| letter == character)?;
        check = polymod(check, value as u8);
    }
    matches!(check, 1 | 0x2BC8_30A3).then_some(Found {
        span: start..start + length,
        entity: Entity::Crypto,
        score: 0.99,
    })
}

/// The checksum step of BIP 173.
fn polymod(check: u32, value: u8) -> u32 {
    const GENERATOR: [u32; 5] = [0x3B6A_57B2, 0x2650_8E6D, 0x1EA1_19FA, 0x3D42_33DD, 0x2A14_62B3];
    let next = (check & 0x1FF_FFFF) << 5 ^ u32::from(value);
    GENERATOR
        .iter()
        .enumerate()
        .filter(|(bit, _)| check >> 25 >> bit & 1 == 1)
        .fold(next, |next, (_, generator)| next ^ generator)
}
