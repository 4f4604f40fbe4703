//! From JSON to a request and back: how a row of the table is run.

use std::pin::Pin;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use schemars::Schema;

use super::bounds;
use super::call::RowCall;
use super::desk::Desk;
use super::request::Request;
use crate::{Code, CommandError};

/// Something that is ready later.
pub(crate) type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A function of a row with this answer, from JSON.
type RowFunction<T> =
    for<'a> fn(&'static Schema, &'a Desk, &'a Arc<RowCall>, Value) -> Later<'a, Result<T, CommandError>>;

/// The function of a row, from JSON to JSON.
#[derive(Clone, Copy)]
pub(crate) enum Run {
    /// Answered once.
    Once(RowFunction<Box<RawValue>>),
    /// Answered, and items follow.
    Follow(RowFunction<Streamed>),
}

/// What follows an answer. It ends when this is dropped.
pub(crate) trait Items: Send {
    /// What follows.
    type Item: Serialize;

    /// The next one; `None`: that was all. An error is the end too.
    fn next(&mut self) -> impl Future<Output = Option<Result<Self::Item, CommandError>>> + Send;
}

/// [`Items`] of any type, as JSON.
pub(crate) trait JsonItems: Send {
    fn next_json(&mut self) -> Later<'_, Option<Result<Value, CommandError>>>;
}

impl<T: Items> JsonItems for T {
    fn next_json(&mut self) -> Later<'_, Option<Result<Value, CommandError>>> {
        Box::pin(async { Some(self.next().await?.and_then(|item| value(&item))) })
    }
}

/// An answer, and what follows it.
pub(crate) struct Streamed {
    pub(crate) begun: Box<RawValue>,
    pub(crate) items: Box<dyn JsonItems>,
}

/// What a command leads to.
pub(crate) enum Outcome {
    Answer(Box<RawValue>),
    Stream(Streamed),
}

// Only maps with keys that are no texts cannot be written.
fn unwritten(error: &serde_json::Error) -> CommandError {
    CommandError::new(Code::Store, error.to_string())
}

/// An answer as JSON text, written once: a page of 10,000 devices has 140,000 fields.
pub(crate) fn answer(answer: &impl Serialize) -> Result<Box<RawValue>, CommandError> {
    serde_json::value::to_raw_value(answer).map_err(|error| unwritten(&error))
}

/// As JSON that is looked at before it is written.
pub(crate) fn value(of: &impl Serialize) -> Result<Value, CommandError> {
    serde_json::to_value(of).map_err(|error| unwritten(&error))
}

/// A request from its parameters: types first, then the limits of its schema.
pub(crate) fn read<R: Request>(schema: &Schema, parameters: Value) -> Result<R, CommandError> {
    let given = parameters.clone();
    let request = typed(parameters)?;
    bounds::check(schema, &given)?;
    Ok(request)
}

fn typed<R: DeserializeOwned>(parameters: Value) -> Result<R, CommandError> {
    serde_path_to_error::deserialize(parameters).map_err(|error| {
        let path = error.path().to_string();
        let text = error.into_inner().to_string();
        let text = match text.split_once(", expected ") {
            // What was there is not repeated: it may be a secret in the wrong place.
            Some((wrong, expected)) if wrong.starts_with("invalid ") || wrong.starts_with("unknown variant") => {
                format!("must be {}", in_words(expected))
            }
            _ => text,
        };
        match path.as_str() {
            "." | "?" => CommandError::new(Code::BadParameter, text),
            path => CommandError::new(Code::BadParameter, format!("parameter {path:?}: {text}")).about(path),
        }
    })
}

/// Types as people call them.
fn in_words(expected: &str) -> &str {
    match expected {
        "u16" | "u32" => "a whole number from 0",
        "u64" | "i64" => "a whole number",
        "f64" => "a number",
        "a string" => "a text",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        other => other,
    }
}
