//! Which snapshots stay, as restic words it (its documentation, "Removing snapshots according to a
//! policy"): a pure function of times and tags.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Zoned};

/// How many of the newest periods keep a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// So many; 0 is as if it had not been said.
    Newest(u32),
    /// All of them.
    Unlimited,
}

impl FromStr for Count {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "unlimited" {
            return Ok(Self::Unlimited);
        }
        let newest = text.parse().map(Self::Newest);
        newest.map_err(|_| format!("`{text}` is neither a number nor `unlimited`"))
    }
}

impl Default for Count {
    fn default() -> Self {
        Self::Newest(0)
    }
}

/// A stretch of time such as `2y5m7d3h`: years, months, days, hours, each at most once.
#[derive(Debug, Clone, Copy)]
pub struct Within {
    numbers: [i64; 4],
    span: Span,
}

const UNITS: [char; 4] = ['y', 'm', 'd', 'h'];

impl FromStr for Within {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || {
            format!(
                "`{text}` is no stretch of time: write years, months, days, hours as in 2y5m7d3h"
            )
        };
        let mut numbers = [None; 4];
        let mut rest = text;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, behind) = rest.split_at(digits);
            let mut behind = behind.chars();
            let unit = behind.next().and_then(|c| UNITS.iter().position(|u| *u == c));
            let (Ok(number), Some(unit)) = (number.parse::<i64>(), unit) else { return Err(bad()) };
            if numbers[unit].replace(number).is_some() {
                return Err(bad());
            }
            rest = behind.as_str();
        }
        if numbers == [None; 4] {
            return Err(bad());
        }
        let numbers = numbers.map(|number| number.unwrap_or(0));
        let [years, months, days, hours] = numbers;
        let span = Span::new()
            .try_years(years)
            .and_then(|span| span.try_months(months))
            .and_then(|span| span.try_days(days))
            .and_then(|span| span.try_hours(hours))
            .map_err(|_| format!("`{text}` is longer than any calendar"))?;
        Ok(Self { numbers, span })
    }
}

impl fmt::Display for Within {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = self.numbers.iter().zip(UNITS).filter(|(number, _)| **number != 0);
        let text: String = said.map(|(number, unit)| format!("{number}{unit}")).collect();
        f.write_str(if text.is_empty() { "0h" } else { &text })
    }
}

impl Within {
    /// The moment that lies so far before `latest`; `None` where no calendar has it.
    fn before(&self, latest: &Zoned) -> Option<Timestamp> {
        latest.checked_sub(self.span).ok().map(|begin| begin.timestamp())
    }
}

/// What is to stay. A snapshot stays where any of it says so.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// The newest snapshots.
    pub last: Count,
    /// The newest of each of the newest hours that have any.
    pub hourly: Count,
    /// Likewise of days.
    pub daily: Count,
    /// Likewise of weeks, which begin on Mondays (ISO 8601).
    pub weekly: Count,
    /// Likewise of months.
    pub monthly: Count,
    /// Likewise of years.
    pub yearly: Count,
    /// All that were made after the moment that lies so far before the newest.
    pub within: Option<Within>,
    /// All that have every tag of one of these lists.
    pub tags: Vec<Vec<String>>,
}

impl Policy {
    /// Whether nothing has been said.
    pub fn is_empty(&self) -> bool {
        let counts = [self.last, self.hourly, self.daily, self.weekly, self.monthly, self.yearly];
        counts == [Count::default(); 6] && self.within.is_none() && self.tags.is_empty()
    }
}

/// A period that keeps its newest snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// Every snapshot is one of its own.
    Last,
    /// Of local time.
    Hour,
    /// Of local time.
    Day,
    /// ISO 8601, of local time.
    Week,
    /// Of local time.
    Month,
    /// Of local time.
    Year,
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Last => "last",
            Self::Hour => "hourly",
            Self::Day => "daily",
            Self::Week => "weekly",
            Self::Month => "monthly",
            Self::Year => "yearly",
        })
    }
}

