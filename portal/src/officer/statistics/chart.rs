//! A chart of days: where each bar stands, so that the template only writes it down.
//!
//! Across, everything is in percent of the picture, so that the chart is as wide as the page while its letters keep their
//! size; upwards it is in pixels.

use time::{Date, Duration};

/// With more days than this a bar stands for a week: on a phone it would be thinner than two pixels.
const DAYS_APART: usize = 45;
/// Height of the bars' ground, and the room above it for the topmost number.
pub(super) const GROUND: i64 = 180;
const HEADROOM: i64 = 16;
/// The part of the width that the numbers of the scale have, in percent.
const MARGIN: f64 = 10.0;
/// Lines above the ground line, at most.
const LINES: i64 = 4;

/// What happened on a day, or in a week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count {
    /// The day, or the first of the week's days that are asked for.
    pub(super) day: Date,
    pub(super) submitted: i64,
    pub(super) approved: i64,
    pub(super) rejected: i64,
}

/// Two bars side by side: what came in, and what was decided.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) count: Count,
    /// Where the first bar begins, where the second does, and how wide each is, in percent.
    pub(super) left: String,
    pub(super) right: String,
    pub(super) width: String,
    /// Upper edges and heights in pixels; rejections stand on approvals.
    pub(super) submitted: (i64, i64),
    pub(super) approved: (i64, i64),
    pub(super) rejected: (i64, i64),
}

/// A line of the scale.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) y: i64,
    pub(super) number: i64,
}

/// A day below the ground line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) day: Date,
    pub(super) x: String,
    /// SVG's `text-anchor`.
    pub(super) anchor: &'static str,
}

/// Everything that is to be drawn.
#[derive(Debug)]
pub(super) struct Chart {
    pub(super) columns: Vec<Column>,
    pub(super) lines: Vec<Line>,
    pub(super) marks: Vec<Mark>,
    /// A column is a week, beginning on Monday.
    pub(super) weekly: bool,
}

impl Chart {
    /// Of days in their order; none if there is nothing to see.
    pub(super) fn of(days: Vec<Count>) -> Option<Self> {
        let weekly = days.len() > DAYS_APART;
        let counts = if weekly { weeks(&days) } else { days };
        let highest = counts.iter().map(|it| it.submitted.max(it.approved + it.rejected)).max()?;
        if highest == 0 {
            return None;
        }
        let step = step(highest);
        let top = highest.div_euclid(step) + i64::from(highest % step > 0);
        let scale = Scale { top: top * step };
        let lines = (0..=top).map(|n| Line { y: scale.y(n * step), number: n * step }).collect();
        // The number of columns is at most 366.
        let pitch = (100.0 - MARGIN) / counts.len() as f64;
        let marks = marks(&counts, pitch);
        let columns = counts.into_iter().enumerate().map(|(n, count)| column(n, count, pitch, &scale));
        Some(Self { columns: columns.collect(), lines, marks, weekly })
    }
}

struct Scale {
    top: i64,
}

impl Scale {
    fn y(&self, number: i64) -> i64 {
        HEADROOM + GROUND - GROUND * number / self.top
    }

    /// Upper edge and height of a bar from one number to another; what is there at all can be seen.
    fn bar(&self, from: i64, count: i64) -> (i64, i64) {
        let (foot, head) = (self.y(from), self.y(from + count));
        let height = if count > 0 { (foot - head).max(2) } else { 0 };
        (foot - height, height)
    }
}

/// 1, 2 or 5 times a power of ten: the smallest that needs no more lines than there is room for.
fn step(highest: i64) -> i64 {
    let mut power = 1_i64;
    loop {
        for step in [1, 2, 5].map(|digit| power.saturating_mul(digit)) {
            if highest.div_euclid(step) + i64::from(highest % step > 0) <= LINES {
                return step;
            }
        }
        power = power.saturating_mul(10);
    }
}

fn weeks(days: &[Count]) -> Vec<Count> {
    let monday = |day: Date| day - Duration::days(i64::from(day.weekday().number_days_from_monday()));
    days.chunk_by(|one, next| monday(one.day) == monday(next.day))
        .map(|week| {
            let sum = |of: fn(&Count) -> i64| week.iter().map(of).sum();
            Count {
                day: week[0].day,
                submitted: sum(|it| it.submitted),
                approved: sum(|it| it.approved),
                rejected: sum(|it| it.rejected),
            }
        })
        .collect()
}

