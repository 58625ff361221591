//! From a server's place to a connection that works.
//!
//! The handshake is our own and not that of redis-rs, which drops the server's words when a password is refused, so that a
//! full server looks like a wrong password. It is one round trip and ends with a `PING`: a server that is still loading, or
//! that asks for a password, is no connection.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, ProtocolVersion, PushInfo, RedisConnectionInfo};
use store_core::{Error, Outcome, Result};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use crate::encryption::Encryption;
use crate::error;
use crate::near::{Emptied, Near};
use crate::reply::{Reader, Reply};
use crate::target::{Place, Target};

/// Requests that may wait for the socket: beyond, callers wait in line.
const PIPELINE: usize = 1024;

/// A stream of bytes to a server.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

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

/// How to talk to servers.
#[derive(Clone, Debug)]
pub(crate) struct Manner {
    pub(crate) timeout: Duration,
    pub(crate) encryption: Encryption,
    /// A server that says it is a replica is the wrong one.
    pub(crate) primary_only: bool,
    /// Where there is one: the server is asked to say what changes.
    pub(crate) near: Option<Arc<Near>>,
}

/// Connects. The caller sets the deadline.
///
/// `previous` is the connection that this one replaces: the server is asked to end it, so that nothing it still has in its buffers
/// from there is executed after what it gets from here.
pub(crate) async fn connect(target: &Target, manner: &Manner, previous: Peer) -> Result<Opened> {
    match &target.place {
        Place::Unix(path) => {
            let failed = |failure: io::Error| error::connecting(&target.to_string(), &failure);
            let stream = UnixStream::connect(path).await.map_err(failed)?;
            open(stream, target, manner, previous, None).await
        }
        Place::Tcp { tls: false, host, port } => {
            let stream = tcp(target, host, *port, manner).await?;
            let address = stream.local_addr().ok();
            open(stream, target, manner, previous, address).await
        }
        Place::Tcp { tls: true, host, port } => {
            let stream = tcp(target, host, *port, manner).await?;
            let address = stream.local_addr().ok();
            let stream = encrypted(target, host, stream, manner).await?;
            open(stream, target, manner, previous, address).await
        }
    }
}

/// A bare stream to a server, for whoever speaks to it on the side.
pub(crate) async fn stream(target: &Target, manner: &Manner) -> Result<Box<dyn Stream>> {
    match &target.place {
        Place::Unix(path) => {
            let failed = |failure: io::Error| error::connecting(&target.to_string(), &failure);
            Ok(Box::new(UnixStream::connect(path).await.map_err(failed)?))
        }
        Place::Tcp { tls, host, port } => {
            let stream = tcp(target, host, *port, manner).await?;
            if *tls {
                return Ok(Box::new(encrypted(target, host, stream, manner).await?));
            }
            Ok(Box::new(stream))
        }
    }
}

async fn encrypted(target: &Target, host: &str, stream: TcpStream, manner: &Manner) -> Result<impl Stream + use<>> {
    let wrapped = manner.encryption.wrap(stream, host).await;
    wrapped.map_err(|failure| error::connecting(&target.to_string(), &failure))
}

/// Looks the name up anew each time, and tries its addresses in order.
async fn tcp(target: &Target, host: &str, port: u16, manner: &Manner) -> Result<TcpStream> {
    let failed = |failure: io::Error| error::connecting(&target.to_string(), &failure);
    let mut last = io::Error::other("the name has no address");
    for address in tokio::net::lookup_host((host, port)).await.map_err(failed)? {
        match TcpStream::connect(address).await.and_then(|stream| tuned(stream, manner.timeout)) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(failed(last))
}

fn tuned(stream: TcpStream, timeout: Duration) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    let socket = socket2::SockRef::from(&stream);
    let keepalive =
        socket2::TcpKeepalive::new().with_time(Duration::from_secs(15)).with_interval(Duration::from_secs(5));
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    let keepalive = keepalive.with_retries(3);
    socket.set_tcp_keepalive(&keepalive)?;
    // The kernel gives up on a peer that acknowledges nothing; our own probe is usually faster.
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some((timeout * 4).max(Duration::from_secs(5))))?;
    #[cfg(not(target_os = "linux"))]
    let _ = timeout;
    Ok(stream)
}

