//! TLS, by rustls with the ring provider, if the feature `tls` is on.
//!
//! The provider is named and not looked up in the process, so nothing that another crate installs, or does not, can make a
//! connection panic. Certificates are read once, when the store opens.

#[cfg(feature = "tls")]
pub(crate) use with::Encryption;
#[cfg(not(feature = "tls"))]
pub(crate) use without::Encryption;

#[cfg(feature = "tls")]
mod with {
    use std::fmt;
    use std::io;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;

    use store_core::{Error, Result};
    use tokio::net::TcpStream;
    use tokio_rustls::TlsConnector;
    use tokio_rustls::client::TlsStream;
    use tokio_rustls::rustls::crypto::ring::default_provider;
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
    use tokio_rustls::rustls::{ClientConfig, RootCertStore};

    /// How connections are encrypted; nothing for those that are not.
    #[derive(Clone, Default)]
    pub(crate) struct Encryption(Option<Arc<ClientConfig>>);

    impl Encryption {
        /// Reads the certificates: the system's, unless there is a file of others.
        ///
        /// # Errors
        /// INVALID; `details.key` names the option.
        pub(crate) fn load(
            ca: Option<PathBuf>,
            certificate: Option<PathBuf>,
            key: Option<PathBuf>,
        ) -> Result<Encryption> {
            let mut roots = RootCertStore::empty();
            match &ca {
                Some(file) => {
                    for certificate in certificates("ca_file", file)? {
                        roots.add(certificate).map_err(|error| unreadable("ca_file", file, &error))?;
                    }
                }
                // What the system has that cannot be read is skipped: it trusts somebody else.
                None => {
                    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                }
            }
            if roots.is_empty() {
                return Err(
                    Error::invalid("no certificate to trust was found: set ca_file").with_detail("key", "ca_file")
                );
            }
            let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(|error| Error::internal("TLS cannot be set up").with_source(error))?
                .with_root_certificates(roots);
            let config = match (&certificate, &key) {
                (Some(certificate), Some(key)) => {
                    let chain = certificates("cert_file", certificate)?;
                    let secret =
                        PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable("key_file", key, &error))?;
                    config.with_client_auth_cert(chain, secret).map_err(|error| unreadable("key_file", key, &error))?
                }
                _ => config.with_no_client_auth(),
            };
            Ok(Encryption(Some(Arc::new(config))))
        }

        /// Encrypts a connection, once the server has proven who it is.
        pub(crate) async fn wrap(&self, stream: TcpStream, host: &str) -> io::Result<TlsStream<TcpStream>> {
            let config = self.0.clone().ok_or_else(|| io::Error::other("TLS is not set up"))?;
            let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
            TlsConnector::from(config).connect(name, stream).await
        }
    }

    impl fmt::Debug for Encryption {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(if self.0.is_some() { "Encryption(TLS)" } else { "Encryption(none)" })
        }
    }

    fn certificates(option: &'static str, file: &Path) -> Result<Vec<CertificateDer<'static>>> {
        let found = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>);
        match found {
            Ok(found) if found.is_empty() => Err(unreadable(option, file, &"it holds no certificate")),
            Ok(found) => Ok(found),
            Err(error) => Err(unreadable(option, file, &error)),
        }
    }

    fn unreadable(option: &'static str, file: &Path, error: &dyn fmt::Display) -> Error {
        Error::invalid(format!("{option} {}: {error}", file.display())).with_detail("key", option)
    }
}

#[cfg(not(feature = "tls"))]
mod without {
    use std::io;

    use tokio::net::TcpStream;

    /// Nothing: this build has no TLS.
    #[derive(Clone, Debug)]
    pub(crate) struct Encryption;

    impl Encryption {
        /// Never reached: the options were refused.
        pub(crate) async fn wrap(&self, _: TcpStream, _: &str) -> io::Result<TcpStream> {
            Err(io::Error::new(io::ErrorKind::Unsupported, "this build has no TLS"))
        }
    }
}
