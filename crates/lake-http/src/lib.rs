//! The only HTTP client: bounded in time, in tries and in bytes.
//!
//! What may work later is tried again here, with a pause that doubles; what a person must mend is reported at once. Each
//! error knows which of the two it is.
//!
//! Not done here: what a body means.

mod error;
mod retry;
#[cfg(test)]
mod tests;

pub use error::{Cause, HttpError};
pub use reqwest::Url;

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use reqwest::{Response, StatusCode};
use retry::Pause;
use std::time::Duration;

/// What a client spends at most.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// One try, from connecting to the last byte.
    pub timeout: Duration,
    /// New tries after the first one.
    pub retries_max: u32,
    /// First pause between tries; it doubles with each.
    pub pause: Duration,
    /// Longest pause, also when the server asks for more.
    pub pause_max: Duration,
    /// Bytes of a body.
    pub bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            retries_max: 3,
            pause: Duration::from_millis(500),
            pause_max: Duration::from_secs(30),
            bytes_max: 64 << 20,
        }
    }
}

/// A client.
#[derive(Debug, Clone)]
pub struct Client {
    inner: reqwest::Client,
    limits: Limits,
}

/// What one try came to.
enum Tried {
    Done(Bytes),
    Again(Cause, Option<Duration>),
}

impl Client {
    /// Returns a client that names itself to servers.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(user_agent: &str, limits: Limits) -> Result<Self, HttpError> {
        let builder = reqwest::Client::builder().user_agent(user_agent).timeout(limits.timeout).connect_timeout(limits.timeout);
        let inner = builder.build().map_err(HttpError::Start)?;
        Ok(Self { inner, limits })
    }

    /// Returns the body of a successful answer.
    ///
    /// # Errors
    /// [`HttpError::Unavailable`] when all tries failed in ways that may pass; the others at once.
    pub async fn get(&self, url: &Url) -> Result<Bytes, HttpError> {
        let mut pause = Pause::new(self.limits.pause, self.limits.pause_max);
        let mut tries = 1;
        loop {
            let (cause, asked) = match self.once(url).await? {
                Tried::Done(body) => return Ok(body),
                Tried::Again(cause, asked) => (cause, asked),
            };
            let next = pause.next(asked);
            tracing::warn!(url = shown(url), tries, error = %cause, "request failed");
            let Some(next) = next.filter(|_| tries <= self.limits.retries_max) else {
                return Err(HttpError::Unavailable { url: shown(url), tries, source: cause });
            };
            tokio::time::sleep(next).await;
            tries += 1;
        }
    }

    async fn once(&self, url: &Url) -> Result<Tried, HttpError> {
        let response = match self.inner.get(url.clone()).send().await {
            Ok(response) => response,
            Err(error) => return Ok(Tried::Again(self.cause(error), None)),
        };
        let status = response.status();
        if status.is_success() {
            return self.body(url, response).await;
        }
        if passing(status) {
            let asked = retry::asked(response.headers());
            return Ok(Tried::Again(Cause::Status(status.as_u16()), asked));
        }
        Err(HttpError::Refused { url: shown(url), status: status.as_u16() })
    }

    /// Reads a body, but never more than the limit, whatever length the server declares.
    async fn body(&self, url: &Url, response: Response) -> Result<Tried, HttpError> {
        let mut body = BytesMut::new();
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            match chunk {
                Ok(chunk) => body.extend_from_slice(&chunk),
                Err(error) => return Ok(Tried::Again(self.cause(error), None)),
            }
            if body.len() as u64 > self.limits.bytes_max {
                return Err(HttpError::TooLarge { url: shown(url), bytes_max: self.limits.bytes_max });
            }
        }
        Ok(Tried::Done(body.freeze()))
    }

    fn cause(&self, error: reqwest::Error) -> Cause {
        let error = error.without_url();
        if error.is_timeout() { Cause::Timeout(self.limits.timeout) } else { Cause::Connection(error) }
    }
}

/// Whether the same request may succeed later.
fn passing(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429)
}

/// The address without what could be a secret.
fn shown(url: &Url) -> String {
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}