fn column(place: usize, count: Count, pitch: f64, scale: &Scale) -> Column {
    let left = MARGIN + pitch * place as f64 + pitch * 0.1;
    // One day alone does not become a wall.
    let width = (pitch * 0.4).min(6.0);
    Column {
        count,
        left: percent(left),
        right: percent(left + width),
        width: percent(width * 0.94),
        submitted: scale.bar(0, count.submitted),
        approved: scale.bar(0, count.approved),
        rejected: stacked(scale.bar(0, count.approved), scale.bar(count.approved, count.rejected)),
    }
}

/// The upper of two bars stands on the lower, also where that one was made taller to be seen.
fn stacked((lower, _): (i64, i64), (_, height): (i64, i64)) -> (i64, i64) {
    (lower - height, height)
}

/// The first column, the last, and one between them if there is room.
fn marks(counts: &[Count], pitch: f64) -> Vec<Mark> {
    let mark = |place: usize, anchor| {
        let within = match anchor {
            "start" => 0.1,
            "end" => 0.9,
            _ => 0.5,
        };
        let x = MARGIN + pitch * (place as f64 + within);
        Mark { day: counts[place].day, x: percent(x), anchor }
    };
    match counts.len() {
        0 => Vec::new(),
        1 => vec![mark(0, "start")],
        few @ 2..5 => vec![mark(0, "start"), mark(few - 1, "end")],
        many => vec![mark(0, "start"), mark(many / 2, "middle"), mark(many - 1, "end")],
    }
}

fn percent(value: f64) -> String {
    format!("{value:.2}%")
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    fn counts(days: i64, submitted: impl Fn(i64) -> i64) -> Vec<Count> {
        let first = date!(2026 - 10 - 29);
        let day =
            |n| Count { day: first + Duration::days(n), submitted: submitted(n), approved: 1, rejected: 0 };
        (0..days).map(day).collect()
    }

    #[test]
    fn the_scale_ends_at_or_above_the_highest_bar_on_a_round_number() {
        for (highest, top) in [(1, 1), (4, 4), (5, 6), (7, 8), (9, 10), (99, 100), (130, 150), (4100, 6000)] {
            let chart = Chart::of(counts(2, |_| highest)).unwrap();
            assert_eq!(chart.lines.last().unwrap().number, top, "{highest}");
            assert!(chart.lines.len() <= 5);
            assert_eq!(chart.lines.last().unwrap().y, HEADROOM);
        }
        assert_eq!(step(i64::MAX / 2), 2_000_000_000_000_000_000);
    }

    #[test]
    fn one_among_thousands_can_be_seen_and_none_cannot() {
        let mut days = counts(2, |day| 5000 * day);
        days[1].rejected = 1;
        let chart = Chart::of(days).unwrap();
        let [first, second] = &chart.columns[..] else { panic!("two columns") };
        assert_eq!((first.submitted.1, second.submitted.1), (0, 150));
        assert_eq!((second.approved.1, second.rejected.1), (2, 2));
        assert_eq!(second.rejected.0 + 2, second.approved.0, "one stands on the other");
        assert!(Chart::of(vec![Count { approved: 0, ..counts(1, |_| 0)[0] }]).is_none());
    }

    #[test]
    fn a_long_period_is_drawn_by_weeks_and_loses_nothing() {
        assert!(!Chart::of(counts(45, |_| 1)).unwrap().weekly);
        let chart = Chart::of(counts(366, |_| 1)).unwrap();
        assert!(chart.weekly && chart.columns.len() == 53);
        assert_eq!(chart.columns.iter().map(|it| it.count.submitted).sum::<i64>(), 366);
        // The period begins on a Thursday; the second column on Monday.
        assert_eq!(chart.columns[1].count.day, date!(2026 - 11 - 02));
    }

    #[test]
    fn columns_stay_inside_the_picture() {
        for days in [1, 2, 30, 45, 366] {
            let chart = Chart::of(counts(days, |_| 3)).unwrap();
            let edge = |text: &str| text.trim_end_matches('%').parse::<f64>().unwrap();
            let last = chart.columns.last().unwrap();
            assert!(edge(&last.right) + edge(&last.width) <= 100.0, "{days}");
            assert!(edge(&chart.columns[0].left) >= MARGIN);
        }
    }
}
