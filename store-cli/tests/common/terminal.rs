//! A terminal that a test sits at.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::thread;

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// Runs the command at a terminal, types this, and gives the exit code and all that stood on the screen.
pub(crate) fn at_terminal(mut command: Command, typed: &str) -> (Option<i32>, String) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let theirs: OwnedFd = open(name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
    let end = || Stdio::from(theirs.try_clone().unwrap());
    command.stdin(end()).stdout(end()).stderr(end());
    let mut child = command.spawn().unwrap();
    let mut ours = File::from(ours);
    ours.write_all(typed.as_bytes()).unwrap();
    let mut screen = ours.try_clone().unwrap();
    let reader = thread::spawn(move || {
        let (mut seen, mut chunk) = (Vec::new(), [0; 4096]);
        while !seen.ends_with(END) {
            let count = screen.read(&mut chunk).unwrap();
            seen.extend_from_slice(&chunk[..count]);
        }
        seen
    });
    let code = child.wait().unwrap().code();
    // What a terminal has not passed on when it is left by its last user may be lost: so this one stays until all was read.
    let mut theirs = File::from(theirs);
    theirs.write_all(END).unwrap();
    let seen = reader.join().unwrap();
    drop(theirs);
    (code, String::from_utf8_lossy(&seen).into_owned())
}

/// What the test itself writes on the screen when the command has ended.
const END: &[u8] = b"<the end>";
