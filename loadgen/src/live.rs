//! The live view on a terminal: redrawn five times a second by the thread that collects; workers never wait for it.

use std::io::{self, IsTerminal, Stderr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyModifiers};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Gauge, Paragraph, Sparkline};
use ratatui::{Frame, Terminal};

use crate::report::series::{self, SeriesPoint};
use crate::report::table::time;
use crate::run::{RunGlance, Watch};
use crate::scenario::ScenarioPhase;

/// May colours be used?
fn may_colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && io::stderr().is_terminal()
}

/// Is there a screen for a live view?
fn has_screen() -> bool {
    io::stderr().is_terminal()
        && io::stdin().is_terminal()
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// The screen; it is given back when dropped.
pub(crate) struct Screen {
    terminal: Terminal<CrosstermBackend<Stderr>>,
    has_colour: bool,
    interrupted: Arc<AtomicBool>,
}

impl Screen {
    /// Take the screen; `None` if the terminal cannot do that.
    pub(crate) fn open(interrupted: Arc<AtomicBool>) -> Option<Self> {
        if !has_screen() {
            return None;
        }
        enable_raw_mode().ok()?;
        let mut out = io::stderr();
        crossterm::execute!(out, EnterAlternateScreen).ok()?;
        let terminal = Terminal::new(CrosstermBackend::new(out)).ok()?;
        Some(Self { terminal, has_colour: may_colour(), interrupted })
    }

    /// In raw mode Ctrl-C is a key.
    fn look_at_keys(&self) {
        while crossterm::event::poll(Duration::ZERO).unwrap_or(false) {
            if let Ok(Event::Key(key)) = crossterm::event::read() {
                let is_ctrl_c = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
                if is_ctrl_c || key.code == KeyCode::Char('q') {
                    self.interrupted.store(true, Ordering::Relaxed);
                }
            }
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = disable_raw_mode();
        let _ = crossterm::execute!(io::stderr(), LeaveAlternateScreen);
    }
}

impl Watch for Screen {
    fn glance(&mut self, glance: &RunGlance<'_>) {
        self.look_at_keys();
        let has_colour = self.has_colour;
        let _ = self.terminal.draw(|frame| draw(frame, glance, has_colour));
    }
}

fn paint(has_colour: bool, colour: Color) -> Style {
    if has_colour { Style::default().fg(colour) } else { Style::default() }
}

fn draw(frame: &mut Frame<'_>, glance: &RunGlance<'_>, has_colour: bool) {
    let rows = [
        Constraint::Length(3),
        Constraint::Length(3),
        Constraint::Length(8),
        Constraint::Min(6),
        Constraint::Length(1),
    ];
    let [strip, online, figures, plots, keys] = Layout::vertical(rows).areas(frame.area());
    frame.render_widget(phases(glance, has_colour), strip);
    let devices = glance.scenario.devices().max(1);
    let gauge = Gauge::default()
        .block(Block::bordered().title("devices online"))
        .gauge_style(paint(has_colour, Color::Blue))
        .ratio((glance.online as f64 / devices as f64).min(1.0))
        .label(format!("{} of {devices}", glance.online));
    frame.render_widget(gauge, online);
    let shown = usize::from(plots.width);
    let points = series::points(glance.totals, glance.scenario, glance.totals.len_s().saturating_sub(shown));
    // The second that is under way is not whole.
    let whole = &points[..points.len().saturating_sub(1)];
    frame.render_widget(latest(whole.last(), glance, has_colour), figures);
    draw_plots(frame, plots, whole, has_colour);
    frame.render_widget(Paragraph::new("q or Ctrl-C ends the run"), keys);
}

fn phases<'a>(glance: &RunGlance<'a>, has_colour: bool) -> Paragraph<'a> {
    let mut spans = Vec::new();
    for (at, phase) in glance.scenario.phase.iter().enumerate() {
        let is_now = at == glance.phase;
        let style =
            if is_now { paint(has_colour, Color::Green).add_modifier(Modifier::BOLD) } else { Style::default() };
        let waits = if is_now && glance.waits_at_gate { " (waits for the devices)" } else { "" };
        let mark = if is_now { ">" } else { " " };
        spans.push(Span::styled(format!("{mark}{} {}{waits}  ", ScenarioPhase::title(phase), phase.duration), style));
    }
    let title = format!("{}  {:.0} s", glance.scenario.name, glance.elapsed_s);
    Paragraph::new(Line::from(spans)).block(Block::bordered().title(title))
}

