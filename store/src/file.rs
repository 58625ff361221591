//! A configuration file that is loaded anew while its stores are in use.

use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use store_core::config::{Config, Document};
use store_core::{Backends, Registry, Reloaded, Result, SystemTimer, Timer};

/// A configuration file, and the environment that is in force: opens the registry, and loads the file anew.
///
/// ```
/// # use store::{ConfigFile, Expiry, Result};
/// # async fn example(folder: &std::path::Path) -> Result<()> {
/// # let path = folder.join("store.toml");
/// # std::fs::write(&path, "[stores.'app:cache']\nbackend = 'memory'").unwrap();
/// let file = ConfigFile::new(&path, None);
/// let registry = file.open()?;
/// let cache = registry.get("app:cache").await?;
///
/// std::fs::write(&path, "[stores.'app:cache']\nbackend = 'memory'\ndefault_ttl = '1h'").unwrap();
/// let reloaded = file.reload(&registry).await?;                   // on SIGHUP, say
/// assert_eq!(&*reloaded.changed[0], "app:cache");
/// cache.set("greeting", "hello", Expiry::Default).await?;         // for an hour: handles follow
/// # assert_ne!(cache.ttl("greeting").await?, Some(store::Ttl::Never));
/// # registry.close().await
/// # }
/// # #[cfg(feature = "memory")]
/// # store::block_on(example(tempfile::tempdir().unwrap().path())).unwrap();
/// ```
#[derive(Clone)]
pub struct ConfigFile {
    path: PathBuf,
    environment: Option<String>,
    /// The same for every loading, so that what stores share stays shared.
    backends: Backends,
}

impl ConfigFile {
    /// A file, with the backends of this build. `environment` as for [`open`](crate::open()).
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, environment: Option<&str>) -> ConfigFile {
        ConfigFile::with_backends(path, environment, crate::backends())
    }

    /// A file, with other backends.
    #[must_use]
    pub fn with_backends(path: impl Into<PathBuf>, environment: Option<&str>, backends: Backends) -> ConfigFile {
        ConfigFile { path: path.into(), environment: environment.map(str::to_owned), backends }
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the file says now, for a [`Registry::builder`].
    ///
    /// # Errors
    /// INVALID: the file cannot be read, or all mistakes in it at once, with file, line and key.
    pub fn config(&self) -> Result<Config> {
        let document = Document::read(&self.path)?;
        document.resolve(self.environment.as_deref(), &self.backends, &|name| std::env::var(name).ok())
    }

    /// The registry of the file. Opens no store.
    ///
    /// # Errors
    /// As [`config`](ConfigFile::config).
    pub fn open(&self) -> Result<Registry> {
        self.config().map(Registry::new)
    }

    /// Puts in force what the file says now, as [`Registry::reload`] does: as a whole, or not at all.
    ///
    /// # Errors
    /// As [`config`](ConfigFile::config) and [`Registry::reload`]. Nothing has changed then.
    pub async fn reload(&self, registry: &Registry) -> Result<Reloaded> {
        registry.reload(self.config()?).await
    }

    /// Looks at the file every so often and loads it anew when it has changed since this call, for ever: drop the future to end it.
    /// `told` hears how each loading went; what failed is tried again at the next change.
    ///
    /// A change is seen by the file's time and size, so that it takes no watching of the file system, and works for files that are
    /// replaced or linked, as those of Kubernetes are. It is loaded when it looks the same twice: not while it is being written.
    pub fn watch(
        &self,
        registry: &Registry,
        every: Duration,
        mut told: impl FnMut(Result<Reloaded>),
    ) -> impl Future<Output = ()> {
        let (mut loaded, mut before) = (self.stamp(), self.stamp());
        async move {
            loop {
                SystemTimer.sleep(every).await;
                let now = self.stamp();
                if now == before && now != loaded {
                    loaded = now;
                    told(self.reload(registry).await);
                }
                before = now;
            }
        }
    }

    /// What tells one state of the file from another; `None` if it is not there.
    fn stamp(&self) -> Option<(SystemTime, u64)> {
        let metadata = std::fs::metadata(&self.path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    }
}

impl fmt::Debug for ConfigFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigFile")
            .field("path", &self.path)
            .field("environment", &self.environment)
            .finish_non_exhaustive()
    }
}
