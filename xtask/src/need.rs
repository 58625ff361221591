//! What the tests need beyond Rust, and how to get it: a C compiler (Lua and the tests' own helpers are built with it), and
//! the programs of [`TOOLS`].

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{Failed, cargo, command, root, step};

/// A program that tests start.
#[derive(Debug)]
struct Tool {
    program: &'static str,
    why: &'static str,
    /// Whether it takes all tests to need it: those of one package run without.
    only_all: bool,
    /// The package that brings it, by package manager; `None` where it is a part of the system.
    package: fn(&str) -> Option<&'static str>,
}

const TOOLS: &[Tool] = &[
    Tool {
        program: "redis-server",
        why: "the Redis backend is tested against a real server",
        only_all: false,
        package: |manager| Some(if manager == "apt-get" { "redis-server" } else { "redis" }),
    },
    Tool {
        program: "openssl",
        why: "servers with TLS get certificates made for the test",
        only_all: false,
        package: |manager| Some(if manager == "brew" { "openssl@3" } else { "openssl" }),
    },
    Tool {
        program: "kill",
        why: "processes are killed and interrupted in the middle of their work",
        only_all: false,
        package: |manager| match manager {
            "apt-get" | "apk" | "zypper" => Some("procps"),
            "dnf" | "pacman" => Some("procps-ng"),
            _ => None,
        },
    },
    Tool {
        program: "lua5.4",
        why: "the shared library is loaded by stock Lua",
        only_all: true,
        package: |manager| matches!(manager, "apt-get" | "apk").then_some("lua5.4"),
    },
    Tool {
        program: "busted",
        why: "the conformance cases run as a busted spec",
        only_all: true,
        package: |manager| (manager == "apt-get").then_some("lua-busted"),
    },
    Tool {
        program: "luarocks",
        why: "the rock is made, installed and loaded",
        only_all: true,
        package: |manager| match manager {
            "apk" => Some("luarocks5.4"),
            "zypper" => Some("lua54-luarocks"),
            _ => Some("luarocks"),
        },
    },
    Tool {
        program: "c++",
        why: "Luau is built from source",
        only_all: true,
        package: |manager| match manager {
            "dnf" | "zypper" => Some("gcc-c++"),
            "pacman" => Some("gcc"),
            "brew" => None,
            _ => Some("g++"),
        },
    },
    Tool {
        program: "luajit",
        why: "the shared library is loaded by LuaJIT",
        only_all: true,
        package: |_| Some("luajit"),
    },
];

/// What only `cargo xtask deep` needs.
const DEEP_TOOLS: &[Tool] = &[
    Tool {
        program: "lua5.1",
        why: "the shared library is loaded by stock Lua",
        only_all: true,
        package: |manager| matches!(manager, "apt-get" | "apk").then_some("lua5.1"),
    },
    Tool {
        program: "lua5.2",
        why: "the shared library is loaded by stock Lua",
        only_all: true,
        package: |manager| matches!(manager, "apt-get" | "apk").then_some("lua5.2"),
    },
    Tool {
        program: "lua5.3",
        why: "the shared library is loaded by stock Lua",
        only_all: true,
        package: |manager| matches!(manager, "apt-get" | "apk").then_some("lua5.3"),
    },
];

/// The interpreters that the shared library is tested in, and the Cargo feature for each.
pub(crate) const INTERPRETERS: &[(&str, &str)] = &[("lua5.4", "lua54"), ("luajit", "luajit")];

/// Those that `cargo xtask deep` adds. (No system has a package of Lua 5.5 yet; embedded, it is tested too.)
pub(crate) const DEEP_INTERPRETERS: &[(&str, &str)] = &[("lua5.1", "lua51"), ("lua5.2", "lua52"), ("lua5.3", "lua53")];

/// How a system installs packages.
#[derive(Debug)]
struct Manager {
    /// The program that installs.
    program: &'static str,
    /// What to run before, so that packages are known.
    refresh: Option<&'static [&'static str]>,
    /// How to install, without questions.
    install: &'static [&'static str],
    /// Whether it must run as root.
    root: bool,
}

