//! One request: where it goes, what it carries, and which allowance it draws on.

use crate::{Budget, Url};
use bytes::Bytes;
use lake_core::Secret;
use reqwest::{Client, RequestBuilder, header::CONTENT_TYPE};

/// A request that may be sent any number of times.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    pub(crate) url: &'a Url,
    json: Option<Bytes>,
    bearer: Option<&'a Secret>,
    pub(crate) budget: Option<&'a Budget>,
    pub(crate) lasting: fn(u16, &[u8]) -> bool,
}

impl<'a> Request<'a> {
    /// Gets an address.
    #[must_use]
    pub fn get(url: &'a Url) -> Self {
        Self { url, json: None, bearer: None, budget: None, lasting: |_, _| false }
    }

    /// Posts JSON to an address, and to no other that its server names instead. It must be a question: a try that failed may have
    /// been answered all the same.
    #[must_use]
    pub fn ask(url: &'a Url, json: impl Into<Bytes>) -> Self {
        Self { json: Some(json.into()), ..Self::get(url) }
    }

    /// Shows a token.
    #[must_use]
    pub const fn bearer(mut self, token: &'a Secret) -> Self {
        self.bearer = Some(token);
        self
    }

    /// Draws on an allowance.
    #[must_use]
    pub const fn within(mut self, budget: &'a Budget) -> Self {
        self.budget = Some(budget);
        self
    }

    /// Tells, by status and body, the refusals that will last although their status often passes.
    #[must_use]
    pub fn lasting(mut self, lasting: fn(u16, &[u8]) -> bool) -> Self {
        self.lasting = lasting;
        self
    }

    /// Whether it carries something.
    pub(crate) const fn posts(&self) -> bool {
        self.json.is_some()
    }

    pub(crate) fn builder(&self, client: &Client) -> RequestBuilder {
        let builder = match &self.json {
            None => client.get(self.url.clone()),
            Some(json) => client.post(self.url.clone()).header(CONTENT_TYPE, "application/json").body(json.clone()),
        };
        match self.bearer {
            Some(token) => builder.bearer_auth(token.expose()),
            None => builder,
        }
    }
}
