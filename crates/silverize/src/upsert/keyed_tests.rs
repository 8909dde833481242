use super::*;
use crate::{decode::InputPlan, testing};
use arrow::compute::concat_batches;
use lake_core::Contract;
use lake_table::{Lake, TableSpec};

/// A table on disk that is never committed: files that chunks write are read by later chunks.
struct World {
    _dir: tempfile::TempDir,
    table: Table,
    contract: Contract,
    plans: Vec<InputPlan>,
}

impl World {
    async fn new(contract: Contract) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let lake = Lake::open(&dir.path().display().to_string()).unwrap();
        let table = Table::open_or_create(&lake, &TableSpec::of(&contract)).await.unwrap();
        let plans = InputPlan::all(&contract, &testing::contracts()).unwrap();
        Self { _dir: dir, table, contract, plans }
    }

    fn keyed(&self) -> Keyed<'_> {
        let routes: Arc<[RoutePlan]> = self.plans.iter().flat_map(|plan| plan.routes().to_vec()).collect();
        let shape = Shape::new(&self.contract, &routes).unwrap();
        let stamp = Stamp { run_id: "r".into(), ingested_at: chrono::DateTime::UNIX_EPOCH };
        Keyed::new(Files::of(&self.table), shape, routes, stamp, self.plans.len()).unwrap()
    }

    fn customers(&self, rows: &[(i128, &str, i64)]) -> Vec<Routed> {
        self.plans[0].decode(&testing::bronze_customers(rows), 1).unwrap().routed
    }

    async fn rows(&self, keyed: &Keyed<'_>, columns: &[&str]) -> Vec<String> {
        let mut batches = Vec::new();
        for file in keyed.files().all() {
            let keep = async |_, batch| {
                batches.push(batch);
                Ok(())
            };
            keyed.files().read(file, None, keep).await.unwrap();
        }
        let all = concat_batches(&self.table.spec().schema, &batches).unwrap();
        let texts: Vec<Vec<String>> = columns.iter().map(|column| testing::texts(&all, column)).collect();
        let mut rows: Vec<String> =
            (0..all.num_rows()).map(|row| texts.iter().map(|text| text[row].as_str()).collect::<Vec<_>>().join(" ")).collect();
        rows.sort();
        rows
    }
}

fn events(order: &str, from: u32, count: u32) -> Vec<String> {
    let line = |n: u32| format!(r#"{{"line":{n},"quantity":{n},"gross":1,"discount":0,"net":1}}"#);
    let event = |n: u32| {
        format!(
            r#"{{"id":"{order}{n}","kind":"PLACED","order_id":"{order}{n:06}","at":"2017-12-30T12:00:00Z","customer_id":"c","currency":"USD","lines":[{},{}]}}"#,
            line(1),
            line(2)
        )
    };
    (from..from + count).map(event).collect()
}

fn routed(world: &World, first: i64, payloads: &[String]) -> Vec<Routed> {
    let bytes: Vec<Option<&[u8]>> = payloads.iter().map(|payload| Some(payload.as_bytes())).collect();
    world.plans[0].decode(&testing::bronze_from(first, &bytes), 1).unwrap().routed
}

#[test]
fn a_later_chunk_meets_the_rows_of_an_earlier_one() {
    testing::runtime().block_on(async {
        let world = World::new(testing::items()).await;
        let mut keyed = world.keyed();
        keyed.apply(routed(&world, 0, &events("a", 0, 50))).await.unwrap();
        keyed.apply(routed(&world, 50, &events("b", 0, 50))).await.unwrap();
        // One order again, changed, between those that stay; and one that is new.
        let mut again = events("a", 7, 1);
        again[0] = again[0]
            .replace("12:00:00Z", "13:00:00Z")
            .replace(r#""quantity":2"#, r#""quantity":9"#)
            .replace(r#""id":"a7""#, r#""id":"x""#);
        again.extend(events("c", 0, 1));
        keyed.apply(routed(&world, 100, &again)).await.unwrap();
        let rows = world.rows(&keyed, &["order_id", "line", "quantity"]).await;
        assert_eq!(rows.len(), 202);
        let seven: Vec<&String> = rows.iter().filter(|row| row.starts_with("a000007")).collect();
        assert_eq!(seven, ["a000007 1 1", "a000007 2 9"]);
        let ledger = keyed.ledgers[0];
        assert_eq!((ledger.accepted, ledger.duplicate, ledger.superseded), (204, 0, 0));
        let change = keyed.finish();
        let written: u64 = change.add.iter().map(|file| file.rows).sum();
        assert_eq!((change.inserted, written, change.remove.len()), (202, 202, 0));
    });
}

#[test]
fn many_new_rows_are_shared_by_two_writers() {
    testing::runtime().block_on(async {
        let world = World::new(testing::history()).await;
        let mut keyed = world.keyed();
        let count = i64::try_from(SHARED_ROWS).unwrap() + 1;
        let rows: Vec<(i128, &str, i64)> = (0..count).map(|n| (i128::from(n % 1_000), "n", n)).collect();
        keyed.apply(world.customers(&rows)).await.unwrap();
        assert_eq!(keyed.files().all().len(), 2);
        let found = world.rows(&keyed, &["id", "valid_from"]).await;
        assert_eq!(found.len() as i64, count);
        // A change in the middle of each of two things touches the row before it, and no other.
        keyed.apply(world.customers(&[(5, "m", 1_500), (7, "m", 1_500)])).await.unwrap();
        let ends = world.rows(&keyed, &["name", "id", "valid_from", "valid_to"]).await;
        let of = |id: &str, at: &str| ends.iter().find(|row| row.starts_with(&format!("n {id} {at}"))).unwrap().clone();
        assert_eq!(of("5", "1970-01-01T00:00:00.001005Z"), "n 5 1970-01-01T00:00:00.001005Z 1970-01-01T00:00:00.001500Z");
        assert_eq!(of("6", "1970-01-01T00:00:00.001006Z"), "n 6 1970-01-01T00:00:00.001006Z 1970-01-01T00:00:00.002006Z");
        assert_eq!((ends.len() as i64, keyed.inserted as i64), (count + 2, count + 2));
    });
}