fn latest<'a>(point: Option<&SeriesPoint>, glance: &RunGlance<'_>, has_colour: bool) -> Paragraph<'a> {
    let point = point.cloned().unwrap_or_default();
    let totals = glance.totals.phases.iter().fold(0, |sum, phase| sum + phase.counts.errors());
    let errors = if totals > 0 { paint(has_colour, Color::Red) } else { Style::default() };
    let lag_us = crate::limits::LAG_FREE_US as f64;
    let lag = if point.lag_p99_us > lag_us { paint(has_colour, Color::Yellow) } else { Style::default() };
    let lines = vec![
        Line::from(format!("sent      {:>10}/s   answers {:>10}/s", point.sent, point.answers)),
        Line::from(format!("planned   {:>10.0}/s   at load 1", glance.scenario.rate())),
        Line::from(format!(
            "corrected   p50 {:>9}   p99 {:>9}   max {:>9}",
            time(point.p50_us),
            time(point.p99_us),
            time(point.max_us)
        )),
        Line::from(format!("uncorrected               p99 {:>9}", time(point.uncorrected_p99_us))),
        Line::styled(format!("errors    {totals:>10}     connects {:>9}/s", point.connects), errors),
        Line::styled(format!("own lag   p99 {}", time(point.lag_p99_us)), lag),
    ];
    Paragraph::new(lines).block(Block::bordered().title("the last second"))
}

fn draw_plots(frame: &mut Frame<'_>, area: Rect, points: &[SeriesPoint], has_colour: bool) {
    let [left, right] = Layout::horizontal([Constraint::Percentage(50), Constraint::Percentage(50)]).areas(area);
    let width = usize::from(left.width.saturating_sub(2)).max(1);
    let shown = &points[points.len().saturating_sub(width)..];
    let sent: Vec<u64> = shown.iter().map(|point| point.sent).collect();
    let p99: Vec<u64> = shown.iter().map(|point| point.p99_us as u64).collect();
    for (area, title, bars, colour) in
        [(left, "messages sent a second", sent, Color::Blue), (right, "corrected p99", p99, Color::Magenta)]
    {
        let plot =
            Sparkline::default().block(Block::bordered().title(title)).data(&bars).style(paint(has_colour, colour));
        frame.render_widget(plot, area);
    }
}

#[cfg(test)]
mod tests {
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::recorder::{Metric, Sheet, Totals};
    use crate::scenario::file::{parse, tests::SMALL};

    #[test]
    fn the_view_shows_phase_devices_rates_and_own_lag() {
        let scenario = parse(SMALL).expect("valid");
        let mut totals = Totals::new(2, 1);
        for second in 0..3 {
            let mut sheet = Sheet::new(0, 1, second * 1_000_000_000);
            sheet.end_ns = sheet.start_ns + 1_000_000_000;
            sheet.counts.ping = 105;
            sheet.answer(Metric::Ping, 0, 0, 1_500_000);
            totals.take(&sheet);
        }
        let glance = RunGlance {
            scenario: &scenario,
            totals: &totals,
            elapsed_s: 3.0,
            phase: 1,
            waits_at_gate: false,
            online: 9,
            is_second: true,
        };
        let mut terminal = Terminal::new(TestBackend::new(100, 30)).expect("a terminal");
        terminal.draw(|frame| draw(frame, &glance, false)).expect("draws");
        let screen: String = terminal.backend().buffer().content().iter().map(|cell| cell.symbol()).collect();
        for words in ["small", ">steady", "9 of 10", "105/s", "1.50 ms", "own lag"] {
            assert!(screen.contains(words), "{words} is not on the screen: {screen}");
        }
    }
}