impl Period {
    /// A number that two snapshots share if they lie in one such period. `nth` counts snapshots.
    fn of(self, time: &Zoned, nth: usize) -> i64 {
        let date = time.date();
        let of_day = |date: Date| i64::from(date.year()) * 512 + i64::from(date.day_of_year());
        match self {
            Self::Last => nth as i64,
            Self::Hour => of_day(date) * 32 + i64::from(time.hour()),
            Self::Day => of_day(date),
            Self::Week => {
                let week = date.iso_week_date();
                i64::from(week.year()) * 64 + i64::from(week.week())
            }
            Self::Month => i64::from(date.year()) * 16 + i64::from(date.month()),
            Self::Year => i64::from(date.year()),
        }
    }
}

/// Why a snapshot stays.
#[derive(Debug, Clone)]
pub enum Reason {
    /// It is the newest of a period.
    Newest(Period),
    /// It is the oldest of all, and there were fewer periods than were asked for: so that the past
    /// reaches back as far as it can.
    Oldest(Period),
    /// It lies within the stretch.
    Within(Within),
    /// It has these tags.
    Tags(Vec<String>),
    /// Its time is one that no calendar has, so nothing can be said of it.
    Timeless,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newest(period) => write!(f, "{period} snapshot"),
            Self::Oldest(period) => write!(f, "oldest {period} snapshot"),
            Self::Within(within) => write!(f, "within {within}"),
            Self::Tags(tags) if tags.len() == 1 => write!(f, "has tag {}", tags[0]),
            Self::Tags(tags) => write!(f, "has tags {}", tags.join(", ")),
            Self::Timeless => f.write_str("its time is not one of a calendar"),
        }
    }
}

/// What counts of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// When it was made, milliseconds since 1970.
    pub created: i64,
    /// Its tags.
    pub tags: Vec<String>,
}

