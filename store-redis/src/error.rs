//! What Redis and the network say, in the contract's words.
//!
//! One function per source: [`server`] for error replies, [`connecting`] for what happens before a connection works, and
//! [`Lost`] for a connection that ended while an answer was awaited. Texts of the server are only used where they are known
//! to hold no key, value or password.

use std::io;
use std::time::Duration;

use redis::{ErrorKind, RedisError, ServerError};
use store_core::{Error, Kind, Outcome};

/// What an error reply means, and what it means for the connection it came over.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) error: Error,
    /// The connection is to a server that should not be talked to: find the right one.
    pub(crate) relink: bool,
    /// The script is unknown to the server: send it in full.
    pub(crate) no_script: bool,
    /// Another node of the cluster may execute it, or this one later.
    pub(crate) elsewhere: bool,
    /// Who: whether just this once (`ASK`), and `host:port`.
    pub(crate) redirect: Option<(bool, String)>,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        Refusal { error, relink: false, no_script: false, elsewhere: false, redirect: None }
    }
}

/// The one table of error replies. Redis refuses before it executes: nothing was applied.
pub(crate) fn server(code: &str, text: &str) -> Refusal {
    let unavailable = |message: &'static str| Error::unavailable(message);
    let error = match code {
        "NOAUTH" => return Refusal { relink: true, ..auth("Redis asks for a password").into() },
        "WRONGPASS" => auth("Redis refused the user name or password"),
        "NOPERM" => denied(),
        "LOADING" => unavailable("Redis is loading its data").with_reason("loading"),
        "MASTERDOWN" => {
            let error = unavailable("this Redis replica has lost its primary").with_reason("failover");
            return Refusal { relink: true, elsewhere: true, ..error.into() };
        }
        "READONLY" => {
            let error = unavailable("this Redis server is a replica and takes no writes").with_reason("failover");
            return Refusal { relink: true, elsewhere: true, ..error.into() };
        }
        "CLUSTERDOWN" => {
            let error = unavailable("the Redis cluster is down").with_reason("cluster");
            return Refusal { elsewhere: true, ..error.into() };
        }
        "TRYAGAIN" | "MOVED" | "ASK" => {
            let error = unavailable("the Redis cluster is moving the key").with_reason("cluster");
            // "3999 127.0.0.1:6381", and more if it was said inside of a script.
            let place = text.split_ascii_whitespace().nth(1).filter(|_| code != "TRYAGAIN");
            let redirect = place.map(|place| (code == "ASK", place.to_owned()));
            return Refusal { elsewhere: true, redirect, ..error.into() };
        }
        "BUSY" | "UNKILLABLE" => unavailable("Redis is busy running a script").with_reason("overloaded"),
        "OOM" => Error::capacity("Redis has reached its maxmemory"),
        "MISCONF" => unavailable("Redis takes no writes, because it cannot save to disk").with_reason("misconf"),
        "NOREPLICAS" => unavailable("Redis takes no writes, because it has too few replicas").with_reason("replicas"),
        "WRONGTYPE" => crate::envelope::foreign(),
        "CROSSSLOT" => Error::unsupported("the keys are in different slots of the Redis cluster"),
        "NOSCRIPT" => {
            return Refusal { no_script: true, ..unavailable("Redis does not know the script").into() };
        }
        "NOPROTO" => Error::unsupported("Redis does not speak this protocol version"),
        "EXECABORT" => unavailable("Redis gave up the transaction"),
        "ERR" => return general(text),
        _ => unexpected(code),
    };
    error.into()
}

