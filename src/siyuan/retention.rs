//! Which snapshots SiYuan's own purge retains.
//!
//! What SiYuan does, as the format page and its behaviour say: a snapshot not older than the set
//! number of days is looked at, by the local day on which it was made. All of today stay, and all
//! of a day that has no more than the set number. Of another day its last one stays, and others
//! **drawn at random** up to that number. Where fewer than three snapshots would stay in all,
//! nothing is purged.
//!
//! Where SiYuan draws lots, this is the choice made here: the day is divided into as many equal
//! parts as snapshots are to stay, and of each part its last one stays; where a part has none, the
//! last of those left over take its place. So with two a day, how things were at noon and at
//! midnight. It always holds the day's last one, as SiYuan's choice does; and it depends on nothing
//! that a purge removes: purging twice is purging once.
//!
//! What a ref names stays whatever this says; that is for the purge to add.

use std::collections::{BTreeMap, HashSet};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::format::IndexId;

/// Fewer retained snapshots than this make SiYuan purge nothing: a workspace that has lain idle for
/// half a year keeps its past.
const FEWEST: usize = 3;
const MS_A_DAY: i64 = 24 * 60 * 60 * 1000;

/// How many snapshots are retained, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionPolicy {
    /// How old a snapshot may be, days of 24 hours.
    pub days: u32,
    /// How many of a day are retained once the day is over.
    pub daily: u32,
}

/// SiYuan's defaults (format page, Keys).
impl Default for RetentionPolicy {
    fn default() -> Self {
        Self { days: 180, daily: 2 }
    }
}

impl RetentionPolicy {
    /// The policy of these settings. As SiYuan does, a missing one or one below 1 counts as the
    /// default.
    pub fn new(days: Option<i64>, daily: Option<i64>) -> Self {
        let or = |set: Option<i64>, default| match set {
            Some(set @ 1..) => u32::try_from(set).unwrap_or(u32::MAX),
            _ => default,
        };
        let default = Self::default();
        Self { days: or(days, default.days), daily: or(daily, default.daily) }
    }

    /// Which of these snapshots are retained, each given by its ID and when it was made
    /// (milliseconds since 1970). The order does not matter; days are those of `now`'s time zone.
    pub fn retained(&self, snapshots: &[(IndexId, i64)], now: &Zoned) -> HashSet<IndexId> {
        let window = i64::from(self.days).saturating_mul(MS_A_DAY);
        let mut days: BTreeMap<Date, Vec<Made>> = BTreeMap::new();
        let mut retained = HashSet::new();
        for (id, created) in snapshots.iter().copied() {
            if now.timestamp().as_millisecond().saturating_sub(created) > window {
                continue;
            }
            match Timestamp::from_millisecond(created) {
                Ok(time) => {
                    let time = time.to_zoned(now.time_zone().clone());
                    days.entry(time.date()).or_default().push(Made { created, id });
                }
                // Beyond the year 9999: of no day that could be over.
                Err(_) => {
                    retained.insert(id);
                }
            }
        }
        for (day, made) in days {
            retained.extend(if day >= now.date() {
                ids(made)
            } else {
                self.of_day(day, made, now.time_zone())
            });
        }
        if retained.len() < FEWEST {
            return snapshots.iter().map(|(id, _)| *id).collect();
        }
        retained
    }

    /// Those that stay of a day that is over.
    fn of_day(&self, day: Date, mut made: Vec<Made>, zone: &TimeZone) -> Vec<IndexId> {
        let daily = self.daily as usize;
        if made.len() <= daily {
            return ids(made);
        }
        // Newest first; by ID where two were made at once, so that the order given does not matter.
        made.sort_by(|one, other| other.cmp(one));
        let part = Parts::new(day, zone, self.daily);
        let mut last_part = None;
        let (mut kept, mut left): (Vec<_>, Vec<_>) = made.into_iter().partition(|made| {
            let part = Some(part.of(made.created));
            std::mem::replace(&mut last_part, part) != part
        });
        left.truncate(daily - kept.len());
        kept.append(&mut left);
        ids(kept)
    }
}

/// A snapshot of a day. Ordered by time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Made {
    created: i64,
    id: IndexId,
}

