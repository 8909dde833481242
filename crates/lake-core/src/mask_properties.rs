//! What each mask promises, for any text.

use super::*;
use proptest::prelude::*;

fn key(id: &str, byte: u8) -> TokenKey {
    let hex = format!("{byte:02x}").repeat(32);
    TokenKey::parse(&Secret::new(format!(r#"{{"key_id":"{id}","key":"{hex}"}}"#))).unwrap()
}

fn masked(method: Method, text: &str) -> String {
    partial(method, text).unwrap()
}

proptest! {
    #[test]
    fn equal_values_have_equal_tokens_and_others_have_others(one in ".*", other in ".*") {
        let key = key("k1", 7);
        prop_assert_eq!(key.token(&one), key.token(&one));
        prop_assert_eq!(one == other, key.token(&one) == key.token(&other));
    }

    #[test]
    fn a_token_is_hex_and_shows_nothing_that_could_be_made_without_the_key(text in ".*") {
        let token = key("k1", 7).token(&text);
        prop_assert!(token.len() == 64 && token.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
        prop_assert_ne!(token, sha256_hex(text.as_bytes()));
    }

    #[test]
    fn another_key_makes_other_tokens_and_its_id_none(text in ".*", one in 1..=255_u8, other in 1..=255_u8) {
        prop_assert_eq!(one == other, key("k1", one).token(&text) == key("k1", other).token(&text));
        prop_assert_eq!(key("k1", one).token(&text), key("k2", one).token(&text));
    }

    #[test]
    fn no_value_passes_for_another_by_what_stands_around_it(text in ".*", more in ".+") {
        let key = key("k1", 7);
        for other in [format!("{text}{more}"), format!("{more}{text}"), format!("{text}\0"), format!(" {text}")] {
            prop_assert_ne!(key.token(&text), key.token(&other));
        }
    }

    #[test]
    fn an_address_shows_its_first_character_and_its_domain(first in "[a-z]", one in "[^@]*", other in "[^@]*", domain in "[a-z.]*") {
        let mask = |rest: &str| masked(Method::Email, &format!("{first}{rest}@{domain}"));
        prop_assert_eq!(mask(&one), format!("{first}***@{domain}"));
        prop_assert_eq!(mask(&one), mask(&other));
    }

    #[test]
    fn what_is_no_address_shows_nothing(text in "[^@]*") {
        prop_assert_eq!(masked(Method::Email, &text), "***");
    }

    #[test]
    fn a_number_shows_its_last_two_digits(one in "[0-9 ()+-]*", other in "[0-9 ()+-]*", last in "[0-9]{2}") {
        for (method, stars) in [(Method::Phone, "***"), (Method::Last2, "")] {
            let mask = |rest: &str| masked(method, &format!("{rest}{last}"));
            prop_assert_eq!(mask(&one), format!("{stars}{last}"));
            prop_assert_eq!(mask(&one), mask(&other));
        }
    }

    #[test]
    fn never_more_than_two_digits_are_shown(text in ".*") {
        for method in [Method::Phone, Method::Last2] {
            let shown = masked(method, &text);
            prop_assert!(shown.trim_start_matches('*').len() <= 2 && shown.chars().all(|c| c == '*' || c.is_ascii_digit()));
        }
    }

    #[test]
    fn a_name_shows_one_character(text in ".*", more in ".*") {
        let shown = masked(Method::Initial, &text);
        prop_assert!(shown.ends_with('.') && shown.chars().count() <= 2);
        if !text.is_empty() {
            prop_assert_eq!(&shown, &masked(Method::Initial, &format!("{}{more}", text.chars().next().unwrap())));
        }
    }

    #[test]
    fn a_date_shows_its_decade(year in 0..=9_999_i32, month in 1..=12_u32, day in 1..=31_u32) {
        let decade = masked(Method::Decade, &format!("{year:04}-{month:02}-{day:02}"));
        prop_assert_eq!(&decade, &format!("{:03}0s", year / 10));
        prop_assert_eq!(&decade, &masked(Method::Decade, &format!("{:04}-01-01", year / 10 * 10)));
    }

    #[test]
    fn what_is_no_date_shows_nothing(text in "[^0-9+-].*") {
        prop_assert_eq!(masked(Method::Decade, &text), "[redacted]");
    }

    #[test]
    fn what_is_redacted_is_gone(text in ".*") {
        prop_assert_eq!(masked(Method::Redact, &text), "[redacted]");
    }

    #[test]
    fn masks_that_need_a_key_or_a_policy_are_not_made_without(text in ".*") {
        prop_assert_eq!((partial(Method::Token, &text), partial(Method::DomainClass, &text)), (None, None));
    }
}
