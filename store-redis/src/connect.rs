//! From a target to a connection that works.
//!
//! The handshake is our own and not that of redis-rs, which drops the server's words when a password is refused, so that a
//! full server looks like a wrong password. It is one round trip and ends with a `PING`: a server that is still loading, or
//! that asks for a password, is no connection.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, RedisConnectionInfo};
use store_core::{Error, Result};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use crate::encryption::Encryption;
use crate::error;
use crate::target::{Place, Target};

/// Requests that may wait for the socket: beyond, callers wait in line.
const PIPELINE: usize = 1024;

const NO_REDIS: &str = "the server there is no Redis";

/// A server, and how to talk to it.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) target: Target,
    pub(crate) encryption: Encryption,
}

/// What a new connection consists of.
pub(crate) struct Opened {
    pub(crate) connection: MultiplexedConnection,
    /// Moves the bytes. Ends with the connection.
    pub(crate) driver: Pin<Box<dyn Future<Output = ()> + Send>>,
    pub(crate) peer: Peer,
}

/// What the server knows a connection by.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Peer {
    id: Option<i64>,
    address: Option<SocketAddr>,
}

/// Connects. The caller sets the deadline.
///
/// `previous` is the connection that this one replaces: the server is asked to end it, so that nothing it still has in its buffers
/// from there is executed after what it gets from here.
pub(crate) async fn connect(server: &Server, timeout: Duration, previous: Peer) -> Result<Opened> {
    let target = &server.target;
    let failed = |failure: io::Error| error::connecting(&target.to_string(), &failure);
    match &target.place {
        Place::Unix(path) => {
            let stream = UnixStream::connect(path).await.map_err(failed)?;
            open(stream, target, previous, None).await
        }
        Place::Tcp { host, port, tls } => {
            let stream = tcp(host, *port, timeout).await.map_err(failed)?;
            let address = stream.local_addr().ok();
            if *tls {
                let stream = server.encryption.wrap(stream, host).await.map_err(failed)?;
                return open(stream, target, previous, address).await;
            }
            open(stream, target, previous, address).await
        }
    }
}

/// Looks the name up anew each time, and tries its addresses in order.
async fn tcp(host: &str, port: u16, timeout: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in tokio::net::lookup_host((host, port)).await? {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                let socket = socket2::SockRef::from(&stream);
                let keepalive = socket2::TcpKeepalive::new()
                    .with_time(Duration::from_secs(15))
                    .with_interval(Duration::from_secs(5));
                #[cfg(any(target_os = "linux", target_os = "macos"))]
                let keepalive = keepalive.with_retries(3);
                socket.set_tcp_keepalive(&keepalive)?;
                // The kernel gives up on a peer that acknowledges nothing; our own probe is usually faster.
                #[cfg(target_os = "linux")]
                socket.set_tcp_user_timeout(Some((timeout * 4).max(Duration::from_secs(5))))?;
                #[cfg(not(target_os = "linux"))]
                let _ = timeout;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn open<S>(mut stream: S, target: &Target, previous: Peer, address: Option<SocketAddr>) -> Result<Opened>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let id = handshake(&mut stream, target, previous).await?;
    let config = AsyncConnectionConfig::new()
        .set_response_timeout(None)
        .set_connection_timeout(None)
        .set_pipeline_buffer_size(PIPELINE);
    // Everything is set up already: redis-rs has nothing to say to the server.
    let info = RedisConnectionInfo::default().set_skip_set_lib_name();
    let (connection, driver) = MultiplexedConnection::new_with_config(&info, stream, config)
        .await
        .map_err(|_| Error::unavailable("cannot set up the connection to Redis"))?;
    Ok(Opened { connection, driver: Box::pin(driver), peer: Peer { id, address } })
}

/// What a reply of the handshake decides.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Must succeed.
    Required,
    /// A user may lack the permission for it.
    Optional,
    /// The reply is the connection's id.
    Id,
    /// Must not be refused for another reason than lack of permission.
    Ping,
}

async fn handshake<S>(stream: &mut S, target: &Target, previous: Peer) -> Result<Option<i64>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut steps = Vec::new();
    let mut request = Vec::new();
    let mut say = |step: Step, command: &Cmd| {
        command.write_packed_command(&mut request);
        steps.push(step);
    };
    match (&target.username, &target.password) {
        (Some(username), password) => {
            let password = password.as_deref().unwrap_or_default();
            say(Step::Required, redis::cmd("AUTH").arg(username).arg(password));
        }
        (None, Some(password)) => say(Step::Required, redis::cmd("AUTH").arg(password)),
        (None, None) => {}
    }
    if target.database != 0 {
        say(Step::Required, redis::cmd("SELECT").arg(target.database));
    }
    say(Step::Id, redis::cmd("CLIENT").arg("ID"));
    if let Peer { id: Some(id), address: Some(address) } = previous {
        // Both must match: after a restart the id may be somebody else's.
        say(Step::Optional, redis::cmd("CLIENT").arg("KILL").arg("ID").arg(id).arg("ADDR").arg(address.to_string()));
    }
    say(Step::Ping, &redis::cmd("PING"));

    let failed = |failure: io::Error| error::connecting(&target.to_string(), &failure);
    stream.write_all(&request).await.map_err(failed)?;
    let mut lines = Lines::default();
    let mut id = None;
    for step in steps {
        let line = lines.next(stream).await.map_err(failed)?;
        let Some(refusal) = line.strip_prefix('-') else {
            if !line.starts_with(['+', ':']) {
                return Err(failed(io::Error::new(io::ErrorKind::InvalidData, NO_REDIS)));
            }
            if step == Step::Id {
                id = line.strip_prefix(':').and_then(|id| id.parse().ok());
            }
            continue;
        };
        let (code, text) = refusal.split_once(' ').unwrap_or((refusal, ""));
        let tolerated = match step {
            // A full server refuses whatever comes first.
            Step::Optional | Step::Id => code == "NOPERM" || (code == "ERR" && !text.contains("max number of clients")),
            Step::Ping => code == "NOPERM",
            Step::Required => false,
        };
        if !tolerated {
            return Err(error::server(code, text).error.with_outcome(store_core::Outcome::NotApplied));
        }
    }
    Ok(id)
}

/// Reads replies of one line: all that the handshake gets.
#[derive(Default)]
struct Lines(Vec<u8>);

impl Lines {
    async fn next<S: AsyncRead + Unpin>(&mut self, stream: &mut S) -> io::Result<String> {
        loop {
            if let Some(end) = self.0.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.0.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            if self.0.len() > 64 << 10 {
                return Err(io::Error::new(io::ErrorKind::InvalidData, NO_REDIS));
            }
            let mut chunk = [0; 512];
            match stream.read(&mut chunk).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                len => self.0.extend_from_slice(&chunk[..len]),
            }
        }
    }
}
