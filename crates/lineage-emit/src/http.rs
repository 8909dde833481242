//! A receiver that takes one event per POST, as OpenLineage's HTTP transport sends them.

use crate::{args::DeliverArgs, receiver::Outgoing};
use anyhow::Context as _;
use lake_core::Secret;
use lake_edge::Attach as _;
use lake_http::{Client, Limits, Request, Url};

/// An address that takes events.
#[derive(Debug)]
pub(crate) struct Endpoint {
    client: Client,
    url: Url,
    token: Option<Secret>,
}

impl Endpoint {
    pub(crate) fn new(url: Url, args: &DeliverArgs) -> anyhow::Result<Self> {
        let client = Client::new(concat!("sluice-lineage-emit/", env!("CARGO_PKG_VERSION")), Limits::from(&args.delivery.limits))
            .attach()?;
        let token = args.secret.as_deref().map(|name| args.secrets.get(name)).transpose()?;
        Ok(Self { client, url, token })
    }

    pub(crate) fn name(&self) -> String {
        self.url.to_string()
    }

    /// Sends events one by one, each once the one before has arrived.
    pub(crate) async fn send(&self, events: &[Outgoing]) -> (usize, anyhow::Result<()>) {
        for (sent, event) in events.iter().enumerate() {
            let request = Request::ask(&self.url, event.json.clone());
            let request = match &self.token {
                Some(token) => request.bearer(token),
                None => request,
            };
            let answered = self.client.fetch(&request, |_| Some(())).await.attach();
            if let Err(error) = answered.with_context(|| format!("failed to deliver event `{}`", event.entry.path)) {
                return (sent, Err(error));
            }
        }
        (events.len(), Ok(()))
    }
}
