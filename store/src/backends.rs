//! The table of backends: the one place that knows which there are.

use store_core::{Backends, Result};

/// The backends that this build has, ready for [`Document::resolve`](store_core::config::Document::resolve); those that it
/// leaves out are recorded, so that a configuration that uses one is told the Cargo feature.
///
/// Each call makes new backends, which share no databases and connections with those of another call. Add backends of your
/// own with [`register`](Backends::register).
#[must_use]
pub fn backends() -> Backends {
    let mut backends = Backends::new();
    for (name, feature) in [("memory", "memory"), ("sled", "sled"), ("redis", "redis")] {
        backends.not_compiled(name, feature);
    }
    // No name is taken twice: the test below would show it.
    let _ = register(&mut backends);
    backends
}

fn register(backends: &mut Backends) -> Result<&mut Backends> {
    #[cfg(feature = "memory")]
    backends.register(store_memory::MemoryBackend)?;
    #[cfg(feature = "sled")]
    backends.register(store_sled::SledBackend::new())?;
    #[cfg(feature = "redis")]
    backends.register(store_redis::RedisBackend::default())?;
    Ok(backends)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e5_what_is_compiled_in_is_registered_and_the_rest_names_its_feature() {
        register(&mut Backends::new()).unwrap();
        let compiled = [
            ("memory", cfg!(feature = "memory")),
            ("redis", cfg!(feature = "redis")),
            ("sled", cfg!(feature = "sled")),
        ];
        let names = backends().names().collect::<Vec<_>>();
        assert_eq!(names, compiled.iter().filter(|(_, is)| *is).map(|(name, _)| *name).collect::<Vec<_>>());
        for (name, _) in compiled.iter().filter(|(_, is)| !is) {
            let text = format!("[stores.s]\nbackend = \"{name}\"");
            let document = crate::config::Document::parse(&text, "store.toml").unwrap();
            let error = document.resolve(None, &backends(), &|_| None).unwrap_err();
            let expected = format!(
                "store.toml:2: stores.s.backend: `{name}` needs the Cargo feature `{name}`, which this build leaves out"
            );
            assert_eq!((error.kind(), error.message()), (crate::Kind::Invalid, expected.as_str()));
        }
    }
}
