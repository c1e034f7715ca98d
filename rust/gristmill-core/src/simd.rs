//! The vector instructions that a kernel may use, chosen at run time.
//!
//! A kernel has one body per set, all with the same result; a test runs every set of the machine.

/// A set of vector instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Simd {
    /// None that the compiler does not use anyway.
    Scalar,
    /// AVX2: 256 bits.
    Avx2,
    /// AVX-512 F, BW, DQ and VL: 512 bits.
    Avx512,
    /// NEON: 128 bits, always there on 64-bit ARM.
    Neon,
}

impl Simd {
    /// The widest set that this machine has.
    pub fn widest() -> Self {
        Self::available().last().copied().unwrap_or(Self::Scalar)
    }

    /// All sets that this machine has, the widest last.
    pub fn available() -> Vec<Self> {
        let all = [Self::Scalar, Self::Neon, Self::Avx2, Self::Avx512];
        all.into_iter().filter(|simd| simd.is_available()).collect()
    }

    #[cfg(target_arch = "x86_64")]
    fn is_available(self) -> bool {
        match self {
            Self::Scalar => true,
            Self::Avx2 => is_x86_feature_detected!("avx2"),
            Self::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
            }
            Self::Neon => false,
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn is_available(self) -> bool {
        self == Self::Scalar || (self == Self::Neon && cfg!(target_arch = "aarch64"))
    }
}
