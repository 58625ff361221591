//! Failures as HTTP says them.

use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use store::Kind;
use tower_sessions::{session, session_store};

pub(crate) type Answer<T> = Result<T, Refused>;

/// Why a request gets no answer.
pub(crate) enum Refused {
    Unauthorized,
    NotFound,
    TooMany(Duration),
    Store(store::Error),
    Session(session::Error),
}

impl From<store::Error> for Refused {
    fn from(error: store::Error) -> Refused {
        Refused::Store(error)
    }
}

impl From<session::Error> for Refused {
    fn from(error: session::Error) -> Refused {
        Refused::Session(error)
    }
}

#[derive(Serialize)]
struct Body {
    error: &'static str,
}

impl IntoResponse for Refused {
    /// A store that fails is 503, and never 401: the user is still signed in. The log has the reason, the client does not need it.
    fn into_response(self) -> Response {
        match self {
            Refused::Unauthorized => say(StatusCode::UNAUTHORIZED, "not signed in"),
            Refused::NotFound => say(StatusCode::NOT_FOUND, "not found"),
            Refused::TooMany(left) => {
                let seconds = left.as_millis().div_ceil(1000).max(1).to_string();
                ([(RETRY_AFTER, seconds)], say(StatusCode::TOO_MANY_REQUESTS, "too many attempts")).into_response()
            }
            Refused::Store(error) => {
                eprintln!("{}: {error}", error.kind());
                match error.kind() {
                    Kind::Unavailable | Kind::Timeout => unavailable(),
                    _ => defect(),
                }
            }
            Refused::Session(error) => {
                eprintln!("session: {error}");
                match error {
                    session::Error::Store(session_store::Error::Backend(_)) => unavailable(),
                    _ => defect(),
                }
            }
        }
    }
}

fn unavailable() -> Response {
    say(StatusCode::SERVICE_UNAVAILABLE, "try again later")
}

fn defect() -> Response {
    say(StatusCode::INTERNAL_SERVER_ERROR, "our mistake")
}

fn say(status: StatusCode, error: &'static str) -> Response {
    (status, Json(Body { error })).into_response()
}
