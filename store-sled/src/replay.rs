//! Replaying the journal into sled: what was acknowledged and is not in sled's log yet.

use std::collections::HashMap;

use sled::Tree;
use store_core::Result;

use crate::error::engine;
use crate::journal::Change;
use crate::record::{Head, hint};

/// Applies the changes of frames, in order. They are those of whole records, so it does no harm that sled has some of them
/// already, or later ones that nobody was told of.
pub(crate) fn replay(db: &sled::Db, frames: &[&[u8]]) -> Result<u64> {
    let mut trees: HashMap<&str, (Tree, Tree)> = HashMap::new();
    let mut replayed = 0;
    for changes in frames {
        let mut changes = *changes;
        while !changes.is_empty() {
            let change = Change::read(&mut changes)?;
            let (data, hints) = match trees.get(change.store) {
                Some(trees) => trees,
                None => {
                    let open = |kind: u8| db.open_tree([&[kind], change.store.as_bytes()].concat()).map_err(engine);
                    trees.entry(change.store).or_insert((open(b'd')?, open(b'x')?))
                }
            };
            apply(data, hints, &change)?;
            replayed += 1;
        }
    }
    Ok(replayed)
}

/// As `Space` does it: the hint before the record, and after it what only the old record needed. Pieces of large values that
/// nothing refers to any more are found by the search for those that a crash left behind.
fn apply(data: &Tree, hints: &Tree, change: &Change<'_>) -> Result<()> {
    let key = change.key;
    let mut due = 0;
    let old = match change.record {
        Some(record) => {
            due = Head::read(record)?.hint;
            if due != 0 {
                hints.insert(hint(due, key), &[]).map_err(engine)?;
            }
            data.insert(key, record).map_err(engine)?
        }
        None => data.remove(key).map_err(engine)?,
    };
    if let Some(Ok(old)) = old.map(|record| Head::read(&record))
        && old.hint != 0
        && old.hint != due
    {
        hints.remove(hint(old.hint, key)).map_err(engine)?;
    }
    Ok(())
}
