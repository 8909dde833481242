//! The only HTTP client: bounded in time, in tries, in bytes, and in requests where a service allows only so many.
//!
//! What may work later is tried again here, with a pause that doubles; what a person must mend is reported at once. Each
//! error knows which of the two it is. A [`Budget`] is shared by all requests that draw on one allowance of a service; none
//! of them is sent that could be above it.
//!
//! Not done here: what a body means. The caller reads it, and says when it is damaged, so that it is asked for again.

mod args;
mod budget;
mod error;
mod request;
mod retry;
mod slots;
#[cfg(test)]
mod tests;

pub use args::LimitArgs;
pub use budget::Budget;
pub use error::{Answer, Cause, HttpError};
pub use request::Request;
pub use reqwest::Url;
pub use slots::{Allowance, Headers};

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use reqwest::{Response, StatusCode};
use retry::Pause;
use std::time::Duration;

/// Bytes of a refusal that are looked at.
const REFUSAL_BYTES_MAX: usize = 64 << 10;

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
    /// For what is posted: a redirect could turn it into a GET without its body, and whatever answers that has not seen it.
    posting: reqwest::Client,
    limits: Limits,
}

/// What one try came to.
enum Tried<T> {
    Done(T),
    Again(Cause, Option<Duration>),
}

impl Client {
    /// Returns a client that names itself to servers.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(user_agent: &str, limits: Limits) -> Result<Self, HttpError> {
        let builder =
            || reqwest::Client::builder().user_agent(user_agent).timeout(limits.timeout).connect_timeout(limits.timeout);
        let inner = builder().build().map_err(HttpError::Start)?;
        let posting = builder().redirect(reqwest::redirect::Policy::none()).build().map_err(HttpError::Start)?;
        Ok(Self { inner, posting, limits })
    }

    /// Returns the body of a successful answer.
    ///
    /// # Errors
    /// [`HttpError::Unavailable`] when all tries failed in ways that may pass; the others at once.
    pub async fn get(&self, url: &Url) -> Result<Bytes, HttpError> {
        self.fetch(&Request::get(url), |body| Some(body.clone())).await
    }

    /// Returns what `read` makes of the body of a successful answer; `None` means that it is damaged, and is asked for again.
    ///
    /// # Errors
    /// As for [`Client::get`].
    pub async fn fetch<T>(&self, request: &Request<'_>, read: impl Fn(&Bytes) -> Option<T>) -> Result<T, HttpError> {
        let mut pause = Pause::new(self.limits.pause, self.limits.pause_max);
        let mut tries = 1;
        loop {
            let (cause, asked) = match self.once(request, &read).await? {
                Tried::Done(body) => return Ok(body),
                Tried::Again(cause, asked) => (cause, asked),
            };
            let next = pause.next(asked);
            let url = shown(request.url);
            tracing::warn!(url, tries, error = %cause, "request failed");
            let Some(next) = next.filter(|_| tries <= self.limits.retries_max) else {
                return Err(HttpError::Unavailable { url, tries, source: cause });
            };
            // All requests of the same allowance wait, not only the one that was told so.
            if let (Cause::Status(429), Some(budget)) = (&cause, request.budget) {
                budget.pause(next);
            }
            tokio::time::sleep(next).await;
            tries += 1;
        }
    }

    async fn once<T>(&self, request: &Request<'_>, read: &impl Fn(&Bytes) -> Option<T>) -> Result<Tried<T>, HttpError> {
        let permit = match request.budget {
            Some(budget) => Some(budget.take().await.ok_or_else(|| HttpError::Spent { url: shown(request.url) })?),
            None => None,
        };
        let client = if request.posts() { &self.posting } else { &self.inner };
        let sent = request.builder(client).send().await;
        let response = match sent {
            Ok(response) => response,
            // An address or a header that cannot be sent will not be sendable later.
            Err(error) if error.is_builder() => return Err(HttpError::Start(error.without_url())),
            Err(error) => return Ok(Tried::Again(self.cause(error), None)),
        };
        if let Some(permit) = permit {
            permit.answered(response.headers());
        }
        let status = response.status();
        if status.is_success() {
            return self.body(request.url, response, read).await;
        }
        let asked = retry::asked(response.headers());
        let body = refusal(response).await;
        if passing(status) && !(request.lasting)(status.as_u16(), &body) {
            return Ok(Tried::Again(Cause::Status(status.as_u16()), asked));
        }
        Err(HttpError::Refused { url: shown(request.url), status: status.as_u16(), body: Answer(body) })
    }

    /// Reads a body, but never more than the limit, whatever length the server declares.
    async fn body<T>(&self, url: &Url, response: Response, read: &impl Fn(&Bytes) -> Option<T>) -> Result<Tried<T>, HttpError> {
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
        Ok(read(&body.freeze()).map_or(Tried::Again(Cause::Damaged, None), Tried::Done))
    }

    fn cause(&self, error: reqwest::Error) -> Cause {
        let error = error.without_url();
        if error.is_timeout() { Cause::Timeout(self.limits.timeout) } else { Cause::Connection(error) }
    }
}

/// Whether the same request may succeed later. 423 is a lock that someone holds, 477 a service that is being moved.
fn passing(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status.as_u16(), 408 | 423 | 425 | 429 | 477)
}

/// Returns the beginning of a refusal's body; one that breaks off is as long as it came.
async fn refusal(response: Response) -> Bytes {
    let mut body = BytesMut::new();
    let mut chunks = response.bytes_stream();
    while let Some(Ok(chunk)) = chunks.next().await {
        let room = REFUSAL_BYTES_MAX - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() == REFUSAL_BYTES_MAX {
            break;
        }
    }
    body.freeze()
}

/// The address without what could be a secret.
fn shown(url: &Url) -> String {
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}
