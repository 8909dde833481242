//! Exact numbers from text: no float, nothing rounded.

/// Returns a number as an integer of its `scale`-th decimal, or `None` when the text is no number, has more decimals than
/// `scale`, or does not fit 128 bits. Signs, exponents and any number of leading or trailing zeros are read.
pub(crate) fn scaled(text: &str, scale: i8) -> Option<i128> {
    let bytes = text.as_bytes();
    if let Some(value) = plain(bytes, scale) {
        return Some(value);
    }
    let (negative, mut at) = match bytes.first()? {
        b'-' => (true, 1),
        b'+' => (false, 1),
        _ => (false, 0),
    };
    let mut mantissa = Mantissa::default();
    let whole = mantissa.digits(&bytes[at..]);
    at += whole;
    let mut decimals = 0;
    if bytes.get(at) == Some(&b'.') {
        decimals = mantissa.digits(&bytes[at + 1..]);
        at += 1 + decimals;
        if decimals == 0 {
            return None;
        }
    }
    let exponent = match bytes.get(at) {
        None => 0,
        Some(b'e' | b'E') => exponent(&bytes[at + 1..])?,
        Some(_) => return None,
    };
    if whole == 0 || mantissa.overflow {
        return None;
    }
    let shift = i64::from(mantissa.zeros) + exponent - i64::try_from(decimals).ok()? + i64::from(scale);
    let value = shifted(mantissa.value, shift)?;
    Some(if negative { -value } else { value })
}

/// The common form: few digits, no exponent, not more decimals than wanted. `None` says nothing about the text.
fn plain(bytes: &[u8], scale: i8) -> Option<i128> {
    let (negative, digits) = match bytes.first()? {
        b'-' => (true, &bytes[1..]),
        _ => (false, bytes),
    };
    if digits.len() > 16 {
        return None;
    }
    let (mut value, mut point) = (0i64, None);
    for (at, byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => value = value * 10 + i64::from(byte - b'0'),
            b'.' if point.is_none() && at > 0 => point = Some(at),
            _ => return None,
        }
    }
    let decimals = point.map_or(0, |at| digits.len() - at - 1);
    let missing =
        usize::try_from(scale).ok()?.checked_sub(decimals).filter(|_| !digits.is_empty() && point != Some(digits.len() - 1))?;
    let value = i128::from(value) * 10i128.pow(u32::try_from(missing).ok()?);
    Some(if negative { -value } else { value })
}

/// Moves an integer of `from` decimals to `to` decimals, or `None` when a digit would be lost.
pub(crate) fn rescaled(value: i128, from: i8, to: i8) -> Option<i128> {
    shifted(value, i64::from(to) - i64::from(from))
}

/// Says whether an integer has at most so many digits.
pub(crate) fn fits(value: i128, digits: u8) -> bool {
    10i128.checked_pow(u32::from(digits)).is_none_or(|bound| value < bound && value > -bound)
}

/// Writes an integer of `scale` decimals as plain digits: `1234` of scale 2 is `12.34`.
pub(crate) fn text(value: i128, scale: i8) -> String {
    if scale <= 0 {
        return format!("{value}{}", "0".repeat(usize::from(scale.unsigned_abs())));
    }
    let places = usize::from(scale.unsigned_abs());
    let digits = format!("{:0>width$}", value.unsigned_abs(), width = places + 1);
    let (whole, decimals) = digits.split_at(digits.len() - places);
    format!("{}{whole}.{decimals}", if value < 0 { "-" } else { "" })
}

/// Digits read so far; zeros at the end are counted and not multiplied in, so that `1.00000...` never overflows.
#[derive(Default)]
struct Mantissa {
    value: i128,
    zeros: u32,
    overflow: bool,
}

