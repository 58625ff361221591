//! The Rust examples run, and say what they are meant to say, wherever they keep their entries.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};

use store_testkit::RedisServer;

const SERVICE: &str = env!("CARGO_BIN_EXE_service");
const ENVIRONMENTS: &str = env!("CARGO_BIN_EXE_environments");

fn run(program: &str, folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).env_remove("STORE_ENV").env_remove("REDIS_URL");
    command.envs(variables.iter().copied()).output().unwrap_or_else(|error| panic!("{program}: {error}"))
}

fn output(program: &str, folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = run(program, folder, arguments, variables);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn service_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/service.toml"), folder.path().join("service.toml")).unwrap();
    folder
}

/// What the service prints, given what it says of its sessions, of signing in, and how many visits there were.
fn service_says(kept: &str, alice: &str, visits: u32) -> String {
    let visit = |n| format!("visit: Some(Session {{ user: \"alice\", role: Admin, visits: {n} }})\n");
    format!(
        "sessions are kept by {kept}\n{alice}\n{}{}unknown session: None\nmay alice? true\nmay alice? true\nmay alice? false\n  \
         computing the report of 2024\nreport: Some([1, 4, 9, 16, 25])\nreport: Some([1, 4, 9, 16, 25])\n  computing the \
         report of 1999\nreport: None\nas a number: get on app:sessions: ",
        visit(visits + 1),
        visit(visits + 2)
    )
}

#[test]
fn a_service_keeps_sessions_in_memory() {
    let folder = service_folder();
    for environment in [&["service.toml"][..], &["service.toml", "development"]] {
        let said = output(SERVICE, folder.path(), environment, &[]);
        assert!(said.starts_with(&service_says("memory, durable: false", "alice signs in", 0)), "{said}");
    }
}

#[test]
fn a_service_keeps_sessions_on_disk_by_its_environment_alone() {
    let folder = service_folder();
    let arguments = ["service.toml", "production"];
    let said = output(SERVICE, folder.path(), &arguments, &[]);
    assert!(said.starts_with(&service_says("sled, durable: true", "alice signs in", 0)), "{said}");
    let said = output(SERVICE, folder.path(), &arguments, &[]);
    assert!(said.starts_with(&service_says("sled, durable: true", "alice is still signed in", 2)), "{said}");
    assert!(folder.path().join("data").is_dir(), "relative to the configuration file");
}

#[test]
fn a_service_keeps_sessions_on_redis_by_its_environment_alone() {
    let (folder, server) = (service_folder(), RedisServer::start());
    let (url, arguments) = (server.url(), ["service.toml", "cluster"]);
    let said = output(SERVICE, folder.path(), &arguments, &[("REDIS_URL", &url)]);
    assert!(said.contains("sessions are kept by redis") && said.contains("alice signs in"), "{said}");
    let said = output(SERVICE, folder.path(), &arguments, &[("REDIS_URL", &url)]);
    assert!(said.contains("alice is still signed in") && said.contains("visits: 4"), "{said}");
}

#[test]
fn h2_a_service_is_told_all_mistakes_before_it_starts() {
    let folder = service_folder();
    let failed = run(SERVICE, folder.path(), &["service.toml", "cluster"], &[]);
    let said = String::from_utf8_lossy(&failed.stderr);
    assert!(!failed.status.success());
    let expected = "service.toml:23: env.cluster.stores.\"app:sessions\".options.url: the environment variable REDIS_URL is not set\n";
    assert_eq!(said, expected);
    let failed = run(SERVICE, folder.path(), &["service.toml", "prodution"], &[]);
    let said = String::from_utf8_lossy(&failed.stderr);
    assert!(
        !failed.status.success() && said.contains("is not declared; declared are: cluster, development, production"),
        "{said}"
    );
}

#[test]
fn an_environment_swaps_memory_for_disk() {
    let folder = tempfile::tempdir().unwrap();
    let tmp = folder.path().to_str().unwrap();
    let start = |arguments: &[&str], environment: &str| {
        output(ENVIRONMENTS, folder.path(), arguments, &[("TMPDIR", tmp), ("STORE_ENV", environment)])
    };
    for _ in 0..2 {
        assert_eq!(start(&[], "development"), "start 1, counted by memory\n");
        assert_eq!(start(&[], ""), "start 1, counted by memory\n");
    }
    for n in 1..=3 {
        assert_eq!(start(&[], "production"), format!("start {n}, counted by sled\n"));
    }
}
