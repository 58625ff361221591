//! What the tests need beyond Rust, and how to get it: a C compiler (Lua and the tests' own helpers are built with it)
//! and a Redis server.

use std::path::PathBuf;
use std::process::Command;

use crate::run::{Failed, command, step};

/// How a system installs a program.
#[derive(Debug, PartialEq, Eq)]
struct Manager {
    /// The program that installs.
    program: &'static str,
    /// What to run before, so that the package is known.
    refresh: Option<&'static [&'static str]>,
    /// How to install, without questions.
    install: &'static [&'static str],
    /// The package that brings `redis-server`.
    redis: &'static str,
    /// Whether it must run as root.
    root: bool,
}

const MANAGERS: [Manager; 6] = [
    Manager {
        program: "apt-get",
        refresh: Some(&["update", "-q"]),
        install: &["install", "-q", "-y", "--no-install-recommends"],
        redis: "redis-server",
        root: true,
    },
    Manager { program: "dnf", refresh: None, install: &["install", "-q", "-y"], redis: "redis", root: true },
    Manager { program: "apk", refresh: None, install: &["add", "--no-progress", "-U"], redis: "redis", root: true },
    Manager { program: "pacman", refresh: None, install: &["-Sy", "--noconfirm"], redis: "redis", root: true },
    Manager {
        program: "zypper",
        refresh: None,
        install: &["--non-interactive", "install"],
        redis: "redis",
        root: true,
    },
    Manager { program: "brew", refresh: None, install: &["install"], redis: "redis", root: false },
];

/// Installs what is missing.
pub(crate) fn install() -> Result<(), Failed> {
    if find("cc").is_none() && find("gcc").is_none() && find("clang").is_none() {
        return Err(Failed::new(
            "no C compiler found (cc). Lua is built from source with one: install `build-essential`, `gcc`, or the \
             developer tools of your system",
        ));
    }
    if let Some(path) = find("redis-server") {
        println!("needs: redis-server is {}", path.display());
        return Ok(());
    }
    let manager = MANAGERS.iter().find(|manager| find(manager.program).is_some()).ok_or_else(|| {
        Failed::new(
            "redis-server is not installed, and no known package manager is there to install it: put it on PATH",
        )
    })?;
    println!("needs: redis-server is missing; installing it with {}", manager.program);
    let lines = lines(manager, is_root(), find("sudo").is_some());
    // A stale package list is common and mostly harmless, and one dead mirror must not stop us: only the last line counts.
    for (index, line) in lines.iter().enumerate() {
        let mut command = command(line[0], &line[1..]);
        command.env("DEBIAN_FRONTEND", "noninteractive");
        let done = step("install redis-server", command);
        if index + 1 == lines.len() {
            done?;
        } else if let Err(failed) = done {
            println!("    going on all the same: {failed}");
        }
    }
    match find("redis-server") {
        Some(path) => {
            println!("needs: redis-server is {}", path.display());
            Ok(())
        }
        None => Err(Failed::new(format!("{} installed no redis-server: put one on PATH", manager.program))),
    }
}

/// The commands that install Redis.
fn lines(manager: &Manager, is_root: bool, has_sudo: bool) -> Vec<Vec<&'static str>> {
    let mut prefix = Vec::new();
    if manager.root && !is_root && has_sudo {
        // -n: fail rather than ask for a password that nobody is there to type.
        prefix = if std::env::var_os("CI").is_some() { vec!["sudo", "-n"] } else { vec!["sudo"] };
    }
    let whole = |args: &[&'static str], package: Option<&'static str>| {
        let mut line = prefix.clone();
        line.push(manager.program);
        line.extend_from_slice(args);
        line.extend(package);
        line
    };
    let mut lines: Vec<Vec<&'static str>> = manager.refresh.iter().map(|args| whole(args, None)).collect();
    lines.push(whole(manager.install, Some(manager.redis)));
    lines
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Looks a program up on PATH.
fn find(program: &str) -> Option<PathBuf> {
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
    fn root_installs_without_sudo_and_others_with_it() {
        let apt = manager("apt-get");
        let as_root = lines(apt, true, true);
        assert_eq!(as_root[0], ["apt-get", "update", "-q"]);
        assert_eq!(as_root[1].last(), Some(&"redis-server"));
        assert_eq!(as_root[1][0], "apt-get");
        assert!(lines(apt, false, true).iter().all(|line| line[0] == "sudo"));
        assert!(lines(apt, false, false).iter().all(|line| line[0] == "apt-get"), "it says itself what is missing");
    }

    #[test]
    fn brew_never_runs_as_root() {
        assert_eq!(lines(manager("brew"), false, true), [["brew", "install", "redis"]]);
    }
}