async fn open<S: Stream + 'static>(
    mut stream: S,
    target: &Target,
    manner: &Manner,
    previous: Peer,
    address: Option<SocketAddr>,
) -> Result<Opened> {
    let id = handshake(&mut stream, target, manner, previous).await?;
    let mut config = AsyncConnectionConfig::new()
        .set_response_timeout(None)
        .set_connection_timeout(None)
        .set_pipeline_buffer_size(PIPELINE);
    // Everything is set up already: redis-rs has nothing to say to the server.
    let mut info = RedisConnectionInfo::default().set_skip_set_lib_name();
    if let Some(near) = manner.near.clone() {
        // But it hands on what the server says unasked only if it has itself asked for RESP3, once more.
        info = info.set_protocol(ProtocolVersion::RESP3);
        config = config.set_push_sender(move |push: PushInfo| {
            near.pushed(&push);
            Ok::<(), ()>(())
        });
    }
    let (connection, driver) = MultiplexedConnection::new_with_config(&info, stream, config)
        .await
        .map_err(|_| Error::unavailable("cannot set up the connection to Redis"))?;
    let fed = manner.near.clone().map(Emptied);
    let driver = Box::pin(async move {
        let _fed = fed;
        driver.await;
    });
    Ok(Opened { connection, driver, peer: Peer { id, address } })
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
    /// The reply says whether it is a primary.
    Role,
    /// Must not be refused for another reason than lack of permission.
    Ping,
}

/// The command that says who we are, if there is anything to say.
pub(crate) fn authentication(target: &Target) -> Option<Cmd> {
    let mut command = redis::cmd("AUTH");
    match (&target.username, &target.password) {
        (Some(username), password) => command.arg(username).arg(password.as_deref().unwrap_or_default()),
        (None, Some(password)) => command.arg(password),
        (None, None) => return None,
    };
    Some(command)
}

/// The error of a refused step.
pub(crate) fn refusal(line: &str) -> Error {
    let (code, text) = line.split_once(' ').unwrap_or((line, ""));
    error::server(code, text).error.with_outcome(Outcome::NotApplied)
}

async fn handshake<S: Stream>(stream: &mut S, target: &Target, manner: &Manner, previous: Peer) -> Result<Option<i64>> {
    let mut steps = Vec::new();
    let mut request = Vec::new();
    let mut say = |step: Step, command: &Cmd| {
        command.write_packed_command(&mut request);
        steps.push(step);
    };
    if let Some(command) = authentication(target) {
        say(Step::Required, &command);
    }
    if target.database != 0 {
        say(Step::Required, redis::cmd("SELECT").arg(target.database));
    }
    if manner.near.is_some() {
        say(Step::Required, redis::cmd("HELLO").arg(3));
        say(Step::Required, redis::cmd("CLIENT").arg("TRACKING").arg("ON"));
    }
    if manner.primary_only {
        say(Step::Role, &redis::cmd("ROLE"));
    }
    say(Step::Id, redis::cmd("CLIENT").arg("ID"));
    if let Peer { id: Some(id), address: Some(address) } = previous {
        // Both must match: after a restart the id may be somebody else's.
        say(Step::Optional, redis::cmd("CLIENT").arg("KILL").arg("ID").arg(id).arg("ADDR").arg(address.to_string()));
    }
    say(Step::Ping, &redis::cmd("PING"));

    let failed = |failure: io::Error| error::connecting(&target.to_string(), &failure);
    stream.write_all(&request).await.map_err(failed)?;
    let mut replies = Reader::default();
    let mut id = None;
    for step in steps {
        let line = match replies.next(stream).await.map_err(failed)? {
            Reply::Error(line) => line,
            Reply::Integer(number) if step == Step::Id => {
                id = Some(number);
                continue;
            }
            Reply::List(role) if step == Step::Role => {
                if role.first() == Some(&Reply::Text(Some("master".to_owned()))) {
                    continue;
                }
                let message = format!("the Redis at {target} is not the primary");
                return Err(Error::unavailable(message).with_reason("failover"));
            }
            _ => continue,
        };
        let forbidden = line.starts_with("NOPERM");
        let tolerated = match step {
            // A full server refuses whatever comes first.
            Step::Optional | Step::Id => {
                forbidden || (line.starts_with("ERR") && !line.contains("max number of clients"))
            }
            Step::Ping | Step::Role => forbidden,
            Step::Required => false,
        };
        if !tolerated {
            return Err(refusal(&line));
        }
    }
    Ok(id)
}
