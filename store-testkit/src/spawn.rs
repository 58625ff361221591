//! Child processes that end with this one, even when it is killed.

use std::io;
use std::process::{Child, Command};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock};
use std::thread;

type Job = Box<dyn FnOnce() + Send>;

/// Spawns from a thread that lives as long as the process: the parent-death signal of Linux fires when the *thread* that
/// spawned the child ends, and test threads end early.
pub(crate) fn spawn(program: &str, arguments: Vec<String>) -> io::Result<Child> {
    static SPAWNER: OnceLock<Mutex<Sender<Job>>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (jobs, inbox) = channel::<Job>();
        thread::Builder::new()
            .name("testkit-spawner".into())
            .spawn(move || inbox.into_iter().for_each(|job| job()))
            .expect("start a thread");
        Mutex::new(jobs)
    });
    let (answer, answered) = channel();
    let program = program.to_owned();
    let job: Job = Box::new(move || {
        let _ = answer.send(command(&program, &arguments).spawn());
    });
    spawner.lock().unwrap().send(job).expect("the spawner lives");
    answered.recv().expect("the spawner answers")
}

fn command(program: &str, arguments: &[String]) -> Command {
    use std::process::Stdio;
    let mut command = if have("setpriv") {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", program]);
        command
    } else {
        Command::new(program)
    };
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Whether a program is in the path, or is one.
pub(crate) fn have(program: &str) -> bool {
    if program.contains('/') {
        return std::path::Path::new(program).is_file();
    }
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}
