use super::*;
use crate::{
    decode::InputPlan,
    route::{RoutePlan, Routed},
    testing,
    upsert::assemble::{Assembler, Stamp},
    upsert::stored::Origin,
};
use arrow::{
    array::{RecordBatch, UInt64Array},
    compute::{concat_batches, take_record_batch},
};
use lake_core::Contract;
use proptest::prelude::*;
use std::sync::Arc;

/// A table in memory that chunks are merged into.
struct World {
    plans: Vec<InputPlan>,
    routes: Vec<RoutePlan>,
    shape: Arc<Shape>,
    codec: KeyCodec,
    table: RecordBatch,
    runs: i64,
    offset: i64,
}

impl World {
    fn new(contract: &Contract) -> Self {
        let plans = InputPlan::all(contract, &testing::contracts()).unwrap();
        let routes: Vec<RoutePlan> = plans.iter().flat_map(|plan| plan.routes().to_vec()).collect();
        let shape = Arc::new(Shape::new(contract, &routes).unwrap());
        let codec = KeyCodec::new(&shape.schema, &shape.key).unwrap();
        let table = RecordBatch::new_empty(shape.schema.clone());
        Self { plans, routes, shape, codec, table, runs: 0, offset: 0 }
    }

    /// Merges events; returns (accepted, duplicate, superseded).
    fn events(&mut self, payloads: &[String]) -> (u64, u64, u64) {
        let bytes: Vec<Option<&[u8]>> = payloads.iter().map(|payload| Some(payload.as_bytes())).collect();
        let batch = testing::bronze_from(self.offset, &bytes);
        self.offset += i64::try_from(payloads.len()).unwrap();
        let decoded = self.plans[0].decode(&batch, 1).unwrap();
        assert!(decoded.leftovers.is_empty(), "{:?}", decoded.leftovers);
        self.merge(decoded.routed)
    }

    fn customers(&mut self, rows: &[(i128, &str, i64)]) -> (u64, u64, u64) {
        let decoded = self.plans[0].decode(&testing::bronze_customers(rows), 1).unwrap();
        self.merge(decoded.routed)
    }

    fn merge(&mut self, routed: Vec<Routed>) -> (u64, u64, u64) {
        let mut index = KeyIndex::default();
        let incoming = Incoming::new(&self.shape, &self.routes, routed, &self.codec, &mut index).unwrap();
        let mut stored = Stored::default();
        let origins = (0..self.table.num_rows()).map(|row| Origin { file: 0, row }).collect();
        stored.add(&self.shape, self.table.clone(), origins).unwrap();
        let merged = Merged::new(&self.shape, &self.codec, Sides { incoming, stored, index }, self.plans.len()).unwrap();
        let ledger = merged.ledgers.iter().fold(Ledger::default(), |mut sum, one| {
            sum += *one;
            sum
        });
        let gone: Vec<u32> = merged.changed.iter().filter_map(|slot| merged.row[*slot as usize]).collect();
        let stay = (0..self.table.num_rows() as u64).filter(|row| !gone.contains(&u32::try_from(*row).unwrap()));
        let stay = take_record_batch(&self.table, &UInt64Array::from_iter_values(stay)).unwrap();
        let changed = merged.changed.clone();
        self.runs += 1;
        let stamp = Stamp { run_id: self.runs.to_string(), ingested_at: chrono::DateTime::UNIX_EPOCH };
        let come = Assembler::new(merged, self.shape.clone(), stamp).rows(&changed).unwrap();
        self.table = concat_batches(&self.shape.schema, [&stay, &come]).unwrap();
        (ledger.accepted, ledger.duplicate, ledger.superseded)
    }

    /// Some columns of all rows, sorted.
    fn rows(&self, columns: &[&str]) -> Vec<String> {
        let texts: Vec<Vec<String>> = columns.iter().map(|column| testing::texts(&self.table, column)).collect();
        let mut rows: Vec<String> = (0..self.table.num_rows())
            .map(|row| texts.iter().map(|text| text[row].as_str()).collect::<Vec<_>>().join(" "))
            .collect();
        rows.sort();
        rows
    }
}

const LINES: &str = r#""lines":[{"line":1,"quantity":1,"gross":1,"discount":0,"net":1}]"#;

