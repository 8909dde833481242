//! How long to wait before the next try.

use chrono::DateTime;
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};
use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    time::Duration,
};

/// A pause that doubles.
#[derive(Debug)]
pub(crate) struct Pause {
    next: Duration,
    longest: Duration,
}

impl Pause {
    pub(crate) const fn new(first: Duration, longest: Duration) -> Self {
        Self { next: first, longest }
    }

    /// Returns the next pause, with up to a quarter more so that clients spread; `None` when the server asks for more than the limit.
    pub(crate) fn next(&mut self, asked: Option<Duration>) -> Option<Duration> {
        let own = self.next;
        self.next = (own * 2).min(self.longest);
        match asked {
            Some(asked) if asked > self.longest => None,
            Some(asked) => Some(asked.max(own)),
            None => Some((own + own.mul_f64(fraction() / 4.0)).min(self.longest)),
        }
    }
}

/// Returns what `Retry-After` asks for: seconds, or a date, which is measured against the server's own `Date`.
pub(crate) fn asked(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let value = text(RETRY_AFTER)?;
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = DateTime::parse_from_rfc2822(value).ok()?;
    let now = DateTime::parse_from_rfc2822(text(DATE)?).ok()?;
    Some((until - now).to_std().unwrap_or(Duration::ZERO))
}

/// A number in [0, 1) that differs between processes.
fn fraction() -> f64 {
    let random = RandomState::new().build_hasher().finish() >> 11;
    random as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn the_pause_doubles_up_to_its_limit() {
        let mut pause = Pause::new(Duration::from_secs(1), Duration::from_secs(3));
        let seconds: Vec<f64> = (0..3).map(|_| pause.next(None).unwrap().as_secs_f64()).collect();
        assert!((1.0..=1.25).contains(&seconds[0]), "{seconds:?}");
        assert!((2.0..=2.5).contains(&seconds[1]), "{seconds:?}");
        assert!((seconds[2] - 3.0).abs() < 1e-9, "{seconds:?}");
    }

    #[test]
    fn what_the_server_asks_for_is_kept_up_to_the_limit() {
        let mut pause = Pause::new(Duration::from_secs(1), Duration::from_secs(10));
        assert_eq!(pause.next(Some(Duration::from_secs(7))), Some(Duration::from_secs(7)));
        assert_eq!(pause.next(Some(Duration::from_secs(11))), None);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(asked(&headers(&[(RETRY_AFTER, "12")])), Some(Duration::from_secs(12)));
        let dated = headers(&[(RETRY_AFTER, "Sun, 06 Nov 1994 08:49:47 GMT"), (DATE, "Sun, 06 Nov 1994 08:49:37 GMT")]);
        assert_eq!(asked(&dated), Some(Duration::from_secs(10)));
        let past = headers(&[(RETRY_AFTER, "Sun, 06 Nov 1994 08:49:27 GMT"), (DATE, "Sun, 06 Nov 1994 08:49:37 GMT")]);
        assert_eq!(asked(&past), Some(Duration::ZERO));
        assert_eq!(asked(&headers(&[(RETRY_AFTER, "soon")])), None);
        assert_eq!(asked(&headers(&[])), None);
    }
}
