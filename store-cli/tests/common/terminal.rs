//! A terminal that a test sits at.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// Runs the command at a terminal, types this, and gives the exit code and all that stood on the screen.
pub(crate) fn at_terminal(command: Command, typed: &str) -> (Option<i32>, String) {
    let mut terminal = Terminal::run(command);
    terminal.ours.write_all(typed.as_bytes()).unwrap();
    terminal.end()
}

/// A terminal at which a command runs.
pub(crate) struct Terminal {
    ours: File,
    theirs: File,
    child: Child,
    seen: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
    /// How much of what was seen has been waited for.
    past: usize,
}

impl Terminal {
    pub(crate) fn run(mut command: Command) -> Terminal {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap();
        let theirs: OwnedFd = open(name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        let end = || Stdio::from(theirs.try_clone().unwrap());
        command.stdin(end()).stdout(end()).stderr(end());
        let child = command.spawn().unwrap();
        let ours = File::from(ours);
        let mut screen = ours.try_clone().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&seen);
        let reader = thread::spawn(move || {
            let mut chunk = [0; 4096];
            loop {
                let count = screen.read(&mut chunk).unwrap();
                let mut seen = shared.lock().unwrap();
                seen.extend_from_slice(&chunk[..count]);
                if seen.ends_with(END) {
                    return;
                }
            }
        });
        Terminal { ours, theirs: File::from(theirs), child, seen, reader, past: 0 }
    }

    /// Waits until this stands on the screen, after what was waited for before.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) {
        let start = Instant::now();
        loop {
            {
                let seen = self.seen.lock().unwrap();
                let found = seen[self.past..].windows(text.len()).position(|window| window == text.as_bytes());
                if let Some(at) = found {
                    self.past += at + text.len();
                    return;
                }
                let all = || String::from_utf8_lossy(&seen).into_owned();
                assert!(start.elapsed() < Duration::from_secs(30), "never seen: {text:?}\n{}", all());
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Types this. A command that sets the terminal up for itself must be waited for: what is typed before is read as lines.
    pub(crate) fn type_in(&mut self, text: &str) {
        self.ours.write_all(text.as_bytes()).unwrap();
    }

    /// Sends the command a signal.
    pub(crate) fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap().success());
    }

    /// Waits for the end of the command; gives the exit code and all that stood on the screen.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let code = self.child.wait().unwrap().code();
        // What a terminal has not passed on when it is left by its last user may be lost: so this one stays until all was read.
        self.theirs.write_all(END).unwrap();
        self.reader.join().unwrap();
        let seen = self.seen.lock().unwrap();
        (code, String::from_utf8_lossy(&seen).into_owned())
    }
}

/// What the test itself writes on the screen when the command has ended.
const END: &[u8] = b"<the end>";
