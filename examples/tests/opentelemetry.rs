//! The spans of stores as OpenTelemetry gets them: inside of their request, with what happened, and without keys.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::Command;

use store_testkit::RedisServer;

#[derive(Debug)]
struct Span {
    trace: String,
    parent: String,
    id: String,
    name: String,
    status: String,
    attributes: Vec<String>,
}

impl Span {
    fn has(&self, attribute: &str) -> bool {
        self.attributes.iter().any(|one| one == attribute)
    }
}

/// Runs the example, and reads the spans that it printed.
fn spans(environment: &str, redis: &str) -> Vec<Span> {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("service.toml");
    std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("service.toml"), &config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_opentelemetry"));
    let output = command.arg(&config).arg(environment).env("REDIS_URL", redis).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{environment}: {said}");
    assert!(!said.contains("alice") && !said.contains("greeting") && !said.contains("example.com"), "{said}");
    said.lines()
        .map(|line| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let [trace, parent, id, name, status, attributes @ ..] = &words[..] else { panic!("{line}") };
            let own = |text: &String| text.clone();
            Span {
                trace: own(trace),
                parent: own(parent),
                id: own(id),
                name: own(name),
                status: own(status),
                attributes: attributes.to_vec(),
            }
        })
        .collect()
}

#[test]
fn operations_are_spans_of_their_request_and_say_how_they_ended() {
    let redis = RedisServer::start();
    for (environment, backend) in [("", "memory"), ("production", "sled"), ("cluster", "redis")] {
        let spans = spans(environment, &redis.url());
        let request = spans.iter().find(|span| span.name == "request").expect("the request is a span");
        assert!(request.has("http.route=/me") && request.parent.chars().all(|digit| digit == '0'), "{request:?}");
        let inside: Vec<&Span> = spans.iter().filter(|span| span.parent == request.id).collect();
        let said: Vec<(&str, &str, bool)> = inside
            .iter()
            .map(|span| {
                let outcome = span.attributes.iter().find_map(|one| one.strip_prefix("outcome=")).unwrap();
                (&*span.name, outcome, span.status == "ERROR")
            })
            .collect();
        let expected =
            [("set", "ok", false), ("get", "hit", false), ("get", "miss", false), ("increment", "error", true)];
        assert_eq!(said, expected, "{environment}: {spans:#?}");
        for span in &inside {
            assert_eq!(span.trace, request.trace);
            assert!(span.has("store=app:sessions") && span.has(&format!("operation={}", span.name)), "{span:?}");
            assert!(span.has(&format!("backend={backend}")), "{environment}: {span:?}");
        }
        assert!(inside[3].has("error.kind=INVALID"), "{inside:?}");
        let apart = spans.iter().rfind(|span| span.name == "set").unwrap();
        assert_ne!(apart.trace, request.trace, "not of the request");
    }
}
