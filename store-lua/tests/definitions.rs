//! The definitions for editors (`types/*.d.lua`) and the module say the same: every function, constant, result and option, in both directions;
//! and the examples use nothing that is not defined. A checker of types proper (`emmylua_check types examples/lua`) takes longer to build than
//! everything else here; this holds what such a checker would have to believe.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use common::{Bench, Vm};
use store_lua::mlua::{AnyUserData, Lua, Table, Value};

type Names = BTreeSet<String>;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn definitions() -> String {
    ["store", "errors"].map(|name| read(&root().join(format!("types/{name}.d.lua")))).concat()
}

/// The parameters of every `function PREFIX.name(...)` or `function PREFIX:name(...)`, by name.
fn functions(text: &str, prefix: &str) -> BTreeMap<String, Vec<String>> {
    let heads = [format!("function {prefix}."), format!("function {prefix}:")];
    let mut functions = BTreeMap::new();
    for line in text.lines() {
        let Some(rest) = heads.iter().find_map(|head| line.strip_prefix(head.as_str())) else { continue };
        let (name, rest) = rest.split_once('(').unwrap();
        let parameters = rest.split_once(')').unwrap().0.split(", ").filter(|name| !name.is_empty());
        let before = functions.insert(name.to_owned(), parameters.map(str::to_owned).collect());
        assert!(before.is_none(), "{prefix}.{name} is defined twice");
    }
    functions
}

/// The `---@field`s of a class, by name, with whether they may be missing.
fn fields(text: &str, class: &str) -> BTreeMap<String, bool> {
    let mut lines = text
        .lines()
        .skip_while(|line| line.strip_prefix("---@class ").is_none_or(|head| head.split(':').next() != Some(class)));
    assert!(lines.next().is_some(), "no class {class}");
    let fields = lines.map_while(|line| line.strip_prefix("---@field "));
    fields
        .map(|field| {
            let mut words = field.split(' ');
            let (name, kind) = (words.next().unwrap(), words.next().unwrap());
            (name.trim_end_matches('?').to_owned(), name.ends_with('?') || kind.ends_with('?'))
        })
        .collect()
}

fn names<T>(map: &BTreeMap<String, T>) -> Names {
    map.keys().cloned().collect()
}

fn keys(table: &Table) -> Names {
    table.pairs::<String, Value>().map(|pair| pair.unwrap().0).collect()
}

/// What a read-only view shows, with the types.
fn shown(lua: &Lua, expression: &str) -> BTreeMap<String, String> {
    let view: Table = lua.load(format!("return {expression}")).eval().unwrap();
    let fields: Table = view.metatable().unwrap().raw_get("__index").unwrap();
    let pairs = fields.pairs::<String, Value>().map(|pair| pair.unwrap());
    pairs.map(|(name, value)| (name, value.type_name().to_owned())).collect()
}

/// The methods of an object.
fn methods(lua: &Lua, expression: &str) -> Names {
    let object: AnyUserData = lua.load(format!("return {expression}")).eval().unwrap();
    keys(&object.metatable().unwrap().get::<Table>("__index").unwrap())
}

#[test]
fn every_function_and_constant_is_defined_and_exists() {
    let (text, vm) = (definitions(), Vm::new(Bench::MemorySync, ""));
    let module = shown(&vm.lua, "require('store')");
    let mut declared = &names(&functions(&text, "store")) | &names(&fields(&text, "store"));
    // In the library for stock Lua only, whose tests look at it.
    assert!(declared.remove("open"));
    assert_eq!(declared, names(&module));
    let library = shown(&vm.lua, "errors");
    let declared = &names(&functions(&text, "errors")) | &names(&fields(&text, "errors"));
    assert_eq!(declared, names(&library));
    for (name, kind) in module.iter().chain(&library) {
        let function = functions(&text, "store").contains_key(name) || functions(&text, "errors").contains_key(name);
        assert_eq!(function, kind == "function", "{name} is a {kind}");
    }
    assert_eq!(names(&functions(&text, "Store")), methods(&vm.lua, "open()"));
    assert_eq!(names(&functions(&text, "Error")), methods(&vm.lua, "errors.new('x')"));
}

#[test]
fn constants_have_the_values_that_are_defined() {
    let (text, vm) = (definitions(), Vm::new(Bench::MemorySync, ""));
    let kinds = text.lines().filter_map(|line| line.strip_prefix("---@field ")?.split_once(" \""));
    let mut count = 0;
    for (name, value) in kinds.filter(|(name, _)| name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')) {
        let value = value.split('"').next().unwrap();
        let real: String = vm.lua.load(format!("return errors.{name}")).eval().unwrap();
        assert_eq!(real, value, "{name}");
        assert!(text.contains(&format!("---| \"{value}\"\n")), "{value} is a kind");
        count += 1;
    }
    assert_eq!(count, 11);
}

/// A table that the module gives has the fields of its class: all that are not optional, and no others.
#[track_caller]
fn assert_shape(vm: &Vm, text: &str, class: &str, expression: &str) {
    let table: Table = vm.lua.load(format!("return {expression}")).eval().unwrap();
    let (declared, real) = (fields(text, class), keys(&table));
    assert!(real.is_subset(&names(&declared)), "{class}: {real:?} {declared:?}");
    for (name, _) in declared.iter().filter(|(_, optional)| !**optional) {
        assert!(real.contains(name), "{class} lacks {name}");
    }
}

