//! The connections of a store, and how requests go over them: each under one deadline, repeated only where that is harmless.
//!
//! What a call rarely needs is boxed, here and in the operations: futures are allocated for each call, and small ones cost
//! less (`tests/cost.rs`).

use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;
use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, Pipeline, Value};
use store_core::{Error, Key, Outcome, Result};

use crate::cluster::{Cluster, Request};
use crate::deadlines::{Deadlines, Moment};
use crate::error;
use crate::keys::FullKey;
use crate::link::Failure;
use crate::scripts::Script;
use crate::supervisor::Supervised;

#[derive(Debug)]
pub(crate) struct Pool {
    connections: Vec<Supervised>,
    cluster: Option<Cluster>,
    deadlines: Arc<Deadlines>,
    timeout: Duration,
}

/// A key's connection, and the deadline of a call.
#[derive(Clone, Copy)]
pub(crate) struct Lane<'a> {
    route: Route<'a>,
    pool: &'a Pool,
    until: Moment,
}

/// Where requests go.
#[derive(Clone, Copy)]
enum Route<'a> {
    Connection(&'a Supervised),
    Slot(&'a Cluster, usize),
}

impl Pool {
    pub(crate) fn new(connections: Vec<Supervised>, deadlines: Arc<Deadlines>, timeout: Duration) -> Pool {
        Pool { connections, cluster: None, deadlines, timeout }
    }

    pub(crate) fn clustered(cluster: Cluster, deadlines: Arc<Deadlines>, timeout: Duration) -> Pool {
        Pool { connections: Vec::new(), cluster: Some(cluster), deadlines, timeout }
    }

    pub(crate) fn cluster(&self) -> Option<&Cluster> {
        self.cluster.as_ref()
    }

    /// The deadline of a call that starts now.
    pub(crate) fn deadline(&self) -> Moment {
        self.deadlines.after(self.timeout)
    }

    /// Where a key's requests go, so that they stay in order; the deadline starts now.
    pub(crate) fn lane(&self, key: Key<'_>) -> Lane<'_> {
        match &self.cluster {
            Some(cluster) => {
                let route = Route::Slot(cluster, cluster.slot(key.as_bytes()));
                Lane { route, pool: self, until: self.deadline() }
            }
            None => self.numbered_lane(self.number(key)),
        }
    }

    /// Which connection a key belongs to.
    pub(crate) fn number(&self, key: Key<'_>) -> usize {
        if self.connections.len() == 1 {
            return 0;
        }
        let mut hasher = DefaultHasher::new();
        hasher.write(key.as_bytes());
        usize::try_from(hasher.finish() % self.connections.len() as u64).unwrap_or(0)
    }

    /// How many connections there are.
    pub(crate) fn size(&self) -> usize {
        self.connections.len()
    }

    /// The lane over one connection; the deadline starts now.
    pub(crate) fn numbered_lane(&self, number: usize) -> Lane<'_> {
        self.lane_over(&self.connections[number])
    }

    /// The lane over a connection; the deadline starts now.
    pub(crate) fn lane_over<'a>(&'a self, connection: &'a Supervised) -> Lane<'a> {
        Lane { route: Route::Connection(connection), pool: self, until: self.deadline() }
    }

    /// How often a lost connection was made anew; of a cluster, whose nodes come and go, nobody counts it.
    pub(crate) fn reconnects(&self) -> Option<u64> {
        self.cluster.is_none().then(|| self.connections.iter().map(Supervised::reconnects).sum())
    }

    pub(crate) fn close(&self) {
        self.connections.iter().for_each(Supervised::close);
        self.cluster.iter().for_each(Cluster::close);
    }
}

impl Lane<'_> {
    /// Sends a command once.
    pub(crate) async fn once(&self, command: &Cmd) -> Result<Value, Failure> {
        let connection = match self.route {
            Route::Connection(connection) => connection,
            Route::Slot(cluster, slot) => {
                let answers = Box::pin(cluster.send(slot, Request::One(command), self.until)).await?;
                return answers.into_iter().next().ok_or_else(|| error::bad_reply().into());
            }
        };
        let link = connection.link(self.until).await?;
        link.call(command, &self.pool.deadlines, self.until).await
    }

    /// The connection; slots have none of their own.
    fn connection(&self) -> Result<&Supervised> {
        match self.route {
            Route::Connection(connection) => Ok(connection),
            Route::Slot(..) => Err(Error::unsupported("a Redis cluster has no single connection")),
        }
    }

    /// Sends a command once that depends on which connection it goes over.
    pub(crate) async fn on_link(&self, command: impl FnOnce(u64) -> Cmd) -> Result<(u64, Result<Value, Failure>)> {
        let link = self.connection()?.link(self.until).await?;
        let answer = link.call(&command(link.generation), &self.pool.deadlines, self.until).await;
        Ok((link.generation, answer))
    }

    /// Sends a read, again if its connection is lost, as long as the deadline allows.
    pub(crate) async fn read(&self, command: &Cmd) -> Result<Value> {
        loop {
            match self.once(command).await {
                Err(Failure::Lost(_)) if !self.is_over() => {}
                result => return result.map_err(|failure| self.of_read(failure)),
            }
        }
    }

    /// Sends commands that only read, as one transaction; again if the connection is lost.
    pub(crate) async fn read_together(&self, commands: &Pipeline) -> Result<Vec<Value>> {
        loop {
            match self.together(commands).await {
                Err(Failure::Lost(_)) if !self.is_over() => {}
                result => return result.map_err(|failure| self.of_read(failure)),
            }
        }
    }

    /// Sends commands as one transaction, once.
    pub(crate) async fn together(&self, commands: &Pipeline) -> Result<Vec<Value>, Failure> {
        let connection = match self.route {
            Route::Connection(connection) => connection,
            Route::Slot(cluster, slot) => {
                return Box::pin(cluster.send(slot, Request::Transaction(commands), self.until)).await;
            }
        };
        let link = connection.link(self.until).await?;
        link.transaction(commands, &self.pool.deadlines, self.until).await
    }

    /// Sends commands in one go, once.
    pub(crate) async fn batch(&self, commands: &Pipeline) -> Result<Vec<Value>, Failure> {
        let link = self.connection()?.link(self.until).await?;
        link.batch(commands, &self.pool.deadlines, self.until).await
    }

    /// Runs a script on one key, and the index if there is one.
    pub(crate) async fn script(
        &self,
        script: &Script,
        key: FullKey<'_>,
        index: Option<&[u8]>,
        arguments: impl Fn(&mut Cmd),
    ) -> Result<Value, Failure> {
        let keys = |command: &mut Cmd| {
            command.arg(key).arg(index);
            arguments(command);
        };
        self.script_on(script, 1 + usize::from(index.is_some()), keys).await
    }

    /// Runs a script on as many keys as are said, which the arguments begin with: by its hash, in full if the server does not
    /// know it.
    pub(crate) async fn script_on(
        &self,
        script: &Script,
        keys: usize,
        arguments: impl Fn(&mut Cmd),
    ) -> Result<Value, Failure> {
        let command = |name: &str, text: &str| {
            let mut command = Cmd::with_capacity(9, text.len() + 160);
            command.arg(name).arg(text).arg(keys);
            arguments(&mut command);
            command
        };
        match self.once(&command("EVALSHA", &script.hash)).await {
            Err(Failure::Refused(refusal)) if refusal.no_script => {
                Box::pin(self.once(&command("EVAL", &script.code))).await
            }
            result => result,
        }
    }

    /// Whether the deadline has passed.
    pub(crate) fn is_over(&self) -> bool {
        self.pool.deadlines.has_passed(self.until)
    }

    /// The error of a failed read.
    pub(crate) fn of_read(&self, failure: Failure) -> Error {
        match failure {
            Failure::Refused(refusal) => refusal.error,
            Failure::Lost(error) => error,
            Failure::TimedOut => error::timed_out(self.pool.timeout),
        }
    }

    /// The error of a failed write: unless the server refused it, it may have been executed, or may still be.
    pub(crate) fn of_write(&self, failure: Failure) -> Error {
        match failure {
            Failure::Refused(refusal) => refusal.error,
            failure => self.of_read(failure).with_outcome(Outcome::Unknown),
        }
    }
}
