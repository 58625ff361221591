//! One request to a service, over HTTP/1.1 without TLS: as much of a client as `GET /metrics` takes.

use std::time::Duration;

use store::{Error, Kind, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The longest answer that is read.
const MAX_ANSWER: usize = 64 << 20;

/// Where to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Url {
    /// As it was given.
    pub(super) text: String,
    /// `host:port`, for the connection.
    address: String,
    /// What the header says.
    host: String,
    /// The path, and the query if there is one.
    path: String,
}

impl Url {
    /// Reads `http://HOST[:PORT][/PATH]`; without a path it is `/metrics`.
    pub(super) fn parse(text: &str) -> std::result::Result<Url, String> {
        let rest = match text.split_once("://") {
            Some(("http", rest)) => rest,
            Some(("https", _)) => {
                return Err("https is not spoken here; ask the service where it listens without TLS".to_owned());
            }
            Some((scheme, _)) => return Err(format!("{scheme}:// is not http://")),
            None => text,
        };
        let (host, path) = rest.find(['/', '?']).map_or((rest, ""), |at| rest.split_at(at));
        if text.chars().any(|one| one.is_whitespace() || one.is_control()) {
            return Err("there is a blank in it".to_owned());
        }
        if host.contains('@') {
            return Err("a name and a password in a URL are not sent".to_owned());
        }
        // After the bracket of an IPv6 address.
        let end = host.rfind(']').map_or(0, |at| at + 1);
        let (name, port) = match host[end..].rfind(':') {
            Some(at) => (&host[..end + at], &host[end + at + 1..]),
            None => (host, "80"),
        };
        let port: u16 = port.parse().map_err(|_| format!("{port} is not a port"))?;
        if name.is_empty() {
            return Err("it names no host".to_owned());
        }
        let path = match path.split('#').next().unwrap_or_default() {
            "" | "/" => "/metrics".to_owned(),
            query if query.starts_with('?') => format!("/{query}"),
            path => path.to_owned(),
        };
        Ok(Url { text: text.to_owned(), address: format!("{name}:{port}"), host: host.to_owned(), path })
    }
}

/// The body of the answer.
///
/// # Errors
/// UNAVAILABLE: there is no connection, or the answer is not 200; TIMEOUT.
pub(super) async fn get(url: &Url, patience: Duration) -> Result<String> {
    let answer = tokio::time::timeout(patience, ask(url)).await;
    let answer = answer.unwrap_or_else(|_| Err(Error::new(Kind::Timeout, format!("no answer within {patience:?}"))));
    answer.map_err(|error| error.with_detail("url", url.text.as_str()))
}

async fn ask(url: &Url) -> Result<String> {
    let broken = |what: &'static str| move |cause: std::io::Error| Error::unavailable(what).with_source(cause);
    let mut stream = TcpStream::connect(&url.address).await.map_err(broken("cannot connect to the service"))?;
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: store\r\nAccept: text/plain\r\nConnection: close\r\n\r\n",
        url.path, url.host
    );
    stream.write_all(request.as_bytes()).await.map_err(broken("the service broke the connection off"))?;
    let mut answer = Vec::new();
    let read = stream.take(MAX_ANSWER as u64).read_to_end(&mut answer).await;
    read.map_err(broken("the service broke the connection off"))?;
    body(&answer)
}

/// The body of a whole answer, if it is one of success.
fn body(answer: &[u8]) -> Result<String> {
    let odd = || Error::unavailable("the answer is not HTTP");
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").ok_or_else(odd)?;
    let (head, rest) = (String::from_utf8_lossy(&answer[..end]), &answer[end + 4..]);
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.")).and_then(|line| line.split_once(' '));
    let (_, status) = status.ok_or_else(odd)?;
    if !status.starts_with("200") {
        return Err(Error::unavailable(format!("the service answers {}", status.trim_end())));
    }
    let header = |name: &str| {
        let headers = head.lines().skip(1).filter_map(|line| line.split_once(':'));
        headers.filter(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned()).next()
    };
    let cut = || Error::unavailable("the answer was cut off");
    let body = if header("transfer-encoding").is_some_and(|encoding| encoding.eq_ignore_ascii_case("chunked")) {
        whole(rest).ok_or_else(cut)?
    } else {
        match header("content-length").and_then(|length| length.parse::<usize>().ok()) {
            Some(length) => rest.get(..length).ok_or_else(cut)?.to_vec(),
            None => rest.to_vec(),
        }
    };
    String::from_utf8(body).map_err(|_| Error::unavailable("the answer is not text"))
}

/// The chunks of a body, joined.
fn whole(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..end]).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        let chunk = rest.get(end + 2..)?;
        body.extend_from_slice(chunk.get(..size)?);
        rest = chunk.get(size..)?.strip_prefix(b"\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_or_refused() {
        for (text, address, path) in [
            ("http://127.0.0.1:8080/metrics", "127.0.0.1:8080", "/metrics"),
            ("localhost:9000", "localhost:9000", "/metrics"),
            ("http://web/", "web:80", "/metrics"),
            ("http://[::1]:8080/a/b?c=d#e", "[::1]:8080", "/a/b?c=d"),
            ("http://[::1]", "[::1]:80", "/metrics"),
            ("http://web?x=1", "web:80", "/?x=1"),
        ] {
            let url = Url::parse(text).unwrap();
            assert_eq!((&*url.address, &*url.path), (address, path), "{text}");
        }
        for text in [
            "",
            "http://",
            "https://web",
            "ftp://web",
            "http://web:x",
            "http://web:70000",
            "http://a b",
            "http://u:p@web",
        ] {
            assert!(Url::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn bodies_are_taken_whole_or_not_at_all() {
        let said = |answer: &str| body(answer.as_bytes()).map_err(|error| error.message().to_owned());
        assert_eq!(said("HTTP/1.1 200 OK\r\n\r\nall of it"), Ok("all of it".to_owned()));
        assert_eq!(said("HTTP/1.0 200\r\nContent-Length: 3\r\n\r\nall of it"), Ok("all".to_owned()));
        let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n4\r\nall \r\n5;x=y\r\nof it\r\n0\r\n\r\n";
        assert_eq!(said(chunked), Ok("all of it".to_owned()));
        assert_eq!(said(&chunked[..chunked.len() - 7]), Err("the answer was cut off".to_owned()));
        assert_eq!(said("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nall"), Err("the answer was cut off".to_owned()));
        let gone = "HTTP/1.1 404 Not Found\r\n\r\nno";
        assert_eq!(said(gone), Err("the service answers 404 Not Found".to_owned()));
        for odd in ["", "+PONG\r\n\r\n", "HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n"] {
            assert_eq!(said(odd), Err("the answer is not HTTP".to_owned()), "{odd}");
        }
    }
}
