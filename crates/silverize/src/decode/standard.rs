//! Standard forms of text: case, phone numbers, countries, currencies, e-mail addresses.

use super::country;
use lake_core::contract::Standard;
use std::borrow::Cow;

/// Brings a trimmed, non-empty text into a standard form, or returns `None` when it has none.
pub(crate) fn apply(standard: Standard, text: Cow<'_, str>) -> Option<Cow<'_, str>> {
    match standard {
        Standard::Upper => Some(cased(text, |b| b.is_ascii() && !b.is_ascii_lowercase(), str::to_uppercase)),
        Standard::Lower => Some(lower(text)),
        Standard::E164 => e164(&text).map(Cow::Owned),
        Standard::Iso3166 => country::code(&text).map(Cow::Borrowed),
        Standard::Iso4217 => {
            let letters = text.len() == 3 && text.bytes().all(|b| b.is_ascii_alphabetic());
            letters.then(|| cased(text, |b| b.is_ascii_uppercase(), str::to_uppercase))
        }
        Standard::Email => Some(lower(text)).filter(|text| is_email(text)),
    }
}

fn lower(text: Cow<'_, str>) -> Cow<'_, str> {
    cased(text, |b| b.is_ascii() && !b.is_ascii_uppercase(), str::to_lowercase)
}

/// Most texts have the wanted case: those are not copied.
fn cased(text: Cow<'_, str>, done: impl Fn(u8) -> bool, change: impl Fn(&str) -> String) -> Cow<'_, str> {
    if text.bytes().all(done) { text } else { Cow::Owned(change(&text)) }
}

/// E.164 (ITU-T): `+`, then 8 to 15 digits that do not begin with 0. Ten bare digits are North American, `00` is `+`.
fn e164(text: &str) -> Option<String> {
    let (international, rest) = text.strip_prefix('+').map_or((false, text), |rest| (true, rest));
    if !rest.bytes().all(|b| b.is_ascii_digit() || b" ().-/".contains(&b)) {
        return None;
    }
    let digits: String = rest.chars().filter(char::is_ascii_digit).collect();
    let digits = match digits.len() {
        _ if international => digits,
        10 => format!("1{digits}"),
        _ if digits.starts_with("00") => digits[2..].to_owned(),
        11 if digits.starts_with('1') => digits,
        _ => return None,
    };
    ((8..=15).contains(&digits.len()) && !digits.starts_with('0')).then(|| format!("+{digits}"))
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let labels = domain.split('.').count() >= 2 && domain.split('.').all(|label| !label.is_empty());
    !local.is_empty() && labels && !domain.contains('@') && !text.chars().any(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standard(standard: Standard, text: &str) -> Option<String> {
        apply(standard, Cow::Borrowed(text)).map(Cow::into_owned)
    }

    #[test]
    fn phone_numbers_become_e164() {
        for text in ["(555) 010-1234", "555.010.1234", "+1 555 010 1234", "1-555-010-1234", "0015550101234", "5550101234"] {
            assert_eq!(standard(Standard::E164, text).as_deref(), Some("+15550101234"), "{text}");
        }
        assert_eq!(standard(Standard::E164, "+41 44 668 18 00").as_deref(), Some("+41446681800"));
        for text in ["555-0101", "call me", "+0123456789", "+1234567890123456", "25550101234", "555 010 1234 x5", "++15550101234"]
        {
            assert_eq!(standard(Standard::E164, text), None, "{text}");
        }
    }

    #[test]
    fn countries_become_alpha_2() {
        for text in ["US", "us", "usa", "USA", "United States", "united  states of america", "U.S.A."] {
            assert_eq!(standard(Standard::Iso3166, text).as_deref(), Some("US"), "{text}");
        }
        for (text, code) in
            [("CHE", "CH"), ("Schweiz", "CH"), ("uk", "GB"), ("Great Britain", "GB"), ("Deutschland", "DE"), ("canada", "CA")]
        {
            assert_eq!(standard(Standard::Iso3166, text).as_deref(), Some(code), "{text}");
        }
        assert_eq!(standard(Standard::Iso3166, "Atlantis"), None);
    }

    #[test]
    fn case_and_shape() {
        assert_eq!(standard(Standard::Upper, "placed").as_deref(), Some("PLACED"));
        assert_eq!(standard(Standard::Upper, "straße").as_deref(), Some("STRASSE"));
        assert_eq!(standard(Standard::Lower, "Ärger").as_deref(), Some("ärger"));
        assert_eq!(standard(Standard::Iso4217, "usd").as_deref(), Some("USD"));
        assert_eq!(standard(Standard::Iso4217, "US$"), None);
        assert_eq!(standard(Standard::Email, "Ada@Example.COM").as_deref(), Some("ada@example.com"));
        for text in ["ada", "@example.com", "ada@example", "a@b@c.d", "a b@c.d", "ada@.com", "ada@example."] {
            assert_eq!(standard(Standard::Email, text), None, "{text}");
        }
    }

    #[test]
    fn text_that_has_its_form_is_not_copied() {
        assert!(matches!(apply(Standard::Upper, Cow::Borrowed("PLACED")), Some(Cow::Borrowed("PLACED"))));
    }
}
