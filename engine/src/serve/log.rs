//! The server's log. Whoever speaks formats its line and queues it; one thread writes. No shard ever waits for a pipe that
//! nobody reads or for a slow disk: when the queue is full, lines are lost, and the log says how many. So it does when one
//! place of the program writes its line again and again.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use linchpin_control::push_within;
use tracing::callsite::Identifier;
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};

use super::log_line::log_line;
use super::repeats::Repeats;
use crate::limits;

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people and journald.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The words for [`Format`] in the file.
pub(crate) const FORMATS: [(&str, Format); 2] = [("text", Format::Text), ("json", Format::Json)];
/// The words for levels in the file.
pub(crate) const LEVELS: [(&str, Level); 4] =
    [("error", Level::ERROR), ("warn", Level::WARN), ("info", Level::INFO), ("debug", Level::DEBUG)];

/// What is logged, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogOptions {
    pub(crate) format: Format,
    /// The environment variable RUST_LOG goes before it.
    pub(crate) level: Level,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self { format: Format::Text, level: Level::INFO }
    }
}

/// What goes to the writing thread.
enum Message {
    Line(Vec<u8>),
    /// Write what is queued, and answer.
    Settle(SyncSender<()>),
    /// Write what is queued, answer, and end.
    End(SyncSender<()>),
}

/// The speakers' side of the queue.
#[derive(Clone)]
struct Queue {
    messages: SyncSender<Message>,
    left_out: Arc<LeftOut>,
    repeats: Arc<Repeats>,
}

/// Lines since the last one that the log has told.
#[derive(Default)]
struct LeftOut {
    /// Those that found no room.
    lost: AtomicU64,
    /// Those that came too often.
    repeated: AtomicU64,
}

/// A line on its way; the formatter writes each event in one piece.
struct Line<'a>(&'a Queue, Option<(Identifier, Level)>);

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let place = self.1.as_ref();
        if place.is_some_and(|(place, level)| !self.0.repeats.may_write(place.clone(), *level, Instant::now())) {
            self.0.left_out.repeated.fetch_add(1, Ordering::Relaxed);
            return Ok(line.len());
        }
        if let Err(TrySendError::Full(_)) = self.0.messages.try_send(Message::Line(log_line(line))) {
            self.0.left_out.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self, None)
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> Line<'a> {
        Line(self, Some((event.callsite(), *event.level())))
    }
}

/// Keeps the log going; when it is dropped, what is queued is written, within [`limits::LOG_END`].
#[must_use]
pub(crate) struct Log {
    messages: SyncSender<Message>,
}

impl Drop for Log {
    fn drop(&mut self) {
        wait_until_written(&self.messages, Message::End);
    }
}

/// The log of this process; none before [`start`].
static STARTED: OnceLock<SyncSender<Message>> = OnceLock::new();

/// What was said until now is written when this returns, or the log has taken longer than [`limits::LOG_END`] for it.
pub(crate) fn settle() {
    if let Some(messages) = STARTED.get() {
        wait_until_written(messages, Message::Settle);
    }
}

fn wait_until_written(messages: &SyncSender<Message>, message: fn(SyncSender<()>) -> Message) {
    let (answer, written) = sync_channel(1);
    let end = Instant::now() + limits::LOG_END;
    let offer = |message| match messages.try_send(message) {
        Err(TrySendError::Full(back)) => Err(back),
        // Without its thread there is nothing to wait for.
        _ => Ok(()),
    };
    if push_within(message(answer), limits::LOG_END, offer).is_err() {
        return;
    }
    let _ = written.recv_timeout(end.saturating_duration_since(Instant::now()));
}

/// A queue and the thread that writes it to `out`.
fn queue(format: Format, lines: usize, out: impl Write + Send + 'static) -> io::Result<(Queue, Log)> {
    let (messages, queued) = sync_channel(lines);
    let left_out = Arc::new(LeftOut::default());
    let queue = Queue { messages: messages.clone(), left_out: left_out.clone(), repeats: Arc::default() };
    std::thread::Builder::new().name("log".to_owned()).spawn(move || write_all(&queued, &left_out, format, out))?;
    Ok((queue, Log { messages }))
}

fn write_all(queued: &Receiver<Message>, left_out: &LeftOut, format: Format, mut out: impl Write) {
    for message in queued {
        // A log that cannot be written has nowhere to say so.
        if let Message::Line(line) = &message {
            let _ = out.write_all(line);
        }
        for (count, reason) in [
            (&left_out.lost, "lost: they came faster than they could be written"),
            (&left_out.repeated, "left out: the same one came too often"),
        ] {
            let count = count.swap(0, Ordering::Relaxed);
            if count > 0 {
                let _ = out.write_all(lost_line(format, count, reason).as_bytes());
            }
        }
        if let Message::Settle(answer) | Message::End(answer) = &message {
            let _ = out.flush();
            let _ = answer.send(());
        }
        if matches!(message, Message::End(_)) {
            return;
        }
    }
}

/// Looks like the other lines.
fn lost_line(format: Format, count: u64, reason: &str) -> String {
    let mut time = String::new();
    let _ = SystemTime.format_time(&mut Writer::new(&mut time));
    let text = format!("{count} log lines were {reason}");
    match format {
        Format::Text => format!("{time}  WARN {text}\n"),
        Format::Json => {
            let line = serde_json::json!({"timestamp": time, "level": "WARN", "message": text, "lost": count});
            format!("{line}\n")
        }
    }
}

