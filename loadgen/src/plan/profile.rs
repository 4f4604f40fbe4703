//! How the load grows and shrinks over the plan's clock, and when the n-th send of a rate comes.

use crate::scenario::Scenario;

#[derive(Clone, Copy, Debug, PartialEq)]
struct Segment {
    start_ns: u64,
    len_s: f64,
    from: f64,
    to: f64,
    /// Load times seconds of all segments before.
    area: f64,
}

impl Segment {
    fn own_area(&self) -> f64 {
        (self.from + self.to) / 2.0 * self.len_s
    }

    /// Seconds into the segment at which its area is `area`.
    fn inverse(&self, area: f64) -> f64 {
        let slope = (self.to - self.from) / self.len_s;
        if slope.abs() < 1e-12 {
            return area / self.from;
        }
        // from*t + slope*t^2/2 = area; this form of the root is stable for small slopes.
        let root = (self.from * self.from + 2.0 * slope * area).max(0.0).sqrt();
        2.0 * area / (self.from + root)
    }
}

/// Load over time: straight lines, one a phase.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Profile {
    segments: Vec<Segment>,
}

impl Profile {
    /// Load 1 for ever.
    pub(crate) fn steady() -> Self {
        Self { segments: vec![Segment { start_ns: 0, len_s: 1e9, from: 1.0, to: 1.0, area: 0.0 }] }
    }

    /// The loads of a scenario's phases.
    pub(crate) fn of(scenario: &Scenario) -> Self {
        let mut segments = Vec::new();
        let (mut start_ns, mut area) = (0, 0.0);
        for phase in &scenario.phase {
            let (from, to) = phase.loads();
            let segment = Segment { start_ns, len_s: phase.duration.0.as_secs_f64(), from, to, area };
            start_ns += phase.duration.ns();
            area += segment.own_area();
            segments.push(segment);
        }
        Self { segments }
    }

    /// When load times seconds reach `area`; `None`: never.
    pub(crate) fn inverse(&self, area: f64) -> Option<u64> {
        // The last segment that begins at or before this area and has some of its own.
        let at = self.segments.partition_point(|segment| segment.area <= area);
        let segment = self.segments[..at].iter().rev().find(|segment| segment.own_area() > 0.0)?;
        let inside = area - segment.area;
        if inside >= segment.own_area() {
            return None;
        }
        let offset_s = segment.inverse(inside).min(segment.len_s);
        Some(segment.start_ns + (offset_s * 1e9) as u64)
    }
}
