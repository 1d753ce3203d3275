//! How snapshots are called: their names in lists and in the mount, and what a user may type.

use std::collections::HashSet;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

use crate::format::IndexId;

use super::snapshots::Snapshots;

/// The name of each snapshot of the list, in its order: its time, as precise as a second. One that is
/// not the first in its second gets eight digits of its ID behind. Unique.
pub fn names(snapshots: &Snapshots, zone: &TimeZone) -> Vec<String> {
    let mut taken = HashSet::new();
    let mut name = |created: i64, id: IndexId| {
        let time = time_name(created, zone);
        for digits in [0, 8, 40] {
            let name = match digits {
                0 => time.clone(),
                n => format!("{time}_{}", &id.hex()[..n]),
            };
            if taken.insert(name.clone()) {
                return name;
            }
        }
        unreachable!("40 digits tell any two snapshots apart")
    };
    snapshots.list.iter().map(|s| name(s.head.created, s.head.id)).collect()
}

/// A time as a file name: `2024-05-01T18.01.00+0800`, or `…Z` in UTC. The offset keeps the hour apart
/// that comes twice when summer time ends.
pub fn time_name(created: i64, zone: &TimeZone) -> String {
    let Ok(time) = Timestamp::from_millisecond(created) else {
        // Beyond the year 9999: no snapshot that anybody made.
        return format!("time-{created}");
    };
    let zoned = time.to_zoned(zone.clone());
    if *zone == TimeZone::UTC {
        zoned.strftime("%Y-%m-%dT%H.%M.%SZ").to_string()
    } else {
        zoned.strftime("%Y-%m-%dT%H.%M.%S%z").to_string()
    }
}

/// Why a text names no snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// It could be several.
    #[error("`{text}` could be any of: {}", .candidates.join(", "))]
    Ambiguous {
        /// What was asked for.
        text: String,
        /// What it could be, each as a text that is not ambiguous.
        candidates: Vec<String>,
    },
    /// It is none.
    #[error("there is no snapshot `{text}`; `revu log` lists those there are")]
    Unknown {
        /// What was asked for.
        text: String,
    },
    /// There is none at all.
    #[error("there is no snapshot in this repository yet")]
    Empty,
}

/// Finds the snapshot that a user means: an ID or a unique prefix of at least 4 digits, a tag,
/// `latest` or `latest~2`, a name, or a time (the newest snapshot at or before its end).
///
/// # Errors
/// [`ResolveError`].
pub fn resolve(
    snapshots: &Snapshots,
    zone: &TimeZone,
    text: &str,
) -> Result<IndexId, ResolveError> {
    let unknown = || ResolveError::Unknown { text: text.to_owned() };
    if snapshots.list.is_empty() {
        return Err(ResolveError::Empty);
    }
    let mut found: Vec<(IndexId, String)> = Vec::new();
    let mut candidate = |id: IndexId, as_text: String| {
        if !found.iter().any(|(other, _)| *other == id) {
            found.push((id, as_text));
        }
    };
    for (tag, id) in &snapshots.tags {
        if tag == text {
            candidate(*id, format!("tag {tag} ({id})"));
        }
    }
    for (snapshot, name) in snapshots.list.iter().zip(names(snapshots, zone)) {
        let id = snapshot.head.id;
        if name == text || (is_prefix(text) && id.hex().starts_with(text)) {
            candidate(id, id.to_string());
        }
    }
    if let Some(id) = latest(snapshots, text) {
        candidate(id, format!("latest ({id})"));
    }
    match &found[..] {
        [(id, _)] => Ok(*id),
        [] => {
            let end = end_of(text, zone).ok_or_else(unknown)?;
            let before = snapshots.list.iter().rfind(|s| s.head.created <= end);
            before.map(|s| s.head.id).ok_or_else(unknown)
        }
        _ => Err(ResolveError::Ambiguous {
            text: text.to_owned(),
            candidates: found.into_iter().map(|(_, text)| text).collect(),
        }),
    }
}

fn is_prefix(text: &str) -> bool {
    (4..=40).contains(&text.len())
        && text.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c))
}

/// `latest`, or `latest~n`: n snapshots before it.
fn latest(snapshots: &Snapshots, text: &str) -> Option<IndexId> {
    let latest = snapshots.latest?;
    let rest = text.strip_prefix("latest")?;
    let back: usize = match rest.strip_prefix('~') {
        None if rest.is_empty() => 0,
        None => return None,
        Some("") => 1,
        Some(n) => n.parse().ok()?,
    };
    let at = snapshots.list.iter().position(|s| s.head.id == latest)?;
    Some(snapshots.list[at.checked_sub(back)?].head.id)
}

