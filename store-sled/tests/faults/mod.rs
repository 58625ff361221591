//! A disk that can lose power and fail, and a child that works on it.
#![allow(dead_code, reason = "each test uses its part")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

/// The preloaded library, compiled once a process.
fn library() -> &'static Path {
    static BUILT: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = BUILT.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("libdisk.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/disk.c");
        let built = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-Wall", "-o"]).arg(&path).arg(source).status();
        let ok = built.is_ok_and(|status| status.success());
        assert!(ok, "this test needs a C compiler: apt-get install gcc libc6-dev");
        (folder, path)
    });
    path
}

pub(crate) struct Disk {
    folder: tempfile::TempDir,
}

pub(crate) struct Run<'a> {
    pub(crate) durability: &'a str,
    pub(crate) seed: u64,
    pub(crate) writers: u64,
    /// `write N ERRNO` or `sync N ERRNO`; with 0 it is killed at that call, and the power fails.
    pub(crate) fail: Option<&'a str>,
    /// When to kill it; else it is waited for.
    pub(crate) kill: Option<Duration>,
    /// The time to the kill begins when it has opened the store.
    pub(crate) opened: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Ran {
    /// Operations that the first writer acknowledged.
    pub(crate) acknowledged: u64,
    /// What the child said of failures.
    pub(crate) failures: Vec<String>,
    pub(crate) opened: bool,
}

impl Disk {
    pub(crate) fn new() -> Disk {
        let folder = tempfile::tempdir().unwrap();
        for name in ["live", "shadow"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let root = fs::metadata(folder.path().join("live")).unwrap().ino();
        fs::write(folder.path().join("shadow/root"), format!("{root}\n")).unwrap();
        Disk { folder }
    }

    /// A disk that holds a database, durably.
    pub(crate) fn holding(database: &Path) -> Disk {
        let disk = Disk::new();
        copy(database, &disk.live());
        let root = disk.folder.path().join("live");
        for folder in [root.clone(), root.join("db"), root.join("db/blobs")].iter().filter(|folder| folder.exists()) {
            remember(&disk.folder.path().join("shadow"), folder);
        }
        disk
    }

    /// The database as the process sees it.
    pub(crate) fn live(&self) -> PathBuf {
        self.folder.path().join("live/db")
    }

    pub(crate) fn run(&self, run: &Run<'_>) -> Ran {
        let path = self.folder.path();
        let mut command = Command::new(env!("CARGO_BIN_EXE_store-sled-child"));
        command.arg(self.live()).args([run.durability, &run.seed.to_string(), &run.writers.to_string()]);
        command.env("LD_PRELOAD", library()).env("STORE_DISK_ROOT", path.join("live")).stdout(Stdio::piped());
        if let Some(fail) = run.fail {
            command.env("STORE_DISK_FAIL", fail).stderr(Stdio::null());
        }
        if run.fail.is_none_or(|fail| fail.ends_with(" 0")) {
            command.env("STORE_DISK_SHADOW", path.join("shadow"));
        }
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (open, is_open) = mpsc::channel();
        let reader = thread::spawn(move || {
            let mut ran = Ran::default();
            for line in out.lines() {
                let line = line.unwrap();
                match line.split(' ').collect::<Vec<_>>()[..] {
                    ["O"] => {
                        ran.opened = true;
                        open.send(()).unwrap();
                    }
                    ["C"] => {}
                    ["A", "0", number, _] => ran.acknowledged = number.parse().unwrap(),
                    ["A", ..] => {}
                    _ => ran.failures.push(line),
                }
            }
            ran
        });
        match run.kill {
            Some(after) => {
                if run.opened {
                    is_open.recv_timeout(Duration::from_secs(30)).expect("the child opens the store");
                }
                thread::sleep(after);
                child.kill().unwrap();
            }
            None => {
                // Nothing may hang.
                let (done, is_done) = mpsc::channel();
                let id = child.id();
                let watch = thread::spawn(move || {
                    if is_done.recv_timeout(Duration::from_secs(60)).is_err() {
                        let _killed = Command::new("kill").args(["-9", &id.to_string()]).status();
                        panic!("the child hangs");
                    }
                });
                child.wait().unwrap();
                done.send(()).unwrap();
                watch.join().unwrap();
            }
        }
        child.wait().unwrap();
        reader.join().unwrap()
    }

    /// What is there after the power came back. `torn`: of what was not synced some blocks are there as well.
    pub(crate) fn image(&self, torn: bool) -> PathBuf {
        let shadow = self.folder.path().join("shadow");
        let root = fs::read_to_string(shadow.join("root")).unwrap();
        let image = self.folder.path().join("image");
        restore(&shadow, root.trim(), &image, torn.then(|| self.folder.path().join("live")).as_deref());
        image.join("db")
    }
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Has the shadow know a folder and its files as they are.
fn remember(shadow: &Path, folder: &Path) {
    let mut names = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let meta = entry.metadata().unwrap();
        let kind = if meta.is_dir() { 'd' } else { 'f' };
        names.push_str(&format!("{kind} {} {}\n", meta.ino(), entry.file_name().to_str().unwrap()));
        if !meta.is_dir() {
            fs::copy(entry.path(), shadow.join(format!("inode.{}", meta.ino()))).unwrap();
        }
    }
    fs::write(shadow.join(format!("folder.{}", fs::metadata(folder).unwrap().ino())), names).unwrap();
}

fn restore(shadow: &Path, inode: &str, to: &Path, live: Option<&Path>) {
    fs::create_dir(to).unwrap();
    // A folder that was never synced is empty.
    let names = fs::read_to_string(shadow.join(format!("folder.{inode}"))).unwrap_or_default();
    for line in names.lines() {
        let mut words = line.splitn(3, ' ');
        let (kind, inode, name) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
        let live = live.map(|live| live.join(name));
        if kind == "d" {
            restore(shadow, inode, &to.join(name), live.as_deref());
            continue;
        }
        // A file that was never synced is empty.
        let mut content = fs::read(shadow.join(format!("inode.{inode}"))).unwrap_or_default();
        if ["db", "journal"].contains(&name)
            && let Some(now) = live.and_then(|live| fs::read(live).ok())
        {
            for (at, block) in now.chunks(4096).enumerate() {
                let start = at * 4096;
                if content.get(start..start + block.len()) != Some(block) && fastrand::bool() {
                    content.resize(content.len().max(start + block.len()), 0);
                    content[start..start + block.len()].copy_from_slice(block);
                }
            }
        }
        fs::write(to.join(name), content).unwrap();
    }
}
