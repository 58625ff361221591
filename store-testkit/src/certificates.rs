//! Certificates for loopback, made anew for each server by the `openssl` command.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::spawn::have;

/// A certificate authority, a server certificate signed by it, a client certificate, and an authority that signed nothing.
#[derive(Debug)]
pub struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    /// Makes them in a folder.
    ///
    /// # Panics
    /// If `openssl` is missing (with the command that installs it) or fails.
    #[must_use]
    pub fn new(folder: &Path) -> Certificates {
        assert!(have("openssl"), "openssl is not installed. Install it: `apt-get install openssl` (Debian, Ubuntu)");
        let certificates = Certificates { folder: folder.to_owned() };
        for authority in ["ca", "other-ca"] {
            certificates.run(&format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={authority} \
                 -keyout {authority}.key -out {authority}.crt"
            ));
        }
        for (name, extension) in
            [("server", "subjectAltName=IP:127.0.0.1,DNS:localhost"), ("client", "subjectAltName=DNS:client")]
        {
            std::fs::write(certificates.file(&format!("{name}.ext")), extension).expect("write a file");
            certificates.run(&format!(
                "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={name} -keyout {name}.key -out {name}.csr"
            ));
            certificates.run(&format!(
                "x509 -req -in {name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile {name}.ext -out {name}.crt"
            ));
        }
        certificates
    }

    /// One of `ca.crt`, `other-ca.crt`, `server.crt`, `server.key`, `client.crt`, `client.key`.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn run(&self, arguments: &str) {
        let status = Command::new("openssl")
            .args(arguments.split_whitespace())
            .current_dir(&self.folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect("run openssl");
        assert!(status.success(), "openssl {arguments} failed");
    }
}