/// The last millisecond of what a text says: of a day, a minute or a second, in `zone` or in the
/// offset that it names.
pub fn end_of(text: &str, zone: &TimeZone) -> Option<i64> {
    let last = |start: DateTime, span: jiff::Span| -> Option<i64> {
        let next = start.checked_add(span).ok()?.to_zoned(zone.clone()).ok()?;
        Some(next.timestamp().as_millisecond() - 1)
    };
    if let Ok(instant) =
        text.parse::<Timestamp>().or_else(|_| text.parse::<Zoned>().map(|z| z.timestamp()))
    {
        return Some(instant.as_millisecond() / 1000 * 1000 + 999);
    }
    let spelled = text.replace(' ', "T");
    let (date, time) = match spelled.split_once('T') {
        None => (spelled.as_str(), None),
        Some((date, time)) => (date, Some(time)),
    };
    let date = date_of(date)?;
    match time {
        None => last(date.at(0, 0, 0, 0), 1.day()),
        Some(time) => {
            let mut parts = time.splitn(3, [':', '.']).map(str::parse::<i8>);
            let hour = parts.next()?.ok()?;
            let minute = parts.next().transpose().ok()?;
            let second = parts.next().transpose().ok()?;
            let start =
                jiff::civil::Time::new(hour, minute.unwrap_or(0), second.unwrap_or(0), 0).ok()?;
            let span = match (minute, second) {
                (None, _) => 1.hour(),
                (_, None) => 1.minute(),
                _ => 1.second(),
            };
            last(date.to_datetime(start), span)
        }
    }
}

fn date_of(text: &str) -> Option<Date> {
    let well_formed = text.len() == 10 && text.split('-').map(str::len).eq([4, 2, 2]);
    if well_formed { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::super::snapshots::Snapshot;
    use super::*;
    use crate::format::{Id, IndexHead};

    fn zone() -> TimeZone {
        TimeZone::fixed(jiff::tz::offset(8))
    }

    /// 2024-05-01T18:01:00+08:00 and on.
    const T: i64 = 1_714_557_660_000;

    fn list(times: &[i64]) -> Snapshots {
        let head = |(n, created): (usize, &i64)| Snapshot {
            head: IndexHead {
                id: IndexId(Id::digest(&[n as u8])),
                memo: String::new(),
                created: *created,
            },
            tags: vec![],
        };
        let list: Vec<_> = times.iter().enumerate().map(head).collect();
        let latest = list.last().map(|s| s.head.id);
        Snapshots { list, latest, ..Snapshots::default() }
    }

    #[test]
    fn names_are_times_and_unique() {
        let snapshots = list(&[i64::MIN, T, T, T + 999, T + 1000]);
        let names_utc = names(&snapshots, &TimeZone::UTC);
        let id = |n: usize| snapshots.list[n].head.id.short();
        assert_eq!(
            names(&snapshots, &zone()),
            [
                "time--9223372036854775808".to_owned(),
                "2024-05-01T18.01.00+0800".to_owned(),
                format!("2024-05-01T18.01.00+0800_{}", id(2)),
                format!("2024-05-01T18.01.00+0800_{}", id(3)),
                "2024-05-01T18.01.01+0800".to_owned(),
            ]
        );
        assert_eq!(names_utc[1], "2024-05-01T10.01.00Z");
    }

    #[test]
    fn what_a_user_may_type() {
        let mut snapshots = list(&[T, T + 60_000, T + 3_600_000, T + 86_400_000]);
        let id = |n: usize| snapshots.list[n].head.id;
        let ids: Vec<_> = (0..4).map(id).collect();
        snapshots.tags = vec![("v1 标签".into(), ids[1]), (ids[2].short(), ids[0])];
        let ask = |text: &str| resolve(&snapshots, &zone(), text);
        assert_eq!(ask("latest"), Ok(ids[3]));
        assert_eq!(ask("latest~"), Ok(ids[2]));
        assert_eq!(ask("latest~3"), Ok(ids[0]));
        assert!(matches!(ask("latest~4"), Err(ResolveError::Unknown { .. })));
        assert_eq!(ask("v1 标签"), Ok(ids[1]));
        assert_eq!(ask(&ids[1].to_string()), Ok(ids[1]));
        assert_eq!(ask(&ids[1].hex()[..4]), Ok(ids[1]));
        assert!(ask(&ids[1].hex()[..3]).is_err());
        assert_eq!(ask("2024-05-01T18.02.00+0800"), Ok(ids[1]));
        // The end of the minute, of the hour, of the day.
        assert_eq!(ask("2024-05-01T18:01"), Ok(ids[0]));
        assert_eq!(ask("2024-05-01 18:02"), Ok(ids[1]));
        assert_eq!(ask("2024-05-01T18"), Ok(ids[1]));
        assert_eq!(ask("2024-05-01"), Ok(ids[2]));
        assert_eq!(ask("2024-05-01T10:01:00Z"), Ok(ids[0]));
        assert!(matches!(ask("2024-04-30"), Err(ResolveError::Unknown { .. })));
        assert!(matches!(ask("2024-5-1"), Err(ResolveError::Unknown { .. })));
        // A tag that looks like another snapshot's prefix.
        let Err(ResolveError::Ambiguous { candidates, .. }) = ask(&ids[2].short()) else {
            panic!("must be ambiguous");
        };
        assert_eq!(candidates.len(), 2);
        assert_eq!(resolve(&list(&[]), &zone(), "latest"), Err(ResolveError::Empty));
    }
}