fn event(id: &str, kind: &str, minute: u32, more: &str) -> String {
    format!(r#"{{"id":"{id}","kind":"{kind}","order_id":"o","at":"2017-12-30T12:{minute:02}:00Z",{more}}}"#)
}

fn placed(id: &str, minute: u32, customer: u32) -> String {
    event(id, "PLACED", minute, &format!(r#""customer_id":{customer},"currency":"USD",{LINES}"#))
}

fn paid(id: &str, minute: u32, method: &str) -> String {
    event(id, "PAID", minute, &format!(r#""payment":{{"method":{method},"card":"0042"}}"#))
}

#[test]
fn groups_are_filled_one_by_one_and_null_does_not_overwrite() {
    let mut world = World::new(&testing::orders());
    assert_eq!(world.events(&[event("s", "SHIPPED", 3, r#""x":1"#)]), (1, 0, 0));
    assert_eq!(world.rows(&["order_id", "customer_id", "status", "shipped_at"]), ["o - SHIPPED 2017-12-30T12:03:00Z"]);
    assert_eq!(world.events(&[paid("p", 2, r#""card""#), placed("a", 1, 7)]), (2, 0, 0));
    let columns = ["customer_id", "status", "source", "method", "card_last4_masked", "shipped_at", "_run_id"];
    assert_eq!(world.rows(&columns), ["7 SHIPPED kafka card [redacted] 2017-12-30T12:03:00Z 2"]);
}

#[test]
fn a_late_event_loses_and_the_row_stays_as_it_was() {
    let mut world = World::new(&testing::orders());
    world.events(&[paid("b", 2, r#""wallet""#)]);
    assert_eq!(world.events(&[paid("a", 1, r#""card""#)]), (0, 0, 1));
    assert_eq!(world.rows(&["method", "paid_at", "_run_id"]), ["wallet 2017-12-30T12:02:00Z 1"]);
}

#[test]
fn within_a_chunk_rows_are_applied_in_the_order_of_their_time() {
    let mut world = World::new(&testing::orders());
    assert_eq!(world.events(&[paid("b", 2, r#""wallet""#), paid("a", 1, r#""card""#)]), (2, 0, 0));
    assert_eq!(world.rows(&["method"]), ["wallet"]);
}

#[test]
fn of_two_events_of_one_instant_the_later_position_wins() {
    let mut together = World::new(&testing::orders());
    assert_eq!(together.events(&[paid("z", 1, r#""first""#), paid("a", 1, r#""second""#)]), (2, 0, 0));
    let mut apart = World::new(&testing::orders());
    apart.events(&[paid("z", 1, r#""first""#)]);
    assert_eq!(apart.events(&[paid("a", 1, r#""second""#)]), (1, 0, 0));
    assert_eq!((together.rows(&["method"]), apart.rows(&["method"])), (vec!["second".to_owned()], vec!["second".to_owned()]));
}

#[test]
fn a_loser_of_a_tie_that_comes_again_stays_a_duplicate() {
    let (first, second, renamed) = (placed("z", 1, 7), placed("a", 1, 8), placed("y", 1, 7));
    let mut together = World::new(&testing::orders());
    assert_eq!(together.events(&[first.clone(), second.clone(), first.clone(), renamed.clone()]), (2, 2, 0));
    let mut apart = World::new(&testing::orders());
    for (event, counts) in [(&first, (1, 0, 0)), (&second, (1, 0, 0)), (&first, (0, 1, 0)), (&renamed, (0, 1, 0))] {
        assert_eq!(apart.events(std::slice::from_ref(event)), counts);
    }
    assert_eq!((together.rows(&["customer_id"]), apart.rows(&["customer_id"])), (vec!["8".to_owned()], vec!["8".to_owned()]));
    // A third one is news, and the two before it are known; so is none of them once time has moved on.
    assert_eq!(apart.events(&[placed("b", 1, 9), second.clone(), first]), (1, 2, 0));
    assert_eq!(apart.events(&[placed("c", 2, 6)]), (1, 0, 0));
    assert_eq!(apart.events(&[second]), (0, 0, 1));
    assert_eq!(apart.rows(&["customer_id"]), ["6"]);
    assert!(!apart.rows(&["_header_version"])[0].contains('~'));
}

#[test]
fn of_personal_data_no_fingerprint_is_kept() {
    let mut world = World::new(&testing::orders());
    let (first, second) = (paid("z", 1, r#""first""#), paid("a", 1, r#""second""#));
    assert_eq!(world.events(&[first.clone(), second, first]), (2, 1, 0));
    let version = world.rows(&["_payment_version"]).remove(0);
    let memory = version::memory(&version);
    assert!(memory.len() == 32 && memory.ends_with(&"-".repeat(16)), "{version}");
}

#[test]
fn of_rows_with_one_id_the_first_to_come_stays() {
    let mut together = World::new(&testing::orders());
    assert_eq!(together.events(&[placed("a", 2, 7), placed("a", 1, 8)]), (1, 1, 0));
    assert_eq!(together.rows(&["customer_id"]), ["7"]);
}

#[test]
fn what_raises_the_rank_is_no_duplicate() {
    let mut world = World::new(&testing::orders());
    let mut seen = |status: &str| {
        let decoded = world.plans[1].decode(&testing::bronze_orders(&[(1, "USD", status, 5)]), 2).unwrap();
        (world.merge(decoded.routed), world.rows(&["status"]).remove(0))
    };
    assert_eq!(seen("PLACED"), ((1, 0, 0), "PLACED".to_owned()));
    assert_eq!(seen("SHIPPED"), ((1, 0, 0), "SHIPPED".to_owned()));
    assert_eq!(seen("PLACED"), ((0, 1, 0), "SHIPPED".to_owned()));
}

#[test]
fn the_winner_replaces_its_group_as_a_whole() {
    let mut world = World::new(&testing::orders());
    world.events(&[paid("a", 1, r#""card""#)]);
    world.events(&[event("b", "PAID", 2, r#""payment":{"method":"wallet","card":"n/a"}"#)]);
    assert_eq!(world.rows(&["method", "card_last4", "card_last4_masked"]), ["wallet - -"]);
}

#[test]
fn equal_events_are_duplicates_by_id_and_by_content() {
    let mut world = World::new(&testing::orders());
    assert_eq!(world.events(&[placed("a", 1, 7), placed("a", 1, 7), placed("b", 1, 7)]), (1, 2, 0));
    assert_eq!(world.events(&[placed("a", 1, 7), placed("c", 1, 7), placed("a", 9, 8)]), (0, 3, 0));
    assert_eq!(world.events(&[placed("d", 1, 8)]), (1, 0, 0));
    assert_eq!(world.rows(&["customer_id"]), ["8"]);
}

#[test]
fn a_copy_that_is_late_where_the_first_was_not_is_a_duplicate() {
    let mut world = World::new(&testing::orders());
    let payload = placed("a", 0, 7).replace("2017-12-30T", "2017-12-29T");
    assert_eq!(world.events(std::slice::from_ref(&payload)), (1, 0, 0));
    let batch = testing::bronze_from(9, &[Some(payload.replace(r#""id":"a""#, r#""id":"b""#).as_bytes())]);
    let mut columns: Vec<(String, arrow::array::ArrayRef)> =
        batch.schema().fields().iter().map(|f| f.name().clone()).zip(batch.columns().iter().cloned()).collect();
    let two_days_later =
        arrow::array::TimestampMicrosecondArray::from_value(testing::WINDOW_FROM + 2 * 86_400_000_000, 1).with_timezone("UTC");
    columns.iter_mut().find(|(name, _)| name == "_window_from").unwrap().1 = Arc::new(two_days_later);
    let decoded = world.plans[0].decode(&RecordBatch::try_from_iter(columns).unwrap(), 2).unwrap();
    assert_eq!(testing::texts(&decoded.routed[0].batch, "is_late"), ["true"]);
    assert_eq!(world.merge(decoded.routed), (0, 1, 0));
    assert_eq!(world.rows(&["is_late"]), ["false"]);
}

#[test]
fn the_rank_only_rises() {
    let mut world = World::new(&testing::orders());
    world.events(&[event("s", "SHIPPED", 1, r#""x":1"#)]);
    world.events(&[paid("p", 2, r#""card""#), placed("a", 3, 7)]);
    assert_eq!(world.rows(&["status"]), ["SHIPPED"]);
}

#[test]
fn lines_are_rows_of_their_own() {
    let mut world = World::new(&testing::items());
    let line = |n: u32, quantity: u32| format!(r#"{{"line":{n},"quantity":{quantity},"gross":1,"discount":0,"net":1}}"#);
    let placed = |id: &str, minute, lines: &[String]| {
        event(id, "PLACED", minute, &format!(r#""customer_id":1,"currency":"USD","lines":[{}]"#, lines.join(",")))
    };
    assert_eq!(world.events(&[placed("a", 2, &[line(1, 5), line(2, 6)])]), (2, 0, 0));
    assert_eq!(world.events(&[placed("b", 1, &[line(1, 1), line(3, 7)]), placed("a", 2, &[line(1, 5), line(2, 6)])]), (1, 2, 1));
    assert_eq!(world.rows(&["line", "quantity", "_run_id"]), ["1 5 1", "2 6 1", "3 7 2"]);
}

#[test]
fn a_history_closes_each_change_with_the_next_one() {
    let mut world = World::new(&testing::history());
    let day = 86_400_000_000;
    assert_eq!(world.customers(&[(1, "Ada", day), (1, "Eve", 5 * day), (2, "Bob", day)]), (3, 0, 0));
    let columns = ["id", "name", "valid_from", "valid_to", "_run_id"];
    let (d1, d3, d5) = ("1970-01-02T00:00:00Z", "1970-01-04T00:00:00Z", "1970-01-06T00:00:00Z");
    let bob = format!("2 Bob {d1} - 1");
    assert_eq!(world.rows(&columns), [format!("1 Ada {d1} {d5} 1"), format!("1 Eve {d5} - 1"), bob.clone()]);
    // A change in the middle: the one before it ends earlier, the one after it stays.
    assert_eq!(world.customers(&[(1, "Cyd", 3 * day), (1, "Ada", day)]), (1, 1, 0));
    assert_eq!(
        world.rows(&columns),
        [format!("1 Ada {d1} {d3} 2"), format!("1 Cyd {d3} {d5} 2"), format!("1 Eve {d5} - 1"), bob]
    );
    // Another content at the same instant, from the same window: the later one stands, the ends do not move.
    assert_eq!(world.customers(&[(1, "Cyn", 3 * day)]), (0, 0, 1));
}

#[test]
fn a_key_that_stands_twice_in_the_table_is_refused() {
    let mut world = World::new(&testing::orders());
    world.events(&[placed("a", 1, 7)]);
    let twice = concat_batches(&world.shape.schema, [&world.table, &world.table]).unwrap();
    let mut stored = Stored::default();
    stored.add(&world.shape, twice, vec![Origin { file: 0, row: 0 }; 2]).unwrap();
    let sides = Sides { incoming: Incoming::default(), stored, index: KeyIndex::default() };
    let error = Merged::new(&world.shape, &world.codec, sides, 2).unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&lake_core::Fault::Data));
}

fn any_event() -> impl Strategy<Value = String> {
    (0..3u32, 0..3u32, 0..4u32, 0..2u32, 0..3u32).prop_map(|(order, kind, minute, content, copy)| {
        // Equal ids are equal events; equal contents may have different ids.
        let id = format!("{order}{kind}{minute}{content}{copy}");
        let text = match kind {
            0 => placed(&id, minute, content),
            1 => paid(&id, minute, &format!("\"{content}\"")),
            _ => event(&id, "SHIPPED", minute, r#""x":1"#),
        };
        text.replace(r#""order_id":"o""#, &format!(r#""order_id":"o{order}""#))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn chunks_may_be_cut_anywhere(events in proptest::collection::vec(any_event(), 1..40), cuts in proptest::collection::vec(0usize..40, 0..5)) {
        for contract in [testing::orders(), testing::items()] {
            let own: Vec<String> = events.iter().filter(|e| contract.table == "silver_orders" || e.contains("PLACED")).cloned().collect();
            let mut whole = World::new(&contract);
            if own.is_empty() { continue; }
            whole.events(&own);
            let mut cut = World::new(&contract);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % own.len()).chain([0, own.len()]).collect();
            cuts.sort_unstable();
            let mut total = 0;
            for pair in cuts.windows(2).filter(|pair| pair[0] < pair[1]) {
                let (accepted, duplicate, superseded) = cut.events(&own[pair[0]..pair[1]]);
                total += accepted + duplicate + superseded;
            }
            prop_assert_eq!(total, own.len() as u64);
            let columns: Vec<&str> = whole.shape.schema.fields().iter().map(|f| f.name().as_str()).filter(|name| !name.starts_with('_')).collect();
            prop_assert_eq!(whole.rows(&columns), cut.rows(&columns));
        }
    }

    #[test]
    fn a_history_does_not_depend_on_the_order_of_arrival(mut changes in proptest::collection::vec((0i128..3, 0i64..8), 1..30), cut in 0usize..30) {
        changes.dedup();
        let names: Vec<(i128, String, i64)> = changes.iter().map(|(id, at)| (*id, format!("{id}{at}"), *at)).collect();
        let rows = |part: &[(i128, String, i64)]| part.iter().map(|row| (row.0, row.1.clone(), row.2)).collect::<Vec<_>>();
        let apply = |world: &mut World, part: &[(i128, String, i64)]| {
            let part = rows(part);
            let borrowed: Vec<(i128, &str, i64)> = part.iter().map(|row| (row.0, row.1.as_str(), row.2)).collect();
            if !borrowed.is_empty() { world.customers(&borrowed); }
        };
        let (mut whole, mut parts) = (World::new(&testing::history()), World::new(&testing::history()));
        apply(&mut whole, &names);
        let (first, second) = names.split_at(cut % names.len());
        apply(&mut parts, second);
        apply(&mut parts, first);
        let columns = ["id", "name", "valid_from", "valid_to"];
        prop_assert_eq!(whole.rows(&columns), parts.rows(&columns));
    }
}
