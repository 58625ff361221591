//! The list of all cases: the one place that says which there are.

use super::run::Case;

/// Hands the list of cases to another macro: `module::name [rules]`.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_cases {
    ($then:path, $context:tt) => {
        $then! { $context
            expiry::t1_never_does_not_expire ["T1"]
            expiry::t5_overwrite_never_inherits_ttl ["T5"]
        }
    };
}

macro_rules! registry {
    ([] $($module:ident :: $name:ident $rules:tt)*) => {
        /// Every case of the suite, in the order of the contract.
        #[must_use]
        pub fn cases() -> &'static [Case] {
            const CASES: &[Case] = &[$(Case {
                name: stringify!($name),
                rules: &$rules,
                run: |cx| Box::pin(super::cases::$module::$name(cx)),
            },)*];
            CASES
        }
    };
}

__conformance_cases!(registry, []);

/// Proves a backend: one `#[test]` per case, in the modules `bare`, `dynamic`, `immediate` and `wrapped`.
///
/// Takes an expression that makes a [`Harness`](crate::conformance::Harness); every test evaluates it anew.
#[macro_export]
macro_rules! conformance {
    ($harness:expr) => {
        $crate::__conformance_cases!($crate::__conformance_tests, [$harness]);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_tests {
    ([$harness:expr] $($module:ident :: $name:ident $rules:tt)*) => {
        mod bare {
            #[allow(unused_imports)]
            use super::*;
            $(#[test] fn $name() { $crate::conformance::run(stringify!($name), $crate::conformance::Shape::Bare, || $harness); })*
        }
        mod dynamic {
            #[allow(unused_imports)]
            use super::*;
            $(#[test] fn $name() { $crate::conformance::run(stringify!($name), $crate::conformance::Shape::Dynamic, || $harness); })*
        }
        mod immediate {
            #[allow(unused_imports)]
            use super::*;
            $(#[test] fn $name() { $crate::conformance::run(stringify!($name), $crate::conformance::Shape::Immediate, || $harness); })*
        }
        mod wrapped {
            #[allow(unused_imports)]
            use super::*;
            $(#[test] fn $name() { $crate::conformance::run(stringify!($name), $crate::conformance::Shape::Wrapped, || $harness); })*
        }
    };
}
