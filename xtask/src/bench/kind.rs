//! How much is measured.

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Full,
    /// Few keys and rounds.
    Quick,
    /// Quick, and not optimised: shows that it runs, nothing else.
    Try,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Full => "full",
            Kind::Quick => "quick",
            Kind::Try => "try",
        }
    }
}
