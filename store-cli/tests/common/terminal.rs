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
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let theirs: OwnedFd = open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    let end = || Stdio::from(theirs.try_clone().unwrap());
    command.stdin(end()).stdout(end()).stderr(end());
    let mut child = command.spawn().unwrap();
    // Without these two copies the terminal ends when the command does.
    drop(command);
    drop(theirs);
    let mut ours = File::from(ours);
    ours.write_all(typed.as_bytes()).unwrap();
    let mut screen = ours.try_clone().unwrap();
    let reader = thread::spawn(move || {
        let mut seen = Vec::new();
        // The end of a terminal is an error to its reader.
        let _ = screen.read_to_end(&mut seen);
        seen
    });
    let code = child.wait().unwrap().code();
    (code, String::from_utf8_lossy(&reader.join().unwrap()).into_owned())
}
