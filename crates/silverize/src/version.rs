//! The version of a row or of a column group: who wins, as text that sorts.
//!
//! `<time>|<place>|<identity>`: the time of the change (microseconds since 1970 UTC, as 16 hex digits that sort), the place at
//! which the source has it, and the record's id where it has one. The highest wins. A record of a stream comes after a row of a
//! table of the same instant: the stream says what happened, the table what somebody saw later. What a table says is gone
//! comes after what it says is there.
//!
//! The place may be followed by `~` and a memory: what else stood at that time (see `upsert::ties`).

/// Where a source has a row; of two changes of the same instant the one at the later place wins.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place<'a> {
    /// A log: partition and offset. Widths hold 99,999 partitions and 10^16 records.
    Log(i32, i64),
    /// A stream without offsets: start of the window that read it, and its position.
    Stream(i64, &'a str),
    /// A table: start of the window that read the row.
    Table(i64),
    /// A table that no longer has the row: start of the window that found it gone.
    Deletion(i64),
}

/// Writes a version, replacing what stands in `out`.
pub(crate) fn write(out: &mut String, micros: i64, place: Place<'_>, identity: &str) {
    out.clear();
    hex(out, micros);
    match place {
        Place::Log(partition, offset) => {
            out.push_str("|r");
            decimal(out, u64::try_from(partition).unwrap_or(0), 5);
            out.push('/');
            decimal(out, u64::try_from(offset).unwrap_or(0), 16);
        }
        Place::Stream(window_from, position) => {
            out.push_str("|r");
            hex(out, window_from);
            out.push('/');
            out.push_str(position);
        }
        Place::Table(window_from) => {
            out.push_str("|c");
            hex(out, window_from);
        }
        Place::Deletion(window_from) => {
            out.push_str("|d");
            hex(out, window_from);
        }
    }
    out.push('|');
    out.push_str(identity);
}

/// Returns the part of a version that is its time.
pub(crate) fn time(version: &str) -> &str {
    version.get(..16).unwrap_or(version)
}

/// Returns the record's id, where the version has one.
pub(crate) fn identity(version: &str) -> Option<&str> {
    version.splitn(3, '|').nth(2).filter(|id| !id.is_empty())
}

/// Returns where the source has the row.
pub(crate) fn place(version: &str) -> &str {
    second(version).0
}

/// Says whether the row is a tombstone.
pub(crate) fn is_deletion(version: &str) -> bool {
    place(version).starts_with('d')
}

/// Returns the memory of what else stood at that time; empty for most.
pub(crate) fn memory(version: &str) -> &str {
    second(version).1
}

/// Returns the version with another memory.
pub(crate) fn with_memory(version: &str, memory: &str) -> String {
    let identity = version.splitn(3, '|').nth(2).unwrap_or_default();
    format!("{}|{}~{memory}|{identity}", time(version), place(version))
}

fn second(version: &str) -> (&str, &str) {
    let second = version.split('|').nth(1).unwrap_or_default();
    second.split_once('~').unwrap_or((second, ""))
}

/// Returns the time in microseconds since 1970 UTC.
#[cfg(test)]
pub(crate) fn micros(version: &str) -> Option<i64> {
    u64::from_str_radix(time(version), 16).ok().map(|bits| (bits ^ (1 << 63)).cast_signed())
}

/// Sixteen digits; the sign's bit is turned over, so that instants before 1970 sort before those after it.
fn hex(out: &mut String, value: i64) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let bits = value.cast_unsigned() ^ (1 << 63);
    for at in (0..16).rev() {
        out.push(char::from(DIGITS[(bits >> (at * 4) & 15) as usize]));
    }
}

/// Writes the last `width` digits, at most 16.
fn decimal(out: &mut String, mut value: u64, width: usize) {
    let mut digits = [b'0'; 16];
    for digit in digits.iter_mut().rev().take(width) {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
    digits[16 - width..].iter().for_each(|digit| out.push(char::from(*digit)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(micros: i64, place: Place<'_>, identity: &str) -> String {
        let mut out = String::from("what stood there");
        write(&mut out, micros, place, identity);
        out
    }

    #[test]
    fn a_version_can_be_read_again() {
        let text = version(1_514_635_200_000_000, Place::Log(3, 42), "a|b");
        assert_eq!(text, "8005618d7d0f7000|r00003/0000000000000042|a|b");
        assert_eq!(
            (micros(&text), identity(&text), place(&text)),
            (Some(1_514_635_200_000_000), Some("a|b"), "r00003/0000000000000042")
        );
        let remembering = with_memory(&with_memory(&text, "00"), "11ff");
        assert_eq!(remembering, "8005618d7d0f7000|r00003/0000000000000042~11ff|a|b");
        assert_eq!((memory(&text), memory(&remembering), place(&remembering)), ("", "11ff", place(&text)));
        let row = version(0, Place::Table(0), "");
        assert_eq!((row.as_str(), identity(&row)), ("8000000000000000|c8000000000000000|", None));
    }

    #[test]
    fn versions_sort_by_time_then_place() {
        let sorted = [
            version(-1, Place::Log(5, 99), "z"),
            version(0, Place::Table(5), ""),
            version(0, Place::Table(6), ""),
            version(0, Place::Deletion(5), ""),
            version(0, Place::Log(0, 9), "z"),
            version(0, Place::Log(0, 10), "a"),
            version(0, Place::Log(1, 0), "a"),
            version(1, Place::Table(0), ""),
        ];
        assert!(sorted.is_sorted(), "{sorted:#?}");
        assert_eq!(sorted.iter().filter(|version| is_deletion(version)).count(), 1);
    }

    proptest::proptest! {
        #[test]
        fn later_is_higher(a in proptest::num::i64::ANY, b in proptest::num::i64::ANY) {
            let (one, other) = (version(a, Place::Table(0), ""), version(b, Place::Table(0), ""));
            proptest::prop_assert_eq!(a.cmp(&b), one.cmp(&other));
            proptest::prop_assert_eq!(micros(&one), Some(a));
        }
    }
}