/// Why each of `snapshots` stays, in their order; one without a reason goes. Of those made in one
/// millisecond the later in the list is the newer. Periods are of the local time of `zone`.
///
/// An empty policy gives no reason for any.
pub fn reasons(
    policy: &Policy,
    snapshots: &[Made],
    zone: &TimeZone,
    now: Timestamp,
) -> Vec<Vec<Reason>> {
    let mut reasons = vec![Vec::new(); snapshots.len()];
    let mut newest_first = Vec::with_capacity(snapshots.len());
    for (i, made) in snapshots.iter().enumerate().rev() {
        match Timestamp::from_millisecond(made.created) {
            Ok(time) => newest_first.push((i, time)),
            Err(_) => reasons[i].push(Reason::Timeless),
        }
    }
    newest_first.sort_by_key(|(_, time)| std::cmp::Reverse(*time));

    // A clock that was wrong once must not move the stretch into the future.
    let latest = newest_first.iter().map(|(_, time)| *time).find(|time| *time <= now);
    let latest = latest.unwrap_or(now).to_zoned(zone.clone());
    // What begins before all calendars holds everything.
    let within = policy.within.map(|w| (w, w.before(&latest).unwrap_or(Timestamp::MIN)));
    let mut periods = [
        (Period::Last, policy.last),
        (Period::Hour, policy.hourly),
        (Period::Day, policy.daily),
        (Period::Week, policy.weekly),
        (Period::Month, policy.monthly),
        (Period::Year, policy.yearly),
    ]
    .map(|(period, count)| (period, count, None));

    for (nth, (i, time)) in newest_first.iter().enumerate() {
        let own = &mut reasons[*i];
        let tags = &snapshots[*i].tags;
        let has_all = |wanted: &&Vec<String>| wanted.iter().all(|tag| tags.contains(tag));
        own.extend(policy.tags.iter().filter(has_all).cloned().map(Reason::Tags));
        own.extend(within.filter(|(_, begin)| time > begin).map(|(w, _)| Reason::Within(w)));
        let zoned = time.to_zoned(zone.clone());
        let is_oldest = nth + 1 == newest_first.len();
        for (period, count, last) in &mut periods {
            if *count == Count::Newest(0) {
                continue;
            }
            let this = Some(period.of(&zoned, nth));
            if this != *last {
                own.push(Reason::Newest(*period));
            } else if is_oldest {
                own.push(Reason::Oldest(*period));
            } else {
                continue;
            }
            *last = this;
            if let Count::Newest(left) = count {
                *left -= 1;
            }
        }
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-08-19 12:00";

    fn at(zone: &TimeZone, text: &str) -> Timestamp {
        let time: jiff::civil::DateTime = text.parse().unwrap();
        time.to_zoned(zone.clone()).unwrap().timestamp()
    }

    /// `2024-05-01 18:00 tag tag` as a snapshot.
    fn made(zone: &TimeZone, line: &str) -> Made {
        let (time, tags) = line.split_at(16);
        let tags = tags.split_whitespace().map(str::to_owned).collect();
        Made { created: at(zone, time).as_millisecond(), tags }
    }

    /// The reasons of each line, newest last.
    fn told(policy: &Policy, lines: &[&str], zone: &TimeZone) -> Vec<String> {
        let snapshots: Vec<_> = lines.iter().map(|line| made(zone, line)).collect();
        let reasons = reasons(policy, &snapshots, zone, at(zone, NOW));
        let text = |own: &Vec<Reason>| own.iter().map(Reason::to_string).collect::<Vec<_>>();
        reasons.iter().map(|own| text(own).join(" + ")).collect()
    }

    fn n(newest: u32) -> Count {
        Count::Newest(newest)
    }

    #[test]
    fn as_restic_has_it() {
        let days = [
            "2023-12-31 23:00",
            "2024-01-01 00:30",
            "2024-01-01 08:00",
            "2024-01-07 20:00",
            "2024-01-08 01:10",
            "2024-01-08 01:50",
            "2024-03-01 00:00",
        ];
        let none = "";
        let p = Policy::default;
        let table: Vec<(&str, Policy, [&str; 7])> = vec![
            ("nothing is asked for, nothing stays", p(), [none; 7]),
            (
                "the last",
                Policy { last: n(2), ..p() },
                [none, none, none, none, none, "last snapshot", "last snapshot"],
            ),
            ("all", Policy { last: Count::Unlimited, ..p() }, ["last snapshot"; 7]),
            (
                "hours, the newest of each",
                Policy { hourly: n(3), ..p() },
                [none, none, none, "hourly snapshot", none, "hourly snapshot", "hourly snapshot"],
            ),
            (
                "days without a snapshot do not count",
                Policy { daily: n(3), ..p() },
                [none, none, none, "daily snapshot", none, "daily snapshot", "daily snapshot"],
            ),
            (
                "weeks begin on Monday: the 7th of January 2024 is a Sunday, the 1st a Monday",
                Policy { weekly: n(3), ..p() },
                [none, none, none, "weekly snapshot", none, "weekly snapshot", "weekly snapshot"],
            ),
            (
                "months; the oldest fills what is left",
                Policy { monthly: n(9), ..p() },
                [
                    "monthly snapshot",
                    none,
                    none,
                    none,
                    none,
                    "monthly snapshot",
                    "monthly snapshot",
                ],
            ),
            (
                "years",
                Policy { yearly: n(1), ..p() },
                [none, none, none, none, none, none, "yearly snapshot"],
            ),
            (
                "a count that is used up keeps no oldest one",
                Policy { yearly: n(2), ..p() },
                ["yearly snapshot", none, none, none, none, none, "yearly snapshot"],
            ),
            (
                "several at once",
                Policy { last: n(1), daily: n(2), ..p() },
                [none, none, none, none, none, "daily snapshot", "last snapshot + daily snapshot"],
            ),
            (
                "within, from the newest on",
                Policy { within: Some("2m".parse().unwrap()), ..p() },
                [
                    none,
                    "within 2m",
                    "within 2m",
                    "within 2m",
                    "within 2m",
                    "within 2m",
                    "within 2m",
                ],
            ),
        ];
        for zone in ["UTC", "Asia/Shanghai", "America/St_Johns", "Europe/Berlin"] {
            let zone = TimeZone::get(zone).unwrap();
            for (name, policy, expected) in &table {
                assert_eq!(told(policy, &days, &zone), *expected, "{name}");
            }
        }
    }

    #[test]
    fn the_oldest_stays_where_a_count_is_left() {
        let days = ["2024-01-01 08:00", "2024-01-01 09:00", "2024-01-02 09:00"];
        let policy = Policy { daily: n(3), ..Policy::default() };
        let oldest = ["oldest daily snapshot", "daily snapshot", "daily snapshot"];
        assert_eq!(told(&policy, &days, &TimeZone::UTC), oldest);
        let policy = Policy { daily: n(2), ..Policy::default() };
        assert_eq!(
            told(&policy, &days, &TimeZone::UTC),
            ["", "daily snapshot", "daily snapshot"],
            "both are used up"
        );
    }

    #[test]
    fn periods_are_local() {
        // One hour after the other around midnight in Shanghai, of one day in UTC.
        let times = ["2024-05-01 23:30", "2024-05-02 00:30"];
        let shanghai = TimeZone::get("Asia/Shanghai").unwrap();
        let snapshots: Vec<_> = times.iter().map(|line| made(&shanghai, line)).collect();
        let policy = Policy { daily: n(1), last: n(0), ..Policy::default() };
        let kept = |zone: &TimeZone| {
            let reasons = reasons(&policy, &snapshots, zone, at(zone, NOW));
            reasons.iter().filter(|own| !own.is_empty()).count()
        };
        assert_eq!(kept(&shanghai), 1);
        let policy = Policy { daily: n(2), ..Policy::default() };
        let told_in = |zone: &TimeZone| {
            let own = reasons(&policy, &snapshots, zone, at(zone, NOW));
            own[0].iter().map(Reason::to_string).collect::<Vec<_>>()
        };
        assert_eq!(told_in(&shanghai), ["daily snapshot"]);
        assert_eq!(told_in(&TimeZone::UTC), ["oldest daily snapshot"]);
    }

    #[test]
    fn within_counts_from_the_newest_that_is_not_in_the_future() {
        let lines =
            ["2024-04-30 09:59", "2024-04-30 10:00", "2024-04-30 10:01", "2024-05-01 10:00"];
        let policy = Policy { within: Some("1d".parse().unwrap()), ..Policy::default() };
        let day = ["", "", "within 1d", "within 1d"];
        assert_eq!(told(&policy, &lines, &TimeZone::UTC), day);
        let mut with_future = lines.to_vec();
        with_future.push("2099-01-01 00:00");
        let told_now = told(&policy, &with_future, &TimeZone::UTC);
        assert_eq!(told_now[..4], day);
        assert_eq!(told_now[4], "within 1d");
        let policy = Policy { within: Some("9999y".parse().unwrap()), ..Policy::default() };
        assert!(told(&policy, &lines, &TimeZone::UTC).iter().all(|own| !own.is_empty()));
    }

    #[test]
    fn tags_and_odd_times() {
        let lines = ["2024-01-01 08:00 a b", "2024-01-02 08:00 a", "2024-01-03 08:00"];
        let tags = vec![vec!["a".into(), "b".into()], vec!["c".into()]];
        let policy = Policy { tags, ..Policy::default() };
        assert_eq!(told(&policy, &lines, &TimeZone::UTC), ["has tags a, b", "", ""]);
        let policy = Policy { tags: vec![vec!["a".into()]], ..Policy::default() };
        assert_eq!(told(&policy, &lines, &TimeZone::UTC), ["has tag a", "has tag a", ""]);

        let odd = [i64::MAX, 0, i64::MIN, 5, 5].map(|created| Made { created, tags: vec![] });
        let policy = Policy { last: n(1), ..Policy::default() };
        let own = reasons(&policy, &odd, &TimeZone::UTC, at(&TimeZone::UTC, NOW));
        let kept: Vec<_> = own.iter().map(|own| !own.is_empty()).collect();
        assert_eq!(kept, [true, false, true, false, true], "the last of the same time is newest");
        assert!(reasons(&policy, &[], &TimeZone::UTC, Timestamp::UNIX_EPOCH).is_empty());
    }

    #[test]
    fn what_is_typed() {
        for (text, shown) in
            [("2y5m7d3h", "2y5m7d3h"), ("3h", "3h"), ("7d1y", "1y7d"), ("0d", "0h"), ("12m", "12m")]
        {
            assert_eq!(text.parse::<Within>().unwrap().to_string(), shown);
        }
        for bad in
            ["", "5", "d", "5w", "1d1d", "-1d", "1 d", "1d ", "99999999999999999999d", "99999999y"]
        {
            assert!(bad.parse::<Within>().is_err(), "{bad}");
        }
        assert_eq!("unlimited".parse(), Ok(Count::Unlimited));
        assert_eq!("12".parse(), Ok(n(12)));
        for bad in ["", "-1", "all", "1.5"] {
            assert!(bad.parse::<Count>().is_err(), "{bad}");
        }
        assert!(
            Policy::default().is_empty() && Policy { last: n(0), ..Policy::default() }.is_empty()
        );
        assert!(!Policy { last: n(1), ..Policy::default() }.is_empty());
    }
}
