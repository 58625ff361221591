//! Tasks of this repository: `cargo xtask TASK`. Each says what it runs, so that any line can be repeated by hand.

mod asan;
mod bench;
mod ci;
mod deny;
mod docs;
mod fuzz;
mod measure;
mod need;
mod redis;
mod run;
mod test;

use std::process::ExitCode;

use run::Failed;

const USAGE: &str = "\
cargo xtask TASK

  test [PACKAGE...] [-- ARGS]   installs what these tests need (redis-server, for some), then runs them
  ci                            everything that must hold before a change is merged: format, lints, docs, features, tests
  deep                          the same tests without the bounds that keep ci short; takes hours
  bench [NAME] [--quick] [--save]  the benchmarks, or those of one name, compared with the run that was saved; `peers` (also by section,
                                `inproc`, or slice, `inproc/get`) are the tables of docs/benchmarks.md, measured so often as `--runs N`
                                says; `--resume` goes on where one was interrupted; `--list` only says what, and how long, `--build` only builds
  measure                       the figures of docs/choosing.md, with `store bench` on each backend; about a minute
  fuzz [TARGET] [SECONDS]       the fuzz targets, 60 seconds each, with libFuzzer and AddressSanitizer
  models [NAME]                 what threads share without a lock, in every order that the memory model allows (loom); part of test
  asan                          the Lua module's unsafe code under AddressSanitizer
  redis [PORT]                  a Redis server to try things on, until Ctrl-C
  docs                          writes the generated pages of docs/ anew
  book                          the pages of docs/ as a website in target/book, its links followed (installs mdbook there)
  deny                          licences, advisories and duplicates of dependencies; fetches the database of advisories
  needs                         installs what the tests need, and nothing else
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (task, rest) = match args.split_first() {
        Some((task, rest)) => (task.as_str(), rest),
        None => ("help", [].as_slice()),
    };
    let done = match task {
        "test" => test::run(rest),
        "ci" => no_more(rest).and_then(|()| ci::run()),
        "deep" => no_more(rest).and_then(|()| test::deep()),
        "bench" => bench::run(rest),
        "measure" => no_more(rest).and_then(|()| measure::run()),
        "models" => test::models(rest),
        "asan" => no_more(rest).and_then(|()| asan::run()),
        "fuzz" => fuzz::run(rest),
        "redis" => redis::run(rest),
        "docs" => no_more(rest).and_then(|()| docs::write()),
        "book" => no_more(rest).and_then(|()| docs::book()),
        "deny" => no_more(rest).and_then(|()| deny::run()),
        "needs" => no_more(rest).and_then(|()| need::install(&[])),
        "help" | "-h" | "--help" => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        other => Err(Failed::usage(format!("there is no task `{other}`"))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            eprintln!("\nxtask: {failed}");
            if failed.is_usage() {
                eprint!("\n{USAGE}");
                return ExitCode::from(2);
            }
            ExitCode::FAILURE
        }
    }
}

fn no_more(rest: &[String]) -> Result<(), Failed> {
    match rest.first() {
        None => Ok(()),
        Some(extra) => Err(Failed::usage(format!("this task takes no argument, got `{extra}`"))),
    }
}
