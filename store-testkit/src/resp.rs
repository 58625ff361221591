//! A small blocking client for RESP2, independent of what is under test.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `+OK`
    Simple(String),
    /// `-ERR ...`
    Error(String),
    /// `:1`
    Integer(i64),
    /// A string of bytes.
    Bytes(Vec<u8>),
    /// A list.
    Array(Vec<Reply>),
    /// No value.
    Nil,
}

impl Reply {
    /// The text of a string, simple or not.
    ///
    /// # Panics
    /// If it is anything else.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Reply::Simple(text) => text.clone(),
            Reply::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            other => panic!("expected a string, got {other:?}"),
        }
    }

    /// The bytes of a string.
    ///
    /// # Panics
    /// If it is anything else.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Reply::Bytes(bytes) => bytes,
            other => panic!("expected bytes, got {other:?}"),
        }
    }

    /// The integer.
    ///
    /// # Panics
    /// If it is anything else.
    #[must_use]
    pub fn integer(&self) -> i64 {
        match self {
            Reply::Integer(number) => *number,
            other => panic!("expected an integer, got {other:?}"),
        }
    }

    /// The items of a list.
    ///
    /// # Panics
    /// If it is anything else.
    #[must_use]
    pub fn items(&self) -> &[Reply] {
        match self {
            Reply::Array(items) => items,
            other => panic!("expected a list, got {other:?}"),
        }
    }

    /// Whether it is an error that begins with this code.
    #[must_use]
    pub fn is_error(&self, code: &str) -> bool {
        matches!(self, Reply::Error(text) if text.starts_with(code))
    }
}

/// One connection.
#[derive(Debug)]
pub struct RespClient(BufReader<TcpStream>);

impl RespClient {
    /// Connects to a loopback port. Nothing waits longer than 10 s.
    ///
    /// # Errors
    /// Of the socket.
    pub fn connect(port: u16) -> io::Result<RespClient> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.set_write_timeout(Some(Duration::from_secs(10)))?;
        stream.set_nodelay(true)?;
        Ok(RespClient(BufReader::new(stream)))
    }

    /// Sends one command and reads its answer.
    ///
    /// # Errors
    /// Of the socket, or if the answer is not RESP2.
    pub fn call<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> io::Result<Reply> {
        self.send(arguments)?;
        self.receive()
    }

    /// Sends one command and does not wait.
    ///
    /// # Errors
    /// Of the socket.
    pub fn send<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> io::Result<()> {
        let mut out = format!("*{}\r\n", arguments.len()).into_bytes();
        for argument in arguments {
            let argument = argument.as_ref();
            out.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
            out.extend_from_slice(argument);
            out.extend_from_slice(b"\r\n");
        }
        self.0.get_mut().write_all(&out)
    }

    /// Reads one answer.
    ///
    /// # Errors
    /// Of the socket, or if the answer is not RESP2.
    pub fn receive(&mut self) -> io::Result<Reply> {
        let mut line = String::new();
        if self.0.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end();
        let bad = || io::Error::new(io::ErrorKind::InvalidData, format!("not RESP2: {line:?}"));
        let rest = line.get(1..).ok_or_else(bad)?;
        match line.as_bytes()[0] {
            b'+' => Ok(Reply::Simple(rest.to_owned())),
            b'-' => Ok(Reply::Error(rest.to_owned())),
            b':' => rest.parse().map(Reply::Integer).map_err(|_| bad()),
            b'$' => match rest.parse::<i64>().map_err(|_| bad())? {
                len if len < 0 => Ok(Reply::Nil),
                len => {
                    let mut bytes = vec![0; usize::try_from(len).map_err(|_| bad())? + 2];
                    self.0.read_exact(&mut bytes)?;
                    bytes.truncate(bytes.len() - 2);
                    Ok(Reply::Bytes(bytes))
                }
            },
            b'*' => match rest.parse::<i64>().map_err(|_| bad())? {
                len if len < 0 => Ok(Reply::Nil),
                len => (0..len).map(|_| self.receive()).collect::<io::Result<Vec<_>>>().map(Reply::Array),
            },
            _ => Err(bad()),
        }
    }
}
