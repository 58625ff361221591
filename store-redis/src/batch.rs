//! Batches: one round trip for each connection, in pieces of bounded size.

use std::future::{Future, poll_fn};
use std::task::Poll;

use redis::{Cmd, Pipeline, Value};
use store_core::{BatchWrite, Error, Key, Outcome, Payload, Put, Result};

use crate::envelope::{self, HEADER};
use crate::error::{self, bad_reply};
use crate::form::Format;
use crate::link::Failure;
use crate::pool::Lane;
use crate::store::RedisStore;

/// A piece of a batch is closed when it holds this many bytes.
const PIECE: usize = 8 << 20;
/// Most commands in a piece.
const COMMANDS: usize = 1000;

/// Commands that go to one connection together, and which items of the batch they are.
struct Piece {
    connection: usize,
    commands: Pipeline,
    items: Vec<usize>,
    bytes: usize,
}

impl RedisStore {
    /// Sorts commands by connection, in their order. Each is made when it is known whether it is the first of its piece.
    fn pieces(&self, commands: impl Iterator<Item = (usize, usize, impl FnOnce(bool) -> Cmd)>) -> Vec<Piece> {
        let mut open: Vec<Option<Piece>> = (0..self.pool.size()).map(|_| None).collect();
        let mut full = Vec::new();
        for (item, (connection, bytes, command)) in commands.enumerate() {
            let piece = open[connection].get_or_insert_with(|| Piece {
                connection,
                commands: Pipeline::new(),
                items: Vec::new(),
                bytes: 0,
            });
            piece.commands.add_command(command(piece.items.is_empty()));
            piece.items.push(item);
            piece.bytes += bytes;
            if piece.bytes >= PIECE || piece.items.len() >= COMMANDS {
                full.extend(open[connection].take());
            }
        }
        full.extend(open.into_iter().flatten());
        full
    }