#[test]
fn tables_that_are_given_have_the_shape_that_is_defined() {
    let (text, vm) = (definitions(), Vm::new(Bench::MemorySync, ""));
    vm.run("setup.lua", "cache = open() assert(cache:set('k', 1)) assert(cache:set('k2', 1))").unwrap();
    for (class, expression) in [
        ("store.Entry", "cache:entry('k')"),
        ("store.Entry", "cache:put('k', 2)"),
        ("store.Entry", "cache:list().items[1]"),
        ("store.Page", "cache:list()"),
        ("store.Page", "cache:list({ limit = 1 })"),
        ("store.Info", "cache:info()"),
        ("store.Capabilities", "cache:info().capabilities"),
        ("store.Limits", "cache:info().limits"),
        ("errors.CallStack", "errors.call_stack(errors.new('x'))"),
        ("errors.Frame", "errors.call_stack(errors.new('x')).frames[1]"),
    ] {
        assert_shape(&vm, &text, class, expression);
    }
}

/// Options: all that are defined are taken, and what the module takes is defined.
#[test]
fn options_are_those_that_are_defined() {
    let (text, vm) = (definitions(), Vm::new(Bench::MemorySync, ""));
    vm.run("setup.lua", "cache = open() assert(cache:set('k', 1))").unwrap();
    let samples = [
        ("ttl", "1"),
        ("keep_ttl", "false"),
        ("only_if_absent", "false"),
        ("only_if_present", "false"),
        ("if_version", "'no-version'"),
        ("initial", "1"),
        ("prefix", "'x'"),
        ("after", "cache:list({ limit = 1, prefix = 'k' }).cursor"),
        ("limit", "1"),
        ("keys_only", "true"),
        ("negative_ttl", "1"),
        ("stale_on_error", "1"),
        ("key", "'k'"),
        ("value", "1"),
    ];
    for (class, call) in [
        ("store.PutOptions", "cache:put('k', 1, OPTIONS)"),
        ("store.VersionOptions", "cache:delete('none', OPTIONS)"),
        ("store.VersionOptions", "cache:touch('none', 1, OPTIONS)"),
        ("store.IncrementOptions", "cache:increment('n', 1, OPTIONS)"),
        ("store.ListOptions", "cache:list(OPTIONS)"),
        ("store.ListOptions", "cache:each(OPTIONS)"),
        ("store.ClearOptions", "cache:clear(OPTIONS)"),
        ("store.LoadOptions", "cache:get_or_set('l', function() return 1 end, OPTIONS)"),
    ] {
        let declared = fields(&text, class);
        for name in declared.keys() {
            let sample = samples.iter().find(|(own, _)| own == name).unwrap_or_else(|| panic!("a value for {name}")).1;
            let call = call.replace("OPTIONS", &format!("{{ {name} = {sample} }}"));
            let source =
                format!("local _, err = {call} if errors.is(err, errors.INVALID) then return tostring(err) end");
            let refused: Option<String> = vm.lua.load(source).eval().unwrap();
            assert_eq!(refused, None, "{class}.{name}");
        }
        // A misspelt one is refused, with the names of those that there are.
        let call = call.replace("OPTIONS", "{ mispelt = 1 }");
        let said: String = vm.lua.load(format!("return tostring(select(2, {call}))")).eval().unwrap();
        let listed = said.rsplit_once("; there is ").unwrap().1;
        let known: Names = listed.split([' ', ',']).filter(|word| !word.is_empty()).map(str::to_owned).collect();
        assert_eq!(known, names(&declared), "{said}");
    }
}

/// Every `cache:name(`, `store.name` and `errors.NAME` of the examples.
#[test]
fn the_examples_use_what_is_defined() {
    let text = definitions();
    let methods = &names(&functions(&text, "Store")) | &names(&functions(&text, "Error"));
    let module = &names(&functions(&text, "store")) | &names(&fields(&text, "store"));
    let library = &names(&functions(&text, "errors")) | &names(&fields(&text, "errors"));
    // Of Lua's strings.
    let strings = ["format", "gsub", "match", "rep", "sub", "find", "byte", "upper", "lower", "gmatch"];
    let mut seen = 0;
    for entry in std::fs::read_dir(root().join("../examples/lua")).unwrap() {
        let path = entry.unwrap().path();
        let code: String =
            read(&path).lines().map(|line| line.split("--").next().unwrap_or_default().to_owned() + "\n").collect();
        // Methods of the example's own.
        let own: Names = code
            .lines()
            .filter_map(|line| {
                line.trim_start().strip_prefix("function ")?.split(['(']).next()?.split([':', '.']).nth(1)
            })
            .map(str::to_owned)
            .collect();
        let mut words = code.split(|char: char| !char.is_alphanumeric() && !matches!(char, '_' | '.' | ':' | '('));
        for word in &mut words {
            for (separator, known) in [("store.", &module), ("errors.", &library)] {
                if let Some(name) = word.trim_start_matches('(').strip_prefix(separator) {
                    let name = name.split(['(', '.', ':']).next().unwrap();
                    assert!(known.contains(name), "{}: {word}", path.display());
                    seen += 1;
                }
            }
            if let Some((_, call)) = word.split_once(':')
                && let Some((name, _)) = call.split_once('(')
            {
                let known = methods.contains(name) || own.contains(name) || strings.contains(&name);
                assert!(known, "{}: {word}", path.display());
                seen += 1;
            }
        }
    }
    assert!(seen > 50, "only {seen} uses were found");
}
