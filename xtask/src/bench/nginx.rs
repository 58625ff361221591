//! The nginx that calls from Lua are measured beside.
//!
//! Its packages are unpacked and never installed: Debian's Lua module for nginx brings a LuaJIT of its own, which would displace the
//! package `luajit` that the tests use. Nobody needs to be root for it.

use std::path::{Path, PathBuf};

use crate::need::find;
use crate::run::{Failed, command, output, root, step};

/// Where the benchmark looks for what was unpacked.
pub(crate) const UNPACKED: &str = "STORE_BENCH_NGINX";

/// nginx, its module for Lua, cjson, and the libraries of these that not every system has.
const PACKAGES: [&str; 10] = [
    "nginx",
    "libnginx-mod-http-ndk",
    "libnginx-mod-http-lua",
    "lua-resty-core",
    "lua-resty-lrucache",
    "lua-cjson",
    "libluajit2-5.1-2",
    "libluajit2-5.1-common",
    "libpcre3",
    "libpcre2-8-0",
];

/// The folder that they are in: the user's, or one of ours, which is filled when it is first needed. Without apt there is none, and the
/// benchmark measures our side alone, and says so.
pub(crate) fn unpacked() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os(UNPACKED) {
        return Some(folder.into());
    }
    if find("apt-get").is_none() || find("dpkg").is_none() {
        return None;
    }
    let folder = root().join("target").join("tools").join("nginx");
    let done = if folder.exists() { Ok(()) } else { unpack(&folder) };
    match done {
        Ok(()) => Some(folder),
        Err(why) => {
            println!("    going on without nginx: {why}");
            None
        }
    }
}

/// All or nothing: a folder that exists is complete.
fn unpack(folder: &Path) -> Result<(), Failed> {
    let part = folder.with_extension("part");
    let (packages, files) = (part.join("packages"), part.join("files"));
    let failed = |error: std::io::Error| Failed::new(format!("{}: {error}", part.display()));
    if part.exists() {
        std::fs::remove_dir_all(&part).map_err(failed)?;
    }
    std::fs::create_dir_all(&packages).map_err(failed)?;
    let download = || {
        let mut download = command("apt-get", &["download", "-q"]);
        download.args(PACKAGES).current_dir(&packages);
        step("download nginx and its module for Lua", download)
    };
    if download().is_err() {
        // Lists that are missing or stale. Only root can make them anew; who is not is told by the second try what is missing.
        if let Err(why) = step("lists of packages", command("apt-get", &["update", "-q"])) {
            println!("    going on all the same: {why}");
        }
        download()?;
    }
    for package in std::fs::read_dir(&packages).map_err(failed)? {
        let mut unpack = command("dpkg", &["-x"]);
        unpack.arg(package.map_err(failed)?.path()).arg(&files);
        output(unpack)?;
    }
    std::fs::rename(&files, folder).map_err(failed)?;
    std::fs::remove_dir_all(&part).map_err(failed)
}
