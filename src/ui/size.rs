//! Sizes in bytes, for people.

/// A size with three digits or so: `935 B`, `1.7 KiB`, `16.5 MiB`.
pub fn human(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut size = bytes as f64 / 1024.0;
    let mut unit = 0;
    // What would be rounded to 1024 is one of the next unit.
    while size >= 1023.95 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

/// Reads a size as a user types it: bytes, or with `K`, `M`, `G` or `T` (powers of 1024; `KiB` and
/// `KB` mean the same).
///
/// # Errors
/// A sentence about what is wrong.
pub fn parse(text: &str) -> Result<u64, String> {
    let wrong = || format!("\"{text}\" is not a size: write a number of bytes, or 64K, 256M, 2G");
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let unit = unit.trim_start().to_ascii_uppercase();
    let power = match unit.trim_end_matches('B').trim_end_matches('I') {
        "" if matches!(&unit[..], "" | "B") => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return Err(wrong()),
    };
    number.checked_mul(1 << power).ok_or_else(|| format!("\"{text}\" is more than any machine has"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_three_digits() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1739, "1.7 KiB"),
            (17_306_162, "16.5 MiB"),
            ((1 << 20) - 1, "1.0 MiB"),
            ((1 << 30) - 1, "1.0 GiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(human(bytes), text, "{bytes}");
        }
    }

    #[test]
    fn people_write_units() {
        for (text, bytes) in
            [("0", 0), ("10", 10), ("10B", 10), ("64k", 64 << 10), ("256M", 256 << 20)]
        {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
        assert_eq!(parse("2GiB"), Ok(2 << 30));
        assert_eq!(parse("2 GB"), Ok(2 << 30));
        for bad in
            ["", "M", "-1", "1.5G", "1X", "1I", "1MM", "18446744073709551616", "17179869184G"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
