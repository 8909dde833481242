//! Masking: what stands in place of personal data.
//!
//! Keyed tokens are HMAC-SHA256 (RFC 2104) in lower-case hex; partial masks and generalisations need no key. A null stays
//! null everywhere.

use crate::Secret;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How a value is masked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Method {
    /// `[redacted]`.
    Redact,
    /// First character and a point: `A.`.
    Initial,
    /// First character, `***@`, domain.
    Email,
    /// `***` and the last two digits.
    Phone,
    /// `1980s`.
    Decade,
    /// The last two digits.
    Last2,
    /// Keyed HMAC-SHA256 in hex.
    Token,
    /// `consumer` or `company`, by the policy's list of consumer domains.
    DomainClass,
}

/// A masking key and its id; the id stands beside every token.
#[derive(Debug, Clone)]
pub struct TokenKey {
    /// Public id.
    pub id: String,
    key: Secret,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    key_id: String,
    key: String,
}

/// Why a secret is no token key.
#[derive(Debug, thiserror::Error)]
#[error("read the token key: it must be JSON with `key_id` and `key`, the latter at least 32 bytes in hex")]
pub struct TokenKeyError;

impl TokenKey {
    /// Reads `{"key_id": "...", "key": "<hex>"}`.
    ///
    /// # Errors
    /// When it is anything else, or shorter than 32 bytes.
    pub fn parse(secret: &Secret) -> Result<Self, TokenKeyError> {
        let file: KeyFile = serde_json::from_str(secret.expose()).map_err(|_| TokenKeyError)?;
        let hex = file.key.len() >= 64 && file.key.len().is_multiple_of(2) && file.key.bytes().all(|b| b.is_ascii_hexdigit());
        if hex { Ok(Self { id: file.key_id, key: Secret::new(file.key) }) } else { Err(TokenKeyError) }
    }

    /// Returns the token of a normalised value: 64 hex digits.
    #[must_use]
    pub fn token(&self, value: &str) -> String {
        let hex = self.key.expose().as_bytes();
        let digit = |b: u8| (b as char).to_digit(16).unwrap_or(0) as u8;
        let key: Vec<u8> = hex.chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect();
        // HMAC takes keys of any length, so this cannot fail.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key) else { return String::new() };
        mac.update(value.as_bytes());
        hex_of(&mac.finalize().into_bytes())
    }
}

/// Returns SHA-256 in lower-case hex.
#[must_use]
pub fn sha256_hex(text: &[u8]) -> String {
    hex_of(&Sha256::digest(text))
}

/// Returns bytes as lower-case hex.
#[must_use]
pub fn hex_of(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|b| [DIGITS[usize::from(b >> 4)] as char, DIGITS[usize::from(b & 15)] as char]).collect()
}

/// Masks a text by a method that needs neither key nor policy; `None` for the methods that do.
#[must_use]
pub fn partial(method: Method, text: &str) -> Option<String> {
    Some(match method {
        Method::Redact => "[redacted]".to_owned(),
        // One character also where the upper case of one letter has two, as that of `ß`.
        Method::Initial => format!("{}.", text.to_uppercase().chars().next().map(String::from).unwrap_or_default()),
        Method::Email => match (text.chars().next(), text.rsplit_once('@')) {
            (Some(first), Some((_, domain))) => format!("{first}***@{domain}"),
            _ => "***".to_owned(),
        },
        Method::Phone => format!("***{}", last2(text)),
        Method::Last2 => last2(text),
        Method::Decade => match text.get(..4).and_then(|year| year.parse::<i32>().ok()) {
            Some(year) => format!("{:04}s", year - year.rem_euclid(10)),
            None => "[redacted]".to_owned(),
        },
        Method::Token | Method::DomainClass => return None,
    })
}

fn last2(text: &str) -> String {
    let digits: Vec<char> = text.chars().filter(char::is_ascii_digit).collect();
    digits[digits.len().saturating_sub(2)..].iter().collect()
}

#[cfg(test)]
#[path = "mask_properties.rs"]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partial_masks_show_little() {
        assert_eq!(partial(Method::Email, "ada@example.com").as_deref(), Some("a***@example.com"));
        assert_eq!(partial(Method::Phone, "+15550101234").as_deref(), Some("***34"));
        assert_eq!(partial(Method::Initial, "ada").as_deref(), Some("A."));
        assert_eq!(partial(Method::Initial, "ßeta").as_deref(), Some("S."));
        assert_eq!(partial(Method::Initial, "").as_deref(), Some("."));
        assert_eq!(partial(Method::Decade, "1987-03-01").as_deref(), Some("1980s"));
        assert_eq!(partial(Method::Decade, "0001-01-01").as_deref(), Some("0000s"));
        assert_eq!(partial(Method::Token, "x"), None);
    }

    #[test]
    fn tokens_are_hmac_sha256() {
        // RFC 4231, test case 1, its key of 20 bytes padded to 32 with zeros (HMAC pads with zeros to the block anyway).
        let hex = format!("{}{}", "0b".repeat(20), "00".repeat(12));
        let key = TokenKey::parse(&Secret::new(format!(r#"{{"key_id":"k1","key":"{hex}"}}"#))).unwrap();
        assert_eq!(key.token("Hi There"), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
        assert_eq!(key.id, "k1");
    }

    #[test]
    fn short_or_odd_keys_are_refused_without_showing_them() {
        let error = TokenKey::parse(&Secret::new(r#"{"key_id":"k1","key":"abcd"}"#.into())).unwrap_err();
        assert!(!error.to_string().contains("abcd"));
    }
}
