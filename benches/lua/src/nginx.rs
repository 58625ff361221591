//! Their side: an nginx with one worker, which times its own loops.

use std::cell::RefCell;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::vm::FILL;

/// Names a folder that the packages were unpacked into (`dpkg -x`), since installing them would displace another LuaJIT: `cargo xtask
/// bench lua` makes one. Else they are where Debian installs them.
const UNPACKED: &str = "STORE_BENCH_NGINX";

/// A running nginx, ended when dropped.
pub(crate) struct Nginx {
    process: Child,
    folder: PathBuf,
    connection: RefCell<BufReader<TcpStream>>,
}

impl Nginx {
    /// Starts one that can run these bodies, each a loop of so many calls.
    pub(crate) fn start(bodies: &[&str], calls: usize) -> Result<Nginx, Box<dyn std::error::Error>> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let folder = std::env::temp_dir().join(format!("store-lua-benches-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("bodies.lua"), script(bodies, calls))?;
        fs::write(folder.join("nginx.conf"), configuration(&folder.display().to_string(), port))?;
        let unpacked = unpacked();
        let own = PathBuf::from(format!("{unpacked}/usr/sbin/nginx"));
        let mut process = Command::new(if own.exists() { own } else { "nginx".into() })
            .env("LD_LIBRARY_PATH", libraries(&unpacked))
            .arg("-p")
            .arg(&folder)
            .args(["-c", "nginx.conf", "-e", "error.log"])
            .stdin(Stdio::null())
            .spawn()
            .map_err(|error| format!("nginx: {error}"))?;
        let deadline = Instant::now() + Duration::from_secs(10);
        let stream = loop {
            match TcpStream::connect(("127.0.0.1", port)) {
                Ok(stream) => break stream,
                Err(_) if Instant::now() < deadline && process.try_wait()?.is_none() => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(error) => {
                    let _ = process.kill();
                    let said = fs::read_to_string(folder.join("error.log")).unwrap_or_default();
                    return Err(format!("nginx does not answer: {error}; {said}").into());
                }
            }
        };
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Nginx { process, folder, connection: RefCell::new(BufReader::new(stream)) })
    }

    /// One round of a body: nanoseconds per call, by nginx's own clock.
    pub(crate) fn round(&self, index: usize) -> f64 {
        match self.ask(index) {
            Ok(nanoseconds) => nanoseconds,
            Err(error) => {
                eprintln!("nginx: {error}");
                std::process::exit(1);
            }
        }
    }

    fn ask(&self, index: usize) -> Result<f64, Box<dyn std::error::Error>> {
        let mut connection = self.connection.borrow_mut();
        write!(connection.get_mut(), "GET /{index} HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
        let (mut length, mut line) = (0, String::new());
        loop {
            line.clear();
            connection.read_line(&mut line)?;
            let header = line.trim_end().to_ascii_lowercase();
            if let Some(given) = header.strip_prefix("content-length: ") {
                length = given.parse()?;
            }
            if header.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        connection.read_exact(&mut body)?;
        let text = String::from_utf8_lossy(&body);
        text.trim().parse().map_err(|_| text.trim().to_owned().into())
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn unpacked() -> String {
    std::env::var(UNPACKED).unwrap_or_default()
}

fn libraries(unpacked: &str) -> String {
    format!("{unpacked}/usr/lib/{}-linux-gnu", std::env::consts::ARCH)
}

fn configuration(folder: &str, port: u16) -> String {
    let unpacked = unpacked();
    let (modules, libraries) = (format!("{unpacked}/usr/lib/nginx/modules"), libraries(&unpacked));
    // One process: no master, so that it ends with us.
    format!(
        "daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log warn;
load_module {modules}/ndk_http_module.so;
load_module {modules}/ngx_http_lua_module.so;
events {{ worker_connections 16; }}
http {{
  access_log off; keepalive_requests 1000000; keepalive_timeout 600s;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  lua_shared_dict cache 64m;
  lua_package_path '{folder}/?.lua;{unpacked}/usr/share/lua/5.1/?.lua;;';
  lua_package_cpath '{libraries}/lua/5.1/?.so;;';
  init_by_lua_block {{ require('bodies') }}
  server {{
    listen 127.0.0.1:{port};
    location / {{ content_by_lua_block {{
      local said = require('bodies')(tonumber(ngx.var.uri:sub(2)))
      ngx.header.content_length = #said
      ngx.print(said)
    }} }}
  }}
}}
"
    )
}

/// The loops, as functions of one module, so that they are compiled once and stay so.
fn script(bodies: &[&str], calls: usize) -> String {
    let mut loops = String::new();
    for body in bodies {
        loops.push_str(&format!(
            "  function(n) for i = 1, n do local k, t = keys[i % 1000], tables[i % 1000] {body} end end,\n"
        ));
    }
    format!(
        "local cjson = require('cjson')
local encode, decode = cjson.encode, cjson.decode
local dict = ngx.shared.cache
local keys, tables, others, text, row, seen
do
  local function set(k, v, ttl) assert(dict:set(k, v, ttl)) end
  local function set_table(k, v, ttl) assert(dict:set(k, encode(v), ttl)) end
  {FILL}
end
local loops = {{
{loops}}}
local ffi = require('ffi')
ffi.cdef[[typedef struct {{ long s; long ns; }} store_bench_time; int clock_gettime(int, store_bench_time *);]]
local time = ffi.new('store_bench_time')
local function now() ffi.C.clock_gettime(1, time) return tonumber(time.s) * 1e9 + tonumber(time.ns) end
return function(index)
  local loop, n = loops[index + 1], {calls}
  local started = now()
  loop(n)
  return string.format('%.3f', (now() - started) / n)
end
"
    )
}
