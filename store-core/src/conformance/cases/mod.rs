//! The cases, by chapter of the contract.

pub(super) mod batch;
pub(super) mod clear;
pub(super) mod concurrency;
pub(super) mod counter;
pub(super) mod deadline;
pub(super) mod durable;
pub(super) mod error;
pub(super) mod expiry;
pub(super) mod handle;
pub(super) mod key;
pub(super) mod list;
pub(super) mod load;
pub(super) mod put;
pub(super) mod scan;
pub(super) mod security;
pub(super) mod single;
pub(super) mod value;
pub(super) mod version;

use super::direct::{Direct, Must, NEVER, add, millis, only, text, unsupported};
use crate::{Condition, Context, List, Put, Value, Version, Want, codec};

/// A key that no case uses.
const PROBE: &str = "what can the store do?";

/// Whether the store has no expiry; it must then refuse every use of it.
pub(super) async fn without_ttl(store: &Direct) -> bool {
    if store.store.info().capabilities.ttl {
        return false;
    }
    unsupported(store.try_put(PROBE, &text("v"), Put::always(millis(1000))).await);
    assert!(!store.has(PROBE).await, "a refused put must not write");
    true
}

/// Whether the store has no versions to compare; it must then refuse conditions on them.
pub(super) async fn without_versions(store: &Direct) -> bool {
    if store.store.info().capabilities.versions {
        return false;
    }
    let version = Version::from_u64(1);
    store.put(PROBE, &text("v"), NEVER).await;
    unsupported(store.try_put(PROBE, &text("w"), only(Condition::IfVersion(&version))).await);
    unsupported(store.delete_if(PROBE, &version).await);
    unsupported(store.touch_if(PROBE, NEVER, &version).await);
    assert_eq!(store.get(PROBE).await.as_deref(), Some(&*text("v")), "a refused operation must not write");
    store.delete(PROBE).await;
    true
}

/// Whether a version is a digest of the value, and may repeat; another value must still have another one.
pub(super) async fn without_unique_versions(store: &Direct) -> bool {
    if store.store.info().capabilities.unique_versions {
        return false;
    }
    let first = store.put(PROBE, &text("v"), NEVER).await.version;
    assert_eq!(store.put(PROBE, &text("v"), NEVER).await.version, first, "unique versions must be declared");
    let second = store.put(PROBE, &text("w"), NEVER).await.version;
    assert_ne!(second, first, "another value has another version");
    assert_eq!(store.entry(PROBE).await.must().version, second);
    store.delete(PROBE).await;
    true
}

/// Whether the store keeps values in a form that cannot hold all of them; it must then refuse those, and still keep text, integers
/// and plain tables as they are.
pub(super) async fn without_exact_values(store: &Direct) -> bool {
    if store.store.info().capabilities.exact_values {
        return false;
    }
    let encoded = |value: &Value| {
        let mut bytes = Vec::new();
        codec::encode(value, &codec::Limits::default(), &mut bytes).must();
        bytes
    };
    unsupported(store.try_put(PROBE, &encoded(&Value::Float(f64::NAN)), Put::always(NEVER)).await);
    assert!(!store.has(PROBE).await, "a refused put must not write");
    let table = Value::Map(vec![(Value::from("items"), Value::Array(vec![Value::Null, Value::Float(1.0)]))]);
    for value in [Value::from("\u{e9} text\r\n"), Value::Integer(i64::MIN), Value::Bool(false), table] {
        store.put(PROBE, &encoded(&value), NEVER).await;
        assert_eq!(store.get(PROBE).await.as_deref(), Some(&*encoded(&value)), "{value:?}");
    }
    store.delete(PROBE).await;
    true
}

/// Whether the store cannot count; it must then refuse to.
pub(super) async fn without_increment(store: &Direct) -> bool {
    if store.store.info().capabilities.increment {
        return false;
    }
    unsupported(store.increment(PROBE, add(1)).await);
    assert!(!store.has(PROBE).await, "a refused increment must not write");
    true
}

/// Whether the store cannot list in order; it must then refuse to.
pub(super) async fn without_list(store: &Direct) -> bool {
    if store.store.info().capabilities.ordered_list {
        return false;
    }
    let list = List { prefix: b"", after: None, limit: 10, want: Want::Keys };
    unsupported(store.store.list(&Context::none(), list).await);
    true
}
