//! What the operating system gives.

/// The row of it.
pub const RESIDENT: &str = "bytes resident per entry, by entries";

/// Bytes of this process that are in memory.
pub fn resident() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    4096.0 * text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0.0)
}
