//! The table of backends that configurations can name.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeValue, ValueDeserializer};

use crate::{Backend, Error, OpenContext, Result, Store};

/// The backends that configurations can name. A value, not a global: whoever loads a configuration says what it may use.
///
/// Names that are known but were not compiled in can be recorded with [`not_compiled`](Backends::not_compiled), so that a
/// configuration that uses one is told which Cargo feature brings it (rule E5).
#[derive(Clone, Debug, Default)]
pub struct Backends {
    compiled: BTreeMap<&'static str, Arc<dyn ErasedBackend>>,
    missing: BTreeMap<&'static str, &'static str>,
}

/// What a name turned out to be.
pub(crate) enum Found<'a> {
    Compiled(&'a Arc<dyn ErasedBackend>),
    NotCompiled { feature: &'static str },
    Unknown,
}

impl Backends {
    /// No backends.
    #[must_use]
    pub fn new() -> Backends {
        Backends::default()
    }

    /// Adds a backend under its [`NAME`](Backend::NAME).
    ///
    /// # Errors
    /// INVALID if the name is taken.
    pub fn register<B: Backend>(&mut self, backend: B) -> Result<&mut Backends> {
        if self.compiled.contains_key(B::NAME) {
            return Err(Error::invalid(format!("the backend {} is registered twice", B::NAME)));
        }
        self.missing.remove(B::NAME);
        self.compiled.insert(B::NAME, Arc::new(Typed(Arc::new(backend))));
        Ok(self)
    }

    /// Records a backend that this build leaves out, and the Cargo feature that would bring it.
    pub fn not_compiled(&mut self, name: &'static str, feature: &'static str) -> &mut Backends {
        if !self.compiled.contains_key(name) {
            self.missing.insert(name, feature);
        }
        self
    }

    /// The names that configurations can use, in byte order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.compiled.keys().copied()
    }

    pub(crate) fn find(&self, name: &str) -> Found<'_> {
        if let Some(backend) = self.compiled.get(name) {
            return Found::Compiled(backend);
        }
        match self.missing.get(name) {
            Some(feature) => Found::NotCompiled { feature },
            None => Found::Unknown,
        }
    }
}

/// Options of a type that only their backend knows.
pub(crate) type Options = Arc<dyn Any + Send + Sync>;

/// A [`Backend`] whose type of options is forgotten.
#[async_trait]
pub(crate) trait ErasedBackend: fmt::Debug + Send + Sync {
    fn name(&self) -> &'static str;
    fn parse(&self, options: Spanned<DeValue<'_>>) -> Result<Options, toml::de::Error>;
    fn check(&self, options: &Options) -> Result<()>;
    async fn open(&self, options: &Options, cx: OpenContext) -> Result<Arc<dyn Store>>;
}

/// Remembers the type.
#[derive(Debug)]
pub(crate) struct Typed<B>(pub(crate) Arc<B>);

impl<B: Backend> Typed<B> {
    fn options(options: &Options) -> Result<&B::Options> {
        options
            .downcast_ref()
            .ok_or_else(|| Error::internal(format!("these options are not those of the backend {}", B::NAME)))
    }
}

#[async_trait]
impl<B: Backend> ErasedBackend for Typed<B> {
    fn name(&self) -> &'static str {
        B::NAME
    }

    fn parse(&self, options: Spanned<DeValue<'_>>) -> Result<Options, toml::de::Error> {
        let options = B::Options::deserialize(ValueDeserializer::from(options))?;
        Ok(Arc::new(options))
    }

    fn check(&self, options: &Options) -> Result<()> {
        self.0.check(Self::options(options)?)
    }

    async fn open(&self, options: &Options, cx: OpenContext) -> Result<Arc<dyn Store>> {
        self.0.open(Self::options(options)?, cx).await
    }
}