impl Mantissa {
    /// Reads the digits at the front and returns how many there are.
    fn digits(&mut self, bytes: &[u8]) -> usize {
        let mut count = 0;
        for byte in bytes {
            match byte {
                b'0' => self.zeros += 1,
                b'1'..=b'9' => {
                    let next =
                        shifted(self.value, i64::from(self.zeros) + 1).and_then(|v| v.checked_add(i128::from(byte - b'0')));
                    self.overflow |= next.is_none();
                    self.value = next.unwrap_or(0);
                    self.zeros = 0;
                }
                _ => break,
            }
            count += 1;
        }
        count
    }
}

fn exponent(bytes: &[u8]) -> Option<i64> {
    let (negative, digits) = match bytes.first()? {
        b'-' => (true, &bytes[1..]),
        b'+' => (false, &bytes[1..]),
        _ => (false, bytes),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // Beyond this bound every number but zero is out of reach, whatever its digits.
    let value = digits.iter().fold(0i64, |value, digit| (value * 10 + i64::from(digit - b'0')).min(1_000_000_000));
    Some(if negative { -value } else { value })
}

/// `value * 10^shift`, exactly.
fn shifted(value: i128, shift: i64) -> Option<i128> {
    if value == 0 || shift == 0 {
        return Some(value);
    }
    let power = 10i128.checked_pow(u32::try_from(shift.unsigned_abs()).ok()?);
    if shift > 0 {
        return value.checked_mul(power?);
    }
    let power = power?;
    (value % power == 0).then_some(value / power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_to_the_last_digit() {
        for (text, cents) in [
            ("12.34", 1234),
            ("12.3", 1230),
            ("12", 1200),
            ("-0.05", -5),
            ("+7", 700),
            ("007.10", 710),
            ("1e3", 100_000),
            ("1.5E+2", 15_000),
            ("1250e-2", 1250),
            ("12.3400000000000000000000000000000000000000000", 1234),
            ("0", 0),
            ("-0.00", 0),
            ("0e99999999999999999999", 0),
            ("10000000000000000.01", 1_000_000_000_000_000_001),
        ] {
            assert_eq!(scaled(text, 2), Some(cents), "{text}");
        }
        assert_eq!(scaled("89638", 0), Some(89_638));
        assert_eq!(scaled("3.0", 0), Some(3));
    }

    #[test]
    fn nothing_is_rounded() {
        for text in ["0.125", "12.345", "1e-3", "0.0100000001"] {
            assert_eq!(scaled(text, 2), None, "{text}");
        }
        assert_eq!(scaled("1.5", 0), None);
        assert_eq!(rescaled(1250, 3, 2), Some(125));
        assert_eq!(rescaled(1251, 3, 2), None);
        assert_eq!(rescaled(125, 2, 4), Some(12_500));
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in
            ["", "-", "+", ".", ".5", "5.", "1e", "1e+", "1,5", "0x10", "NaN", "Infinity", "1 2", "--1", "1.2.3", "1e5.0", "１"]
        {
            assert_eq!(scaled(text, 2), None, "{text}");
        }
    }

    #[test]
    fn huge_numbers_do_not_wrap() {
        for text in ["1e40", "340282366920938463463374607431768211456", "9e37", "1e2147483648", "1e-2147483648"] {
            assert_eq!(scaled(text, 2), None, "{text}");
        }
        assert!(fits(999, 3) && fits(-999, 3) && !fits(1000, 3) && !fits(-1000, 3) && fits(i128::MAX, 39));
    }

    #[test]
    fn digits_are_written_plainly() {
        assert_eq!(text(1234, 2), "12.34");
        assert_eq!(text(-5, 2), "-0.05");
        assert_eq!(text(42, 0), "42");
        assert_eq!(text(42, -2), "4200");
        assert_eq!(text(0, 3), "0.000");
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read_again(value in -10i128.pow(30)..10i128.pow(30), scale in 0i8..12) {
            proptest::prop_assert_eq!(scaled(&text(value, scale), scale), Some(value));
        }
    }
}