    /// Sends one command for each key, all at once, in order; a cluster's way, where each may be redirected.
    async fn scatter(&self, commands: impl Iterator<Item = (Key<'_>, Cmd)>) -> Vec<Result<Value, Error>> {
        let calls = commands.map(|(key, command)| async move {
            let lane = self.pool.lane(key);
            lane.once(&command).await.map_err(|failure| lane.of_write(failure))
        });
        join_all(calls).await
    }

    pub(crate) async fn read_batch(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Payload>>> {
        if self.pool.cluster().is_some() {
            let commands = keys.iter().map(|&key| (key, RedisStore::command("GET", self.keys.of(key))));
            let answers = self.scatter(commands).await;
            return answers.into_iter().map(|answer| self.format.value(answer?)).collect();
        }
        // Not MGET, which answers "absent" for what is not a string.
        let commands = keys.iter().map(|&key| {
            let full = self.keys.of(key);
            (self.pool.number(key), full.len(), move |_| RedisStore::command("GET", full))
        });
        let mut found = vec![None; keys.len()];
        for piece in self.pieces(commands) {
            let lane = self.pool.numbered_lane(piece.connection);
            for (item, value) in piece.items.iter().zip(read_piece(lane, &piece).await?) {
                found[*item] = match value {
                    Value::ServerError(refusal) => return Err(error::reply(&refusal).error),
                    value => self.format.value(value)?,
                };
            }
        }
        Ok(found)
    }

    pub(crate) async fn delete_batch(&self, keys: &[Key<'_>]) -> Result<Vec<bool>> {
        if self.pool.cluster().is_some() {
            let commands = keys.iter().map(|&key| (key, RedisStore::command("DEL", self.keys.of(key))));
            let mut report = Report::default();
            let mut deleted = Vec::with_capacity(keys.len());
            for (item, answer) in self.scatter(commands).await.into_iter().enumerate() {
                deleted.push(matches!(answer, Ok(Value::Int(1..))));
                report.note(item, answer.map(drop));
            }
            return report.into_result().map(|()| deleted);
        }
        self.before_batch().await?;
        let commands = keys.iter().map(|&key| {
            let full = self.keys.of(key);
            let command = move |first| self.batch_delete(full, RedisStore::command("DEL", full), first);
            (self.pool.number(key), full.len(), command)
        });
        let mut deleted = vec![false; keys.len()];
        let mut report = Report::default();
        for piece in self.pieces(commands) {
            let lane = self.pool.numbered_lane(piece.connection);
            match lane.batch(&piece.commands).await {
                Ok(answers) => report.answers(&piece, &answers, |item, answer| match answer {
                    Value::Int(count) => {
                        deleted[item] = *count > 0;
                        true
                    }
                    _ => false,
                }),
                Err(failure) => report.failed(&piece, &lane.of_write(failure)),
            }
        }
        report.into_result().map(|()| deleted)
    }

    pub(crate) async fn write_batch(&self, items: &[BatchWrite<'_>]) -> Result<()> {
        if self.pool.cluster().is_some() {
            if self.format == Format::Raw {
                items.iter().try_for_each(|item| self.format.stored(0, item.value).map(drop))?;
            }
            let puts = items.iter().map(|item| self.put_plain(item.key, item.value, Put::always(item.lifetime)));
            let mut report = Report::default();
            for (item, answer) in join_all(puts).await.into_iter().enumerate() {
                report.note(item, answer.map(drop));
            }
            return report.into_result();
        }
        self.before_batch().await?;
        let versions: Vec<u64> = items.iter().map(|_| self.new_version()).collect();
        // All of them first: one that cannot be stored refuses the whole batch.
        let stored = items.iter().zip(&versions).map(|(item, &version)| self.format.stored(version, item.value));
        let stored = stored.collect::<Result<Vec<_>>>()?;
        let commands = items.iter().zip(&stored).map(|(item, stored)| {
            let full = self.keys.of(item.key);
            let command =
                move |first| self.batch_write(full, RedisStore::set_command(full, stored, item.lifetime), first);
            (self.pool.number(item.key), full.len() + stored.len(), command)
        });
        let mut report = Report::default();
        for piece in self.pieces(commands) {
            let lane = self.pool.numbered_lane(piece.connection);
            match lane.batch(&piece.commands).await {
                Ok(answers) => report.answers(&piece, &answers, |_, answer| *answer == Value::Okay),
                Err(Failure::Lost(lost)) => {
                    let there = self.written(lane, &piece, items, &versions).await;
                    for (&item, there) in piece.items.iter().zip(there) {
                        if !there {
                            report.unknown(item, lost.clone());
                        }
                    }
                }
                Err(failure) => report.failed(&piece, &lane.of_write(failure)),
            }
        }
        report.into_result()
    }

    /// After a lost answer: which items of a piece are known to have been written, by their versions.
    async fn written(&self, lane: Lane<'_>, piece: &Piece, items: &[BatchWrite<'_>], versions: &[u64]) -> Vec<bool> {
        if self.format == Format::Raw {
            return vec![false; piece.items.len()];
        }
        let mut looks = Pipeline::new();
        for &item in &piece.items {
            looks.cmd("GETRANGE").arg(self.keys.of(items[item].key)).arg(0).arg(HEADER - 1);
        }
        let looks = Piece { connection: piece.connection, commands: looks, items: piece.items.clone(), bytes: 0 };
        let Ok(found) = read_piece(lane, &looks).await else { return vec![false; piece.items.len()] };
        let version = |value: &Value| match value {
            Value::BulkString(header) => envelope::version(header).ok().and_then(|version| version.as_u64()),
            _ => None,
        };
        let found: Vec<Option<u64>> = found.iter().map(version).collect();
        let mut there = Vec::with_capacity(piece.items.len());
        for (place, &item) in piece.items.iter().enumerate() {
            // A connection executes in order: what a later item of this batch has overwritten was written before.
            let mut same = (place..piece.items.len()).filter(|&at| items[piece.items[at]].key == items[item].key);
            there.push(same.any(|at| found[place].is_some() && found[place] == Some(versions[piece.items[at]])));
        }
        there
    }
}

/// Runs futures together, polled in order, and gives their results in order.
pub(crate) async fn join_all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.map(|future| (Some(Box::pin(future)), None)).collect();
    poll_fn(|cx| {
        let mut waiting = false;
        for (future, output) in &mut running {
            let Some(polled) = future else { continue };
            match polled.as_mut().poll(cx) {
                Poll::Ready(done) => (*future, *output) = (None, Some(done)),
                Poll::Pending => waiting = true,
            }
        }
        if waiting { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    running.into_iter().filter_map(|(_, output)| output).collect()
}

/// Sends commands that only read; again if the connection is lost.
async fn read_piece(lane: Lane<'_>, piece: &Piece) -> Result<Vec<Value>> {
    loop {
        match lane.batch(&piece.commands).await {
            Ok(answers) if answers.len() == piece.items.len() => return Ok(answers),
            Ok(_) => return Err(bad_reply()),
            Err(Failure::Lost(_)) if !lane.is_over() => {}
            Err(failure) => return Err(lane.of_read(failure)),
        }
    }
}

/// What went wrong with which items.
#[derive(Default)]
struct Report {
    error: Option<Error>,
    not_applied: Vec<usize>,
    unknown: Vec<usize>,
}

impl Report {
    fn refused(&mut self, item: usize, error: Error) {
        self.not_applied.push(item);
        self.error.get_or_insert(error);
    }

    fn unknown(&mut self, item: usize, error: Error) {
        self.unknown.push(item);
        self.error.get_or_insert(error);
    }

    fn note(&mut self, item: usize, answer: Result<()>) {
        match answer {
            Ok(()) => {}
            Err(error) if error.outcome() == Outcome::NotApplied => self.refused(item, error),
            Err(error) => self.unknown(item, error),
        }
    }

    /// The answers of a piece, each judged by `is_done` unless the server refused it.
    fn answers(&mut self, piece: &Piece, answers: &[Value], mut is_done: impl FnMut(usize, &Value) -> bool) {
        if answers.len() != piece.items.len() {
            return self.failed(piece, &bad_reply());
        }
        for (&item, answer) in piece.items.iter().zip(answers) {
            match answer {
                Value::ServerError(refusal) => self.refused(item, error::reply(refusal).error),
                answer if is_done(item, answer) => {}
                _ => self.unknown(item, bad_reply()),
            }
        }
    }

    /// A whole piece failed.
    fn failed(&mut self, piece: &Piece, error: &Error) {
        for &item in &piece.items {
            self.note(item, Err(error.clone()));
        }
    }

    fn into_result(mut self) -> Result<()> {
        let Some(error) = self.error else { return Ok(()) };
        let numbers = |items: &mut Vec<usize>| {
            items.sort_unstable();
            store_core::Value::Array(items.iter().map(|&item| store_core::Value::from(item)).collect())
        };
        let outcome = if self.unknown.is_empty() { Outcome::NotApplied } else { Outcome::Unknown };
        Err(error
            .with_outcome(outcome)
            .with_detail("not_applied", numbers(&mut self.not_applied))
            .with_detail("unknown", numbers(&mut self.unknown)))
    }
}
