//! Keccak-256 as Ethereum uses it (the submission, before FIPS 202 changed its padding).

const RATE: usize = 136;

/// Keccak-256 of a message shorter than one block.
pub(super) fn keccak256(message: &[u8; 40]) -> [u8; 32] {
    let mut block = [0_u8; RATE];
    block[..message.len()].copy_from_slice(message);
    block[message.len()] = 1;
    block[RATE - 1] |= 0x80;
    let mut state = [0_u64; 25];
    for (lane, bytes) in state.iter_mut().zip(block.chunks_exact(8)) {
        *lane = bytes.iter().rev().fold(0, |lane, byte| lane << 8 | u64::from(*byte));
    }
    CONSTANTS.iter().for_each(|constant| round(&mut state, *constant));
    let mut digest = [0; 32];
    for (bytes, lane) in digest.chunks_exact_mut(8).zip(state) {
        bytes.copy_from_slice(&lane.to_le_bytes());
    }
    digest
}

/// Theta, rho, pi, chi and iota.
fn round(a: &mut [u64; 25], constant: u64) {
    let column: [u64; 5] = std::array::from_fn(|x| (0..5).fold(0, |sum, y| sum ^ a[x + 5 * y]));
    for (i, lane) in a.iter_mut().enumerate() {
        *lane ^= column[(i + 4) % 5] ^ column[(i % 5 + 1) % 5].rotate_left(1);
    }
    let mut moved = [0; 25];
    for (i, lane) in a.iter().enumerate() {
        let (x, y) = (i % 5, i / 5);
        moved[y + 5 * ((2 * x + 3 * y) % 5)] = lane.rotate_left(TURNS[i]);
    }
    for (i, lane) in a.iter_mut().enumerate() {
        let (x, row) = (i % 5, i / 5 * 5);
        *lane = moved[i] ^ (!moved[row + (x + 1) % 5] & moved[row + (x + 2) % 5]);
    }
    a[0] ^= constant;
}

const TURNS: [u32; 25] =
    [0, 1, 62, 28, 27, 36, 44, 6, 55, 20, 3, 10, 43, 25, 39, 41, 45, 15, 21, 8, 18, 2, 61, 56, 14];

const CONSTANTS: [u64; 24] = [
    0x0000000000000001,
    0x0000000000008082,
    0x800000000000808a,
    0x8000000080008000,
    0x000000000000808b,
    0x0000000080000001,
    0x8000000080008081,
    0x8000000000008009,
    0x000000000000008a,
    0x0000000000000088,
    0x0000000080008009,
    0x000000008000000a,
    0x000000008000808b,
    0x800000000000008b,
    0x8000000000008089,
    0x8000000000008003,
    0x8000000000008002,
    0x8000000000000080,
    0x000000000000800a,
    0x800000008000000a,
    0x8000000080008081,
    0x8000000000008080,
    0x0000000080000001,
    0x8000000080008008,
];
