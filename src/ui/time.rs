//! Times, for people and for JSON.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// RFC 3339 in UTC with milliseconds, `2024-05-01T10:01:00.000Z`; `None` for a time that no calendar
/// has.
pub fn rfc3339(ms: i64) -> Option<String> {
    Timestamp::from_millisecond(ms).ok().map(|time| format!("{time:.3}"))
}

/// `2024-05-01 18:01:00` in that zone, or `?` for a time that no calendar has.
pub fn local(ms: i64, zone: &TimeZone) -> String {
    match Timestamp::from_millisecond(ms) {
        Ok(time) => time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => "?".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let zone = TimeZone::fixed(jiff::tz::offset(8));
        assert_eq!(rfc3339(1_714_557_660_007).unwrap(), "2024-05-01T10:01:00.007Z");
        assert_eq!(rfc3339(-1).unwrap(), "1969-12-31T23:59:59.999Z");
        assert_eq!(local(1_714_557_660_007, &zone), "2024-05-01 18:01:00");
        assert_eq!((rfc3339(i64::MAX), local(i64::MIN, &zone)), (None, "?".to_owned()));
    }
}
