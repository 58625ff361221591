//! Replies read from a socket that redis-rs has not taken over yet: in the handshake, and from Sentinels.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// One reply in RESP2, or such as a handshake in RESP3 has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// `+OK`
    Simple(String),
    /// `-CODE text`
    Error(String),
    Integer(i64),
    /// A string, as text; `None` for nil.
    Text(Option<String>),
    /// A list; nil is an empty one, and a map has keys and values in turn.
    List(Vec<Reply>),
}

/// Reads replies; keeps what came too early.
#[derive(Default)]
pub(crate) struct Reader {
    bytes: Vec<u8>,
}

/// No reply of a handshake is longer.
const LIMIT: usize = 1 << 20;
/// No reply of a handshake is deeper.
const DEPTH: usize = 8;

impl Reader {
    /// The next reply.
    pub(crate) async fn next<S: AsyncRead + Unpin>(&mut self, stream: &mut S) -> io::Result<Reply> {
        loop {
            let mut at = 0;
            if let Some(reply) = parse(&self.bytes, &mut at, 0)? {
                self.bytes.drain(..at);
                return Ok(reply);
            }
            if self.bytes.len() > LIMIT {
                return Err(no_redis());
            }
            let mut chunk = [0; 1024];
            match stream.read(&mut chunk).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                len => self.bytes.extend_from_slice(&chunk[..len]),
            }
        }
    }
}

fn no_redis() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the server there is no Redis")
}

/// One reply from `bytes[*at..]`; `None` if it is not whole yet.
fn parse(bytes: &[u8], at: &mut usize, depth: usize) -> io::Result<Option<Reply>> {
    let rest = &bytes[*at..];
    let Some(&kind) = rest.first() else { return Ok(None) };
    if !b"+-:$*%".contains(&kind) || depth > DEPTH {
        return Err(no_redis());
    }
    let Some(end) = rest.iter().position(|&byte| byte == b'\n') else { return Ok(None) };
    let line = String::from_utf8_lossy(&rest[1..end]).trim_end().to_owned();
    *at += end + 1;
    let number = || line.parse::<i64>().map_err(|_| no_redis());
    Ok(Some(match kind {
        b'+' => Reply::Simple(line),
        b'-' => Reply::Error(line),
        b':' => Reply::Integer(number()?),
        b'$' => {
            let Ok(len) = usize::try_from(number()?) else { return Ok(Some(Reply::Text(None))) };
            if len > LIMIT {
                return Err(no_redis());
            }
            let Some(text) = bytes.get(*at..*at + len + 2) else { return Ok(None) };
            *at += len + 2;
            Reply::Text(Some(String::from_utf8_lossy(&text[..len]).into_owned()))
        }
        _ => {
            let len = usize::try_from(number()?).unwrap_or(0);
            let len = if kind == b'%' { len.saturating_mul(2) } else { len };
            let mut items = Vec::new();
            for _ in 0..len {
                match parse(bytes, at, depth + 1)? {
                    Some(item) => items.push(item),
                    None => return Ok(None),
                }
            }
            Reply::List(items)
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn replies_come_in_any_pieces() {
        let wire = b"+OK\r\n-ERR no\r\n:-5\r\n$3\r\na\nb\r\n$-1\r\n*2\r\n$1\r\nx\r\n*1\r\n:1\r\n*-1\r\n%1\r\n$1\r\nx\r\n:1\r\n";
        let text = |text: &str| Reply::Text(Some(text.to_owned()));
        let expected = [
            Reply::Simple("OK".into()),
            Reply::Error("ERR no".into()),
            Reply::Integer(-5),
            text("a\nb"),
            Reply::Text(None),
            Reply::List(vec![text("x"), Reply::List(vec![Reply::Integer(1)])]),
            Reply::List(Vec::new()),
            Reply::List(vec![text("x"), Reply::Integer(1)]),
        ];
        let mut stream = tokio_stream(wire);
        let mut reader = Reader::default();
        for reply in expected {
            assert_eq!(reader.next(&mut stream).await.unwrap(), reply);
        }
        assert_eq!(reader.next(&mut stream).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        for garbage in [&b"HTTP/1.1 400\r\n"[..], b":x\r\n", b"$99999999\r\n"] {
            let error = Reader::default().next(&mut tokio_stream(garbage)).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        }
    }

    /// A stream that yields one byte at a time.
    fn tokio_stream(bytes: &'static [u8]) -> impl AsyncRead + Unpin {
        struct Slow(&'static [u8]);
        impl AsyncRead for Slow {
            fn poll_read(
                mut self: std::pin::Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
                buffer: &mut tokio::io::ReadBuf<'_>,
            ) -> std::task::Poll<io::Result<()>> {
                if let Some((&first, rest)) = self.0.split_first() {
                    buffer.put_slice(&[first]);
                    self.0 = rest;
                }
                std::task::Poll::Ready(Ok(()))
            }
        }
        Slow(bytes)
    }
}