const MANAGERS: [Manager; 6] = [
    Manager {
        program: "apt-get",
        refresh: Some(&["update", "-q"]),
        install: &["install", "-q", "-y", "--no-install-recommends"],
        root: true,
    },
    Manager { program: "dnf", refresh: None, install: &["install", "-q", "-y"], root: true },
    Manager { program: "apk", refresh: None, install: &["add", "--no-progress", "-U"], root: true },
    Manager { program: "pacman", refresh: None, install: &["-Sy", "--noconfirm"], root: true },
    Manager { program: "zypper", refresh: None, install: &["--non-interactive", "install"], root: true },
    Manager { program: "brew", refresh: None, install: &["install"], root: false },
];

/// Packages whose tests start no server.
const MODEST: [&str; 4] = ["store-core", "store-memory", "store-sled", "xtask"];

/// What the tests of these packages start; of none, what all tests do.
fn needed(packages: &[String]) -> Vec<&'static Tool> {
    let modest = packages.iter().all(|package| MODEST.contains(&package.as_str()));
    let few = |tool: &&Tool| !tool.only_all && (!modest || tool.program == "kill");
    TOOLS.iter().filter(|tool| packages.is_empty() || few(tool)).collect()
}

/// Installs what the tests of these packages need and is missing; of none, what all tests need.
pub(crate) fn install(packages: &[String]) -> Result<(), Failed> {
    install_all(&needed(packages))
}

/// Installs what is missing for `cargo xtask deep`.
pub(crate) fn install_deep() -> Result<(), Failed> {
    install_all(&TOOLS.iter().chain(DEEP_TOOLS).collect::<Vec<_>>())
}

fn install_all(tools: &[&'static Tool]) -> Result<(), Failed> {
    if ["cc", "gcc", "clang"].iter().all(|compiler| find(compiler).is_none()) {
        return Err(Failed::new(
            "no C compiler found (cc). Lua is built from source with one: install `build-essential`, `gcc`, or the \
             developer tools of your system",
        ));
    }
    let (there, missing): (Vec<&Tool>, Vec<&Tool>) = tools.iter().partition(|tool| find(tool.program).is_some());
    for tool in there {
        println!("needs: {} is there", tool.program);
    }
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|tool| tool.program).collect();
    let manager = MANAGERS.iter().find(|manager| find(manager.program).is_some()).ok_or_else(|| {
        Failed::new(format!("{}: not installed, and no known package manager is there to do it", names.join(", ")))
    })?;
    for tool in &missing {
        println!("needs: {} is missing ({})", tool.program, tool.why);
    }
    let packages: Vec<&'static str> = missing.iter().filter_map(|tool| (tool.package)(manager.program)).collect();
    // Not every system calls its interpreter by the version: what cannot be tested there is said, where it would be.
    let missing: Vec<&Tool> = missing
        .into_iter()
        .filter(|tool| (tool.package)(manager.program).is_some() || !is_interpreter(tool.program))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let lines = lines(manager, &packages, is_root(), find("sudo").is_some());
    // A stale package list is common and mostly harmless, and one dead mirror must not stop us: only the last line counts.
    for (index, line) in lines.iter().enumerate() {
        let mut command = command(line[0], &line[1..]);
        command.env("DEBIAN_FRONTEND", "noninteractive");
        let done = step(&format!("install {}", packages.join(", ")), command);
        if index + 1 == lines.len() {
            done?;
        } else if let Err(failed) = done {
            println!("    going on all the same: {failed}");
        }
    }
    match missing.iter().find(|tool| find(tool.program).is_none()) {
        None => Ok(()),
        Some(tool) => Err(Failed::new(format!("{} installed no {}: put one on PATH", manager.program, tool.program))),
    }
}

/// The version of mdBook that the book is built with. Without its features: no search, no server, and half the time to build.
const MDBOOK: &str = "0.5.4";

/// mdBook: the one on PATH if it is of a known line, else one of our own in `target/tools`, which is built once.
pub(crate) fn mdbook() -> Result<PathBuf, Failed> {
    cargo_tool("mdbook", MDBOOK, &["--no-default-features"])
}

/// cargo-deny, likewise.
pub(crate) fn cargo_deny() -> Result<PathBuf, Failed> {
    cargo_tool("cargo-deny", "0.20.2", &[])
}

