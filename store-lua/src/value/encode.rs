//! From Lua to MessagePack.

use mlua::{Table, Value};
use store_core::Error;
use store_core::codec::{Encoder, Limits};

use super::path::Path;
use super::{ArrayMark, is_integer_here};

/// Up to this depth tables are walked inside of one protected call each, which is faster; Lua allows some 200 nested ones in all.
const NESTED_CALLS: usize = 40;

/// Why a value could not be encoded.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The value is at fault.
    Value(Error),
    /// The VM is: out of memory, out of stack.
    Vm(mlua::Error),
}

impl From<mlua::Error> for Fault {
    fn from(error: mlua::Error) -> Fault {
        Fault::Vm(error)
    }
}

/// Appends the encoding of a value.
///
/// Tables whose keys are exactly 1 to n become arrays, all others maps with typed keys. Metatables are not looked at, except for the
/// mark of `store.array` on an empty table. Time is proportional to what is written; a shared subtable is written each time.
pub(crate) fn encode(value: &Value, mark: &ArrayMark, limits: &Limits, out: &mut Vec<u8>) -> Result<(), Fault> {
    if value.is_nil() || value.is_null() {
        return Err(Fault::Value(Error::invalid("value is required; use delete")));
    }
    let encoder = Encoder::new(out, limits);
    let mut walk = Walk { encoder, mark, path: Path::default(), placed: false, careful: false };
    walk.value(value).map_err(|fault| match fault {
        Fault::Value(error) if walk.placed => Fault::Value(walk.path.place(error)),
        other => other,
    })
}

struct Walk<'a> {
    encoder: Encoder<'a>,
    mark: &'a ArrayMark,
    path: Path,
    /// Whether the error has a place in the value.
    placed: bool,
    /// Whether tables are counted before they are written. So it is once a guess was wrong: every table may be guessed wrongly once,
    /// not once for each way that leads to it.
    careful: bool,
}

