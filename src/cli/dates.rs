//! Dates and times as a user writes them. When one ends is known below
//! ([`end_of`]); here is when it begins.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

use crate::repo::names::end_of;

use super::error::{Failure, usage};

/// The first millisecond of a day, hour, minute or second.
pub fn start_of(text: &str, zone: &TimeZone) -> Option<i64> {
    // Whatever has no end is no time.
    let end = end_of(text, zone)?;
    if text.parse::<Timestamp>().is_ok() || text.parse::<Zoned>().is_ok() {
        return Some(end - 999);
    }
    let spelled = text.replace(' ', "T");
    let Some((_, time)) = spelled.split_once('T') else {
        // Not a day's length before its end: a day in which clocks are changed has another length.
        let start = text.parse::<Date>().ok()?.to_zoned(zone.clone()).ok()?;
        return Some(start.timestamp().as_millisecond());
    };
    let next: DateTime =
        Timestamp::from_millisecond(end + 1).ok()?.to_zoned(zone.clone()).datetime();
    let span = match time.split([':', '.']).count() {
        1 => 1.hour(),
        2 => 1.minute(),
        _ => 1.second(),
    };
    let start = next.checked_sub(span).ok()?.to_zoned(zone.clone()).ok()?;
    Some(start.timestamp().as_millisecond())
}

/// The bounds of `--since` and `--until`, milliseconds since 1970, both included.
///
/// # Errors
/// Where one is no date or time.
pub fn bounds(
    since: Option<&str>,
    until: Option<&str>,
    zone: &TimeZone,
) -> Result<(Option<i64>, Option<i64>), Failure> {
    let wrong = |option: &str, text: &str| {
        usage(format!(
            "{option} {text}: write a date or time such as 2024-05-01 or 2024-05-01T18:00"
        ))
    };
    let since = since.map(|text| start_of(text, zone).ok_or_else(|| wrong("--since", text)));
    let until = until.map(|text| end_of(text, zone).ok_or_else(|| wrong("--until", text)));
    Ok((since.transpose()?, until.transpose()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_has_its_length() {
        let zone = TimeZone::fixed(jiff::tz::offset(8));
        // 2024-05-01T18:01:00+08:00.
        const T: i64 = 1_714_557_660_000;
        for (text, start, length) in [
            ("2024-05-01", T - 60_000 - 18 * 3_600_000, 24 * 3_600_000),
            ("2024-05-01T18", T - 60_000, 3_600_000),
            ("2024-05-01T18:01", T, 60_000),
            ("2024-05-01 18:01", T, 60_000),
            ("2024-05-01T18:01:00", T, 1000),
            ("2024-05-01T18.01.00", T, 1000),
            ("2024-05-01T10:01:00Z", T, 1000),
            ("2024-05-01T10:01:00.5Z", T, 1000),
            ("2024-05-01T18:01:00+08:00[+08:00]", T, 1000),
        ] {
            assert_eq!(start_of(text, &zone), Some(start), "{text}");
            assert_eq!(end_of(text, &zone), Some(start + length - 1), "{text}");
        }
        for bad in ["", "yesterday", "2024-5-1", "2024-13-01", "2024-05-01T25"] {
            assert_eq!(start_of(bad, &zone), None, "{bad}");
        }
    }

    #[test]
    fn a_day_in_which_clocks_change_begins_at_its_midnight() {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let start = start_of("2024-03-31", &zone).unwrap();
        assert_eq!(end_of("2024-03-31", &zone), Some(start + 23 * 3_600_000 - 1));
        assert_eq!(start, 1_711_839_600_000, "2024-03-30T23:00:00Z");
    }

    #[test]
    fn bounds_name_what_is_wrong() {
        let wrong = bounds(None, Some("soon"), &TimeZone::UTC).unwrap_err();
        assert_eq!(wrong.exit, 2);
        assert!(wrong.message.starts_with("--until soon:"), "{wrong}");
        assert_eq!(bounds(None, None, &TimeZone::UTC), Ok((None, None)));
    }
}
