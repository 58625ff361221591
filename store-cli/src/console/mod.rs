//! What is said to whoever called the command, and asked: answers, errors and exit codes, progress, questions.

mod ask;
mod end;
mod output;
mod progress;

pub(crate) use ask::ask;
pub(crate) use end::{End, FAILED, NO, described};
pub(crate) use output::{Output, Paint, Trouble, answer, error_object, explained};
pub(crate) use progress::{Progress, Total};