/// A program that crates.io has: on PATH in this version, or built into `target/tools`.
fn cargo_tool(name: &str, version: &str, options: &[&str]) -> Result<PathBuf, Failed> {
    let is_right = |program: &Path| {
        let asked = Command::new(program).arg("--version").output();
        asked.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(version))
    };
    let tools = root().join("target").join("tools");
    let ours = tools.join("bin").join(name);
    if let Some(program) = find(name).into_iter().chain([ours.clone()]).find(|program| is_right(program)) {
        println!("needs: {name} {version} is there");
        return Ok(program);
    }
    println!("needs: {name} {version} is missing");
    let mut install = cargo(&["install", name, "--locked", "--debug", "--quiet", "--version", version, "--root"]);
    install.arg(&tools).args(options).arg("--target-dir").arg(tools.join("build"));
    install.env("CARGO_PROFILE_DEV_DEBUG", "none");
    step(&format!("install {name}"), install)?;
    // What it was built from is not needed again, and is large.
    let _ = std::fs::remove_dir_all(tools.join("build"));
    Ok(ours)
}

/// The commands that install packages.
fn lines(manager: &Manager, packages: &[&'static str], is_root: bool, has_sudo: bool) -> Vec<Vec<&'static str>> {
    let mut prefix = Vec::new();
    if manager.root && !is_root && has_sudo {
        // -n: fail rather than ask for a password that nobody is there to type.
        prefix = if std::env::var_os("CI").is_some() { vec!["sudo", "-n"] } else { vec!["sudo"] };
    }
    let whole = |args: &[&'static str], packages: &[&'static str]| {
        let mut line = prefix.clone();
        line.push(manager.program);
        line.extend_from_slice(args);
        line.extend_from_slice(packages);
        line
    };
    let mut lines: Vec<Vec<&'static str>> = manager.refresh.iter().map(|args| whole(args, &[])).collect();
    lines.push(whole(manager.install, packages));
    lines
}

fn is_interpreter(program: &str) -> bool {
    program == "busted" || INTERPRETERS.iter().chain(DEEP_INTERPRETERS).any(|(interpreter, _)| *interpreter == program)
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Looks a program up on PATH.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manager(program: &str) -> &'static Manager {
        MANAGERS.iter().find(|manager| manager.program == program).unwrap()
    }

    #[test]
    fn the_first_change_takes_no_server() {
        let names = |packages: &[&str]| -> Vec<&str> {
            let packages: Vec<String> = packages.iter().map(ToString::to_string).collect();
            needed(&packages).into_iter().map(|tool| tool.program).collect()
        };
        assert_eq!(names(&["store-core", "store-sled"]), ["kill"]);
        assert_eq!(names(&["store-core", "store-redis"]), ["redis-server", "openssl", "kill"]);
        assert_eq!(names(&[]).len(), TOOLS.len());
        // What starts servers does so with this.
        for package in MODEST {
            let manifest = std::fs::read_to_string(root().join(package).join("Cargo.toml")).unwrap();
            assert!(!manifest.contains("store-testkit"), "{package} starts servers");
        }
    }

    #[test]
    fn root_installs_without_sudo_and_others_with_it() {
        let apt = manager("apt-get");
        let packages = ["redis-server", "openssl"];
        let as_root = lines(apt, &packages, true, true);
        assert_eq!(as_root[0], ["apt-get", "update", "-q"]);
        assert_eq!(as_root[1][0], "apt-get");
        assert!(as_root[1].ends_with(&packages));
        assert!(lines(apt, &packages, false, true).iter().all(|line| line[0] == "sudo"));
        assert!(
            lines(apt, &packages, false, false).iter().all(|line| line[0] == "apt-get"),
            "it says itself what is missing"
        );
    }

    #[test]
    fn brew_never_runs_as_root() {
        assert_eq!(lines(manager("brew"), &["redis"], false, true), [["brew", "install", "redis"]]);
    }

    #[test]
    fn every_manager_knows_the_server() {
        for manager in &MANAGERS {
            assert!((TOOLS[0].package)(manager.program).is_some());
        }
    }
}