impl Walk<'_> {
    fn value(&mut self, value: &Value) -> Result<(), Fault> {
        let written = match value {
            Value::Boolean(bool) => self.encoder.bool(*bool),
            Value::Integer(number) => self.number(*number),
            Value::Number(number) => self.encoder.float(*number),
            Value::String(string) => self.encoder.string(&string.as_bytes()),
            Value::Table(table) => return self.table(table),
            value if value.is_null() => self.encoder.nil(),
            other => return Err(self.unsupported(other, "")),
        };
        written.map_err(Fault::Value)
    }

    #[expect(clippy::cast_precision_loss, reason = "on such a Lua the number is a float")]
    fn number(&mut self, number: i64) -> Result<(), Error> {
        if is_integer_here(number) { self.encoder.int(number) } else { self.encoder.float(number as f64) }
    }

    fn key(&mut self, key: &Value) -> Result<(), Fault> {
        match key {
            Value::String(string) => self.encoder.string(&string.as_bytes()).map_err(Fault::Value),
            Value::Integer(_) | Value::Number(_) | Value::Boolean(_) => self.value(key),
            other => Err(self.unsupported(other, " as a key")),
        }
    }

    #[cold]
    fn unsupported(&mut self, value: &Value, position: &str) -> Fault {
        self.placed = true;
        let name = match value {
            Value::Error(_) => "userdata",
            other => other.type_name(),
        };
        let role = if position.is_empty() { "value" } else { "key" };
        Fault::Value(
            Error::invalid(format!("{name}{position}")).with_detail("type", name).with_detail("position", role),
        )
    }

    fn table(&mut self, table: &Table) -> Result<(), Fault> {
        let length = table.raw_len();
        // A border of a sparse table can be anything; more entries than bytes left cannot be.
        if length > 0 && !self.careful && length <= self.encoder.room() {
            if self.sequence_in_order(table, length)? {
                return Ok(());
            }
            self.careful = true;
        }
        if length > 0 && is_sequence(table, length)? {
            return self.sequence(table, length);
        }
        if length == 0 && self.mark.is_on(table) && table.is_empty() {
            let open = self.begin(|encoder| encoder.begin_array(0))?;
            return self.encoder.end(open, 0).map_err(Fault::Value);
        }
        let open = self.begin(|encoder| encoder.begin_map(0))?;
        let mut count = 0;
        self.for_each(table, |walk, key, value| {
            count += 1;
            walk.key(key)?;
            walk.value(value)?;
            Ok(true)
        })?;
        self.encoder.end(open, count).map_err(Fault::Value)
    }

    fn begin<T>(&mut self, begin: impl FnOnce(&mut Encoder<'_>) -> Result<T, Error>) -> Result<T, Fault> {
        let depth = self.encoder.depth();
        begin(&mut self.encoder).map_err(|error| {
            // Too deep, which has a place, or too large, which has none.
            self.placed = self.encoder.depth() == depth;
            Fault::Value(error)
        })
    }

    /// Writes an array as long as `next` gives 1, 2, 3, ... up to the length: so it does, unless the table was filled in odd ways.
    /// If not, nothing is written.
    fn sequence_in_order(&mut self, table: &Table, length: usize) -> Result<bool, Fault> {
        let start = self.encoder.position();
        let open = self.begin(|encoder| encoder.begin_array(length))?;
        let mut seen = 0_usize;
        self.for_each(table, |walk, key, value| {
            let expected = matches!(key, Value::Integer(index) if usize::try_from(*index) == Ok(seen + 1));
            if !expected || seen == length {
                seen = usize::MAX;
                return Ok(false);
            }
            walk.value(value)?;
            seen += 1;
            Ok(true)
        })?;
        if seen == length {
            self.encoder.end(open, length).map_err(Fault::Value)?;
            return Ok(true);
        }
        self.encoder.truncate(start);
        self.encoder.leave();
        Ok(false)
    }

    fn sequence(&mut self, table: &Table, length: usize) -> Result<(), Fault> {
        let open = self.begin(|encoder| encoder.begin_array(length))?;
        for index in 1..=length {
            let value: Value = table.raw_get(index)?;
            self.value(&value).map_err(|fault| self.leave_mark(fault, &Value::Integer(to_index(index))))?;
        }
        self.encoder.end(open, length).map_err(Fault::Value)
    }

    /// Calls `visit` for every entry until it says false. No metamethod is run.
    fn for_each(
        &mut self,
        table: &Table,
        mut visit: impl FnMut(&mut Self, &Value, &Value) -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        if self.encoder.depth() > NESTED_CALLS {
            for pair in table.pairs::<Value, Value>() {
                let (key, value) = pair?;
                if !visit(self, &key, &value).map_err(|fault| self.leave_mark(fault, &key))? {
                    break;
                }
            }
            return Ok(());
        }
        let mut stopped = None;
        let walked = table.for_each(|key: Value, value: Value| match visit(self, &key, &value) {
            Ok(true) => Ok(()),
            Ok(false) => {
                stopped = Some(Ok(()));
                Err(mlua::Error::StackError)
            }
            Err(fault) => {
                stopped = Some(Err(self.leave_mark(fault, &key)));
                Err(mlua::Error::StackError)
            }
        });
        match stopped {
            Some(stopped) => stopped,
            None => walked.map_err(Fault::Vm),
        }
    }

    #[cold]
    fn leave_mark(&mut self, fault: Fault, key: &Value) -> Fault {
        match key {
            Value::String(name) => self.path.at_key(&name.as_bytes()),
            Value::Integer(index) => self.path.at_index(*index),
            Value::Boolean(bool) => self.path.at(if *bool { "true" } else { "false" }),
            Value::Number(_) => self.path.at("..."),
            // The key itself is at fault: the place is its table.
            _ => {}
        }
        fault
    }
}

fn to_index(index: usize) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}

/// Whether the keys are exactly 1 to `length`.
fn is_sequence(table: &Table, length: usize) -> Result<bool, Fault> {
    let mut count = 0_usize;
    let mut fits = true;
    let walked = table.for_each(|key: Value, _: Value| {
        count += 1;
        fits = count <= length
            && matches!(key, Value::Integer(index) if usize::try_from(index).is_ok_and(|index| (1..=length).contains(&index)));
        if fits { Ok(()) } else { Err(mlua::Error::StackError) }
    });
    if fits {
        walked?;
    }
    Ok(fits && count == length)
}