/// Replies whose only code is `ERR`, told apart by their text.
fn general(text: &str) -> Refusal {
    // Redis before 7.0 wraps what happens inside a script, once or twice: "Error running script (...): @user_script:3: WRONGTYPE ...",
    // "... @user_script:3: @user_script: 3: -OOM ...".
    if let Some((_, inner)) = text.rsplit_once("@user_script:")
        && let Some((_, inner)) = inner.split_once(':')
        && let Some((code, rest)) = inner.trim_start_matches([' ', '-']).split_once(' ')
        && code.len() > 2
        && code.bytes().all(|byte| byte.is_ascii_uppercase())
        && code != "ERR"
    {
        return server(code, rest);
    }
    let has = |part: &str| text.contains(part);
    if has("max number of clients") {
        return Error::unavailable("Redis has reached its maxclients").with_reason("overloaded").into();
    }
    if has("user executing the script can't") || has("can't access at least one of the keys") {
        return denied().into();
    }
    if has("invalid password") || has("without any password configured") {
        return auth("Redis refused the password").into();
    }
    if has("not an integer or out of range") || has("would overflow") || has("invalid expire time") {
        return Error::invalid("the number is out of Redis' range").into();
    }
    if has("DB index is out of range") {
        return Error::invalid("Redis has no database of this number").into();
    }
    if has("not allowed in cluster mode") || has("non local key") || has("cluster support disabled") {
        return Error::unsupported("the Redis cluster does not allow this command").into();
    }
    if has("unknown command") || has("unknown subcommand") || has("syntax error") {
        return Error::unsupported(
            "this Redis server lacks a command that is needed: version 6.2 or later is required",
        )
        .into();
    }
    if has("Protocol error") {
        let error = Error::unavailable("Redis refused the request's form or size").with_outcome(Outcome::Unknown);
        return Refusal { relink: true, ..error.into() };
    }
    unexpected("ERR").into()
}

fn auth(message: &'static str) -> Error {
    Error::unavailable(message).with_reason("auth").with_retryable(false)
}

fn denied() -> Error {
    Error::new(Kind::PermissionDenied, "Redis denies this user the command or the key")
}

fn unexpected(code: &str) -> Error {
    // A code is one word in capitals; anything else may be anything.
    let known = code.len() <= 32 && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    let code = if known { code } else { "?" };
    Error::internal("Redis refused the command").with_outcome(Outcome::Unknown).with_detail("code", code)
}

/// An error reply.
pub(crate) fn reply(error: &ServerError) -> Refusal {
    server(error.code(), error.details().unwrap_or_default())
}

/// What redis-rs raises instead of handing out a reply.
pub(crate) enum Raised {
    /// The server said no.
    Refused(Refusal),
    /// The connection ended.
    Lost(Error),
}

/// The one table of errors of redis-rs.
pub(crate) fn raised(error: RedisError) -> Raised {
    match error.kind() {
        ErrorKind::Server(_) | ErrorKind::Extension => {
            let code = error.code().unwrap_or("ERR").to_owned();
            match error.into_server_errors() {
                // The first refusal inside of a transaction says more than "aborted".
                Some(errors) if !errors.is_empty() => Raised::Refused(reply(&errors[0].1)),
                _ => Raised::Refused(server(&code, "")),
            }
        }
        ErrorKind::Parse => Raised::Lost(lost("Redis sent an answer that cannot be read").with_source(error)),
        ErrorKind::AuthenticationFailed => Raised::Refused(auth("Redis refused the user name or password").into()),
        // redis-rs has nothing secret in its own I/O errors: they are the socket's.
        ErrorKind::Io => {
            Raised::Lost(lost("the connection to Redis was lost before the answer came").with_source(error))
        }
        ErrorKind::UnexpectedReturnType
        | ErrorKind::InvalidClientConfig
        | ErrorKind::Client
        | ErrorKind::MasterNameNotFoundBySentinel
        | ErrorKind::NoValidReplicasFoundBySentinel
        | ErrorKind::EmptySentinelList
        | ErrorKind::ClusterConnectionNotFound
        | ErrorKind::RESP3NotSupported => Raised::Lost(lost("the Redis client failed")),
        _ => Raised::Lost(lost("the Redis client failed")),
    }
}