fn ids(made: Vec<Made>) -> Vec<IndexId> {
    made.into_iter().map(|made| made.id).collect()
}

/// A day divided into equal parts.
struct Parts {
    start: i64,
    len: i64,
    count: u32,
}

impl Parts {
    fn new(day: Date, zone: &TimeZone, count: u32) -> Self {
        let start =
            |day: Date| day.to_zoned(zone.clone()).map(|start| start.timestamp().as_millisecond());
        let bounds = start(day).and_then(|from| Ok((from, start(day.tomorrow()?)?)));
        // At the ends of the calendar, where a day has no next one, one part is as good as any.
        let (start, len) = bounds.map_or((0, i64::MAX), |(from, to)| (from, (to - from).max(1)));
        Self { start, len, count }
    }

    /// The part in which a moment lies. A moment outside counts to the first or the last.
    fn of(&self, moment: i64) -> u32 {
        let passed = i128::from(moment.saturating_sub(self.start).clamp(0, self.len - 1));
        let part = passed * i128::from(self.count) / i128::from(self.len);
        u32::try_from(part).expect("less than the count")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::format::Id;

    fn id(n: u32) -> IndexId {
        IndexId(Id::digest(&n.to_le_bytes()))
    }

    fn at(text: &str) -> Zoned {
        text.parse().unwrap()
    }

    /// Which of the snapshots made at these times are retained, by their place.
    fn retained(policy: RetentionPolicy, times: &[&str], now: &str) -> Vec<usize> {
        let made: Vec<_> = (0..)
            .zip(times)
            .map(|(n, time)| (id(n), at(time).timestamp().as_millisecond()))
            .collect();
        let kept = policy.retained(&made, &at(now));
        (0..times.len()).filter(|n| kept.contains(&made[*n].0)).collect()
    }

    #[test]
    fn settings_below_one_count_as_the_default() {
        let default = RetentionPolicy { days: 180, daily: 2 };
        assert_eq!(RetentionPolicy::new(None, None), default);
        assert_eq!(RetentionPolicy::new(Some(0), Some(-5)), default);
        let huge = RetentionPolicy::new(Some(i64::MAX), Some(1));
        assert_eq!(huge, RetentionPolicy { days: u32::MAX, daily: 1 });
        assert_eq!(
            huge.retained(&[(id(0), i64::MIN), (id(1), i64::MAX)], &at("2024-05-02T00:00[UTC]"))
                .len(),
            2
        );
    }

    #[test]
    fn two_a_day_are_those_of_noon_and_midnight() {
        let times = [
            "2024-05-01T08:00[Europe/Berlin]",
            "2024-05-01T11:59[Europe/Berlin]",
            "2024-05-01T12:00[Europe/Berlin]",
            "2024-05-01T23:59[Europe/Berlin]",
            // The afternoon has none, so the morning has two.
            "2024-05-02T07:00[Europe/Berlin]",
            "2024-05-02T08:00[Europe/Berlin]",
            "2024-05-02T09:00[Europe/Berlin]",
            // Today.
            "2024-05-03T07:00[Europe/Berlin]",
            "2024-05-03T08:00[Europe/Berlin]",
            "2024-05-03T09:00[Europe/Berlin]",
            // From a clock that went wrong.
            "2024-05-09T07:00[Europe/Berlin]",
            "2024-05-09T08:00[Europe/Berlin]",
            "2024-05-09T09:00[Europe/Berlin]",
        ];
        let now = "2024-05-03T10:00[Europe/Berlin]";
        let policy = RetentionPolicy::default();
        assert_eq!(retained(policy, &times, now), [1, 3, 5, 6, 7, 8, 9, 10, 11, 12]);
        // One more in the day than there are to stay.
        let one = RetentionPolicy { daily: 1, ..policy };
        assert_eq!(retained(one, &times, now), [3, 6, 7, 8, 9, 10, 11, 12]);
        let many = RetentionPolicy { daily: 4, ..policy };
        assert_eq!(retained(many, &times, now), (0..times.len()).collect::<Vec<_>>());
    }

    #[test]
    fn days_are_local_and_may_have_another_length() {
        // The same instants: one day in UTC, two in Tokyo.
        let times = [
            "2024-05-01T01:00[UTC]",
            "2024-05-01T02:00[UTC]",
            "2024-05-01T20:00[UTC]",
            "2024-05-01T21:00[UTC]",
            "2024-05-01T22:00[UTC]",
        ];
        let policy = RetentionPolicy { daily: 1, ..RetentionPolicy::default() };
        let three = RetentionPolicy { daily: 3, ..policy };
        assert_eq!(retained(three, &times, "2024-05-10T00:00[UTC]"), [1, 3, 4]);
        assert_eq!(retained(three, &times, "2024-05-10T00:00[Asia/Tokyo]"), [0, 1, 2, 3, 4]);
        // 25 hours: its middle is at half past eleven, standard time.
        let long = [
            "2024-10-27T00:10[Europe/Berlin]",
            "2024-10-27T11:20[Europe/Berlin]",
            "2024-10-27T11:40[Europe/Berlin]",
            "2024-10-27T11:50[Europe/Berlin]",
        ];
        let two = RetentionPolicy::default();
        assert_eq!(
            retained(two, &long, "2024-11-10T00:00[Europe/Berlin]"),
            [0, 1, 2, 3],
            "too few"
        );
        let more: Vec<_> = long.into_iter().chain(["2024-11-10T00:00[Europe/Berlin]"]).collect();
        assert_eq!(retained(two, &more, "2024-11-10T00:00[Europe/Berlin]"), [1, 3, 4]);
    }

    #[test]
    fn age_counts_in_hours() {
        let times = [
            "2024-05-01T09:59:59.999[UTC]",
            "2024-05-01T10:00[UTC]",
            "2024-05-02T10:00[UTC]",
            "2024-05-03T10:00[UTC]",
        ];
        let policy = RetentionPolicy { days: 3, daily: 2 };
        assert_eq!(retained(policy, &times, "2024-05-04T10:00[UTC]"), [1, 2, 3]);
        // Two would be left: nothing is purged then.
        assert_eq!(retained(policy, &times, "2024-05-04T10:01[UTC]"), [0, 1, 2, 3]);
        assert_eq!(retained(policy, &times, "2030-01-01T00:00[UTC]"), [0, 1, 2, 3]);
        assert!(retained(policy, &[], "2030-01-01T00:00[UTC]").is_empty());
    }

    proptest! {
        #[test]
        fn of_each_day_its_last_and_as_many_as_may(
            hours in prop::collection::vec(0..2_000_u32, 0..300),
            (days, daily) in (1..100_u32, 1..6_u32),
        ) {
            let now = at("2024-05-01T12:30[America/New_York]");
            let end = now.timestamp().as_millisecond();
            let made: Vec<_> =
                (0..).zip(&hours).map(|(n, h)| (id(n), end - i64::from(*h) * 3_600_000)).collect();
            let policy = RetentionPolicy { days, daily };
            let kept = policy.retained(&made, &now);

            let mut reversed = made.clone();
            reversed.reverse();
            prop_assert_eq!(&policy.retained(&reversed, &now), &kept, "the order matters");
            let left: Vec<_> = made.iter().copied().filter(|(id, _)| kept.contains(id)).collect();
            prop_assert_eq!(&policy.retained(&left, &now), &kept, "a second purge takes more");

            let young: Vec<_> = made.iter().filter(|(_, t)| end - t <= i64::from(days) * MS_A_DAY).collect();
            let date = |t: i64| {
                Timestamp::from_millisecond(t).unwrap().to_zoned(now.time_zone().clone()).date()
            };
            let mut expected = 0;
            for day in young.iter().map(|(_, t)| date(*t)).collect::<HashSet<_>>() {
                let of_day: Vec<_> = young.iter().filter(|(_, t)| date(*t) == day).collect();
                expected += if day == now.date() { of_day.len() } else { of_day.len().min(daily as usize) };
                let last = of_day.iter().map(|(_, t)| t).max().unwrap();
                prop_assert!(of_day.iter().any(|(id, t)| t == last && kept.contains(id)));
            }
            prop_assert_eq!(kept.len(), if expected < FEWEST { made.len() } else { expected });
        }
    }
}
