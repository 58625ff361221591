//! Which of four hashes are equal to one.
//!
//! Every read asks that, and how many reads of a large table a processor overlaps depends on how few instructions each has (ADR 10). The compiler makes four comparisons
//! of [`portable`], 19 instructions; x86-64 has one for all four, whose answer takes one more.

/// A bit for each that is equal.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn equal(hashes: [u32; 4], hash: u32) -> u32 {
    use core::arch::x86_64::{_mm_castsi128_ps, _mm_cmpeq_epi32, _mm_movemask_ps, _mm_set_epi32, _mm_set1_epi32};
    let [first, second, third, fourth] = hashes.map(u32::cast_signed);
    #[expect(unsafe_code, reason = "benches/peers, rows get and mixed: see above")]
    // SAFETY: every x86-64 processor has SSE2. Values go in and come out; no memory is touched.
    unsafe {
        let same = _mm_cmpeq_epi32(_mm_set_epi32(fourth, third, second, first), _mm_set1_epi32(hash.cast_signed()));
        _mm_movemask_ps(_mm_castsi128_ps(same)).cast_unsigned()
    }
}

#[cfg(not(target_arch = "x86_64"))]
pub(crate) use portable as equal;

#[cfg(any(test, not(target_arch = "x86_64")))]
#[inline]
pub(crate) fn portable(hashes: [u32; 4], hash: u32) -> u32 {
    hashes.iter().enumerate().fold(0, |all, (number, theirs)| all | u32::from(*theirs == hash) << number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bit_for_each_that_is_equal() {
        for hash in [0, 1, u32::MAX, 1 << 31, 0x8000_0001] {
            for pattern in 0..16 {
                let hashes =
                    std::array::from_fn(|number| if pattern >> number & 1 == 1 { hash } else { hash ^ (1 << 31) });
                assert_eq!((equal(hashes, hash), portable(hashes, hash)), (pattern, pattern));
            }
        }
    }
}