fn lost(message: &'static str) -> Error {
    Error::unavailable(message)
}

/// An answer that no server gives to this command.
#[cold]
pub(crate) fn bad_reply() -> Error {
    Error::internal("Redis gave an unexpected answer").with_outcome(Outcome::Unknown)
}

/// The deadline of a call passed while it waited for its answer.
#[cold]
pub(crate) fn timed_out(after: Duration) -> Error {
    Error::new(Kind::Timeout, format!("Redis did not answer within {} ms", after.as_millis()))
}

/// What went wrong while connecting. Nothing was applied: nothing was sent.
#[cold]
pub(crate) fn connecting(place: &str, error: &io::Error) -> Error {
    let why = match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => {
            "the server closed the connection".to_owned()
        }
        io::ErrorKind::NotFound => "no such socket".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    };
    Error::unavailable(format!("cannot connect to Redis at {place}: {why}"))
}

/// Another server was made the primary while a connection to this one came to be.
#[cold]
pub(crate) fn replaced(place: &str) -> Error {
    Error::unavailable(format!("the Redis at {place} has been replaced as the primary")).with_reason("failover")
}

/// Connecting took too long.
#[cold]
pub(crate) fn connect_timeout(place: &str, after: Duration) -> Error {
    Error::unavailable(format!("cannot connect to Redis at {place} within {} ms", after.as_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e3_every_known_code_has_its_kind_and_reason() {
        for (code, text, kind, reason, retryable) in [
            ("NOAUTH", "", Kind::Unavailable, Some("auth"), false),
            ("WRONGPASS", "", Kind::Unavailable, Some("auth"), false),
            ("NOPERM", "", Kind::PermissionDenied, None, false),
            ("LOADING", "", Kind::Unavailable, Some("loading"), true),
            ("MASTERDOWN", "", Kind::Unavailable, Some("failover"), true),
            ("READONLY", "", Kind::Unavailable, Some("failover"), true),
            ("CLUSTERDOWN", "", Kind::Unavailable, Some("cluster"), true),
            ("BUSY", "", Kind::Unavailable, Some("overloaded"), true),
            ("OOM", "", Kind::Unavailable, Some("capacity"), true),
            ("MISCONF", "", Kind::Unavailable, Some("misconf"), true),
            ("NOREPLICAS", "", Kind::Unavailable, Some("replicas"), true),
            ("WRONGTYPE", "", Kind::Internal, Some("foreign"), false),
            ("CROSSSLOT", "", Kind::Invalid, Some("unsupported"), false),
            ("ERR", "max number of clients reached", Kind::Unavailable, Some("overloaded"), true),
            ("ERR", "The user executing the script can't run this command", Kind::PermissionDenied, None, false),
            ("ERR", "SELECT is not allowed in cluster mode", Kind::Invalid, Some("unsupported"), false),
            ("ERR", "invalid expire time in 'set' command", Kind::Invalid, None, false),
            (
                "ERR",
                "Error running script (call to f_1): @user_script:3: WRONGTYPE Operation against a key",
                Kind::Internal,
                Some("foreign"),
                false,
            ),
            (
                "ERR",
                "Error running script (call to f_1): @user_script:2: @user_script: 2: -OOM command not allowed",
                Kind::Unavailable,
                Some("capacity"),
                true,
            ),
            ("ERR", "something new", Kind::Internal, None, false),
            ("NEWCODE", "", Kind::Internal, None, false),
        ] {
            let error = server(code, text).error;
            assert_eq!(
                (error.kind(), error.reason(), error.is_retryable()),
                (kind, reason, retryable),
                "{code} {text}"
            );
        }
    }

    #[test]
    fn e7_what_is_not_known_is_not_repeated() {
        let error = server("ERR", "something about 'sesame'").error;
        assert!(!format!("{error} {error:?}").contains("sesame"));
        let error = server("sesame", "").error;
        assert!(!format!("{error} {error:?}").contains("sesame"));
    }
}
