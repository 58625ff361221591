//! A TCP proxy that misbehaves on command.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What the proxy does to traffic. Applies at once, to open connections too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Passes everything on.
    None,
    /// Passes requests on, waits for the server's answer, and closes the connection instead of delivering it.
    CutReply,
    /// Passes this many bytes of a request on, then closes both sides.
    CutRequestAfter(u64),
    /// Passes this many bytes of answers on, then closes both sides.
    CutReplyAfter(u64),
    /// Accepts and reads, but passes nothing on in either direction.
    BlackHole,
    /// Passes requests on and swallows answers, keeping the connection open.
    SwallowReplies,
    /// Delays each answer.
    Delay(Duration),
    /// Closes connections as soon as they are accepted.
    Refuse,
}

#[derive(Debug)]
struct Shared {
    fault: Mutex<Fault>,
    epoch: AtomicU64,
    stop: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
    accepted: AtomicU64,
}

/// A TCP proxy in front of a server on loopback.
#[derive(Debug)]
pub struct FaultProxy {
    port: u16,
    shared: Arc<Shared>,
}

impl FaultProxy {
    /// Starts a proxy to a loopback port.
    ///
    /// # Panics
    /// If no port is free.
    #[must_use]
    pub fn start(target: u16) -> FaultProxy {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("bind a loopback port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared {
            fault: Mutex::new(Fault::None),
            epoch: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            open: Mutex::new(Vec::new()),
            accepted: AtomicU64::new(0),
        });
        let state = Arc::clone(&shared);
        thread::spawn(move || accept(&listener, target, &state));
        FaultProxy { port, shared }
    }

    /// `redis://127.0.0.1:PORT` of the proxy.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The proxy's port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// From now on, this.
    ///
    /// # Panics
    /// If a thread of the proxy has panicked.
    pub fn set(&self, fault: Fault) {
        *self.shared.fault.lock().unwrap() = fault;
        self.shared.epoch.fetch_add(1, Ordering::SeqCst);
    }

    /// Closes every open connection.
    ///
    /// # Panics
    /// If a thread of the proxy has panicked.
    pub fn cut(&self) {
        for stream in self.shared.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// How many connections were accepted so far.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.shared.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.cut();
        // Wakes the accepting thread.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn accept(listener: &TcpListener, target: u16, shared: &Arc<Shared>) {
    for client in listener.incoming().flatten() {
        if shared.stop.load(Ordering::SeqCst) {
            return;
        }
        shared.accepted.fetch_add(1, Ordering::SeqCst);
        if *shared.fault.lock().unwrap() == Fault::Refuse {
            continue;
        }
        let Ok(server) = TcpStream::connect(("127.0.0.1", target)) else { continue };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let (Ok(client_in), Ok(server_in)) = (client.try_clone(), server.try_clone()) else { continue };
        if let (Ok(client), Ok(server)) = (client.try_clone(), server.try_clone()) {
            shared.open.lock().unwrap().extend([client, server]);
        }
        let (up, down) = (Arc::clone(shared), Arc::clone(shared));
        thread::spawn(move || pump(client_in, server, Direction::Request, &up));
        thread::spawn(move || pump(server_in, client, Direction::Reply, &down));
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Request,
    Reply,
}

/// Copies one direction until a side closes or a fault says so.
fn pump(mut from: TcpStream, mut to: TcpStream, direction: Direction, shared: &Shared) {
    let mut buffer = vec![0; 64 << 10];
    let mut epoch = shared.epoch.load(Ordering::SeqCst);
    let mut passed = 0;
    while let Ok(len @ 1..) = from.read(&mut buffer) {
        let now = shared.epoch.load(Ordering::SeqCst);
        if now != epoch {
            (epoch, passed) = (now, 0);
        }
        let fault = *shared.fault.lock().unwrap();
        let allowed = match (fault, direction) {
            (Fault::CutReply | Fault::Refuse, Direction::Reply) => Some(0),
            (Fault::CutRequestAfter(limit), Direction::Request) | (Fault::CutReplyAfter(limit), Direction::Reply) => {
                Some(limit - passed.min(limit))
            }
            (Fault::BlackHole, _) | (Fault::SwallowReplies, Direction::Reply) => continue,
            (Fault::Delay(delay), Direction::Reply) => {
                thread::sleep(delay);
                None
            }
            _ => None,
        };
        let part = allowed.map_or(len, |allowed| usize::try_from(allowed).unwrap_or(usize::MAX).min(len));
        if to.write_all(&buffer[..part]).is_err() || part < len || allowed == Some(part as u64) {
            break;
        }
        passed += part as u64;
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
