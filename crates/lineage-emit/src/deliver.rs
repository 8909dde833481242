//! Sends what a receiver has not had yet, in the order of the events.

use crate::{
    args::DeliveryArgs,
    cursor::Cursor,
    error::EmitError,
    receiver::{Outgoing, Receiver},
};
use lake_core::{Exit, lineage::outbox::Entry, mask::sha256_hex};
use lake_edge::{Attach as _, Console, Output};
use lake_table::Lake;

/// Events that are read before the receiver gets them: bounds the memory, and what a crash delivers a second time.
const BATCH_EVENTS: usize = 100;

/// Delivers what is waiting.
pub(crate) async fn run(args: &DeliveryArgs, receiver: Receiver, console: &Console) -> anyhow::Result<Exit> {
    let lake = Lake::open(&args.lake).attach()?;
    let name = args.cursor.clone().unwrap_or_else(|| sha256_hex(receiver.name().as_bytes())[..16].to_owned());
    let mut cursor = Cursor::open(&lake, &name, lake_edge::now()).await?;
    let mut waiting = cursor.waiting(&lake).await?;
    waiting.retain(|entry| receiver.wants(entry.kind));
    let left_over = waiting.split_off(waiting.len().min(usize::try_from(args.events_max).unwrap_or(usize::MAX))).len();
    if !waiting.is_empty() {
        // Where the place cannot be kept, the same events would be sent by every call.
        cursor.save(&lake).await?;
    }
    let (mut delivered, mut failed) = (0, None);
    for entries in waiting.chunks(BATCH_EVENTS) {
        let (events, unread) = read(&lake, &receiver, entries).await;
        let (sent, outcome) = receiver.send(&events).await;
        lake_core::fault_point!("emit.send.after");
        let now = lake_edge::now();
        events[..sent].iter().for_each(|event| cursor.pass(&event.entry, now));
        delivered += sent;
        if sent > 0 {
            cursor.save(&lake).await?;
            lake_core::fault_point!("emit.cursor.after");
        }
        if let Err(error) = outcome.and(unread) {
            failed = Some(error);
            break;
        }
    }
    let waiting = waiting.len() - delivered + left_over;
    report(args, console, &receiver.name(), (delivered, waiting));
    match failed {
        Some(error) => Err(error),
        None => Ok(Exit::Ok),
    }
}

/// Reads events up to the first that cannot be read.
async fn read(lake: &Lake, receiver: &Receiver, entries: &[Entry]) -> (Vec<Outgoing>, anyhow::Result<()>) {
    let mut events = Vec::new();
    for entry in entries {
        match event(lake, receiver, entry).await {
            Ok(event) => events.push(event),
            Err(error) => return (events, Err(error)),
        }
    }
    (events, Ok(()))
}

async fn event(lake: &Lake, receiver: &Receiver, entry: &Entry) -> anyhow::Result<Outgoing> {
    let broken = || EmitError::Broken { path: entry.path.clone() };
    let json = lake.get(&entry.path).await.attach()?.ok_or_else(broken).attach()?;
    receiver.form(entry, json)
}

fn report(args: &DeliveryArgs, console: &Console, receiver: &str, (delivered, waiting): (usize, usize)) {
    match args.output {
        Output::Text => console.line(&format!("{delivered} events delivered to {receiver}, {waiting} wait")),
        Output::Json => {
            let json =
                serde_json::json!({ "schema_version": 1, "receiver": receiver, "delivered": delivered, "waiting": waiting });
            console.line(&json.to_string());
        }
    }
}