/// Log to standard error from here on.
///
/// # Errors
/// There is no thread for it.
pub(crate) fn start(options: LogOptions) -> io::Result<Log> {
    let level = std::env::var("RUST_LOG").ok().and_then(|text| text.parse().ok()).unwrap_or(options.level);
    let colours = std::env::var_os("NO_COLOR").is_none() && io::IsTerminal::is_terminal(&io::stderr());
    let (queue, log) = queue(options.format, limits::LOG_LINES_QUEUED, io::stderr())?;
    let _ = STARTED.set(log.messages.clone());
    let lines = tracing_subscriber::fmt().with_max_level(level).with_writer(queue).with_target(false);
    match options.format {
        Format::Text => lines.with_ansi(colours).init(),
        Format::Json => lines.json().flatten_event(true).with_current_span(false).with_span_list(false).init(),
    }
    Ok(log)
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use super::*;

    /// Blocks while its lock is held, as a pipe that nobody reads.
    #[derive(Clone, Default)]
    struct Pipe(Arc<Mutex<Vec<u8>>>);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// In one piece, as the formatter does.
    fn say(queue: &Queue, line: &str) {
        queue.make_writer().write_all(format!("{line}\n").as_bytes()).expect("never fails");
    }

    #[test]
    fn a_blocked_log_loses_lines_and_says_how_many() {
        const QUEUED: usize = 8;
        for format in [Format::Text, Format::Json] {
            let pipe = Pipe::default();
            let (queue, log) = queue(format, QUEUED, pipe.clone()).expect("a thread");
            let blocked = pipe.0.lock().expect("the pipe");
            for number in 0..100 {
                say(&queue, &format!("line {number}"));
            }
            drop(blocked);
            drop(log);
            let text = String::from_utf8(pipe.0.lock().expect("the pipe").clone()).expect("UTF-8");
            let written = text.lines().filter(|line| line.starts_with("line ")).count();
            // One line more may be in the hands of the thread.
            assert!((QUEUED..=QUEUED + 1).contains(&written), "{text}");
            assert!(text.contains(&format!("{} log lines were lost", 100 - written)), "{text}");
            let last = text.lines().find(|line| line.contains("lost")).expect("a line");
            assert_eq!(serde_json::from_str::<serde_json::Value>(last).is_ok(), format == Format::Json, "{last}");
        }
    }

    #[test]
    fn everything_is_written_at_the_end_and_long_lines_are_cut() {
        let pipe = Pipe::default();
        let (queue, log) = queue(Format::Text, 1_000, pipe.clone()).expect("a thread");
        for number in 0..500 {
            say(&queue, &format!("line {number}"));
        }
        let long = "x".repeat(2 * limits::LOG_LINE_BYTES);
        queue.make_writer().write_all(long.as_bytes()).expect("never fails");
        drop(log);
        let text = String::from_utf8(pipe.0.lock().expect("the pipe").clone()).expect("UTF-8");
        assert_eq!(text.lines().count(), 501);
        assert!(text.ends_with("x...\n") && text.lines().all(|line| line.len() <= limits::LOG_LINE_BYTES + 3));
    }

    #[test]
    fn a_line_that_repeats_is_left_out_and_counted_and_no_other() {
        let pipe = Pipe::default();
        let (queue, log) = queue(Format::Text, 1 << 20, pipe.clone()).expect("a thread");
        let subscriber = tracing_subscriber::fmt().with_writer(queue).with_ansi(false).finish();
        let count = limits::LOG_REPEATS * 20;
        tracing::subscriber::with_default(subscriber, || {
            for number in 0..count {
                tracing::warn!(number, "again and again");
            }
            tracing::warn!("something else");
        });
        drop(log);
        let text = String::from_utf8(pipe.0.lock().expect("the pipe").clone()).expect("UTF-8");
        let lines = |what: &str| text.lines().filter(|line| line.contains(what)).count() as u64;
        assert!((limits::LOG_REPEATS..count / 2).contains(&lines("again and again")), "{}", lines("again and again"));
        assert_eq!(lines("something else"), 1);
        assert!(lines("log lines were left out: the same one came too often") >= 1);
    }

    /// A disk that takes its time.
    struct Slow(Pipe);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            std::thread::sleep(std::time::Duration::from_millis(5));
            self.0.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_was_said_before_is_written_when_it_has_settled() {
        let pipe = Pipe::default();
        let (queue, log) = queue(Format::Text, 100, Slow(pipe.clone())).expect("a thread");
        for round in 1..=3 {
            for number in 0..10 {
                say(&queue, &format!("line {number}"));
            }
            wait_until_written(&queue.messages, Message::Settle);
            let text = String::from_utf8(pipe.0.lock().expect("the pipe").clone()).expect("UTF-8");
            assert_eq!(text.lines().count(), 10 * round, "and it goes on");
        }
        drop(log);
    }

    #[test]
    fn a_log_that_stays_blocked_does_not_hold_the_end_up() {
        let pipe = Pipe::default();
        let blocked = pipe.0.lock().expect("the pipe");
        let (queue, log) = queue(Format::Text, 2, pipe.clone()).expect("a thread");
        for _ in 0..10 {
            say(&queue, "line");
        }
        let begun = Instant::now();
        drop(log);
        assert!(begun.elapsed() < 3 * limits::LOG_END, "{:?}", begun.elapsed());
        drop(blocked);
    }
}
