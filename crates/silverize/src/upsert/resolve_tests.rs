use super::*;
use crate::{
    decode::InputPlan,
    route::RoutePlan,
    testing,
    testing_keyed::{Visit, bronze_of, deletion, visit, visits},
    testing_lake::summary,
    upsert::{Stamp, keyed::Keyed},
};
use arrow::compute::concat_batches;
use lake_core::{Ledger, Summary};
use lake_table::{Lake, Plan, Proposal, Table, TableSpec};
use proptest::prelude::*;
use std::sync::Arc;

/// A table on disk that takes batches, each in a commit that proves itself.
struct World {
    _dir: tempfile::TempDir,
    table: Table,
    plans: Vec<InputPlan>,
    routes: Arc<[RoutePlan]>,
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let lake = Lake::open(&dir.path().display().to_string()).unwrap();
        let table = Table::open_or_create(&lake, &TableSpec::of(&visits())).await.unwrap();
        let plans = InputPlan::all(&visits(), &testing::contracts()).unwrap();
        let routes = plans.iter().flat_map(|plan| plan.routes().to_vec()).collect();
        Self { _dir: dir, table, plans, routes }
    }

    /// Takes a batch, in chunks; returns what the ledger says.
    async fn take(&mut self, chunks: &[&[Visit]]) -> Ledger {
        let (plans, routes) = (self.plans.clone(), self.routes.clone());
        let read: usize = chunks.iter().map(|chunk| chunk.len()).sum();
        let plan = async |table: &Table| {
            let shape = Shape::new(&visits(), &routes)?;
            let stamp = Stamp { run_id: "r".into(), ingested_at: chrono::DateTime::UNIX_EPOCH };
            let mut keyed = Keyed::new(Files::of(table), shape, routes.clone(), stamp, 1)?;
            for chunk in chunks {
                keyed.apply(plans[0].decode(&bronze_of(chunk), 1)?.routed).await?;
            }
            let change = keyed.finish();
            let ledger = Ledger { read: read as u64, ..change.ledgers[0] };
            let summary = Summary { ledger, ..summary("silver_visits") };
            let (add, remove) = (change.add, change.remove);
            Ok(Plan::Commit(Proposal { add, remove, txns: Vec::new(), inserted: change.inserted, removed: 0, summary }))
        };
        self.table.commit(plan).await.unwrap().ledger
    }

    /// All rows but what says who wrote them, sorted.
    async fn rows(&self) -> Vec<Vec<String>> {
        let batches = self.table.read(None).await.unwrap();
        let all = concat_batches(&self.table.spec().schema, &batches).unwrap();
        let names = ["id", "session", "customer", "customer_found", "at", "loaded_at", "deleted_at"];
        let columns: Vec<Vec<String>> = names.iter().map(|name| testing::texts(&all, name)).collect();
        let mut rows: Vec<Vec<String>> =
            (0..all.num_rows()).map(|row| columns.iter().map(|column| column[row].clone()).collect()).collect();
        rows.sort();
        rows
    }
}

/// What the definition says of a table: the own name, else that of the session's first named row by time and id.
fn defined(rows: &[Vec<String>]) -> Vec<String> {
    let first = |session: &str| {
        let named = rows.iter().filter(|row| row[1] == session && session != "-" && row[2] != "-");
        named.min_by(|a, b| (&a[4], a[0].as_bytes()).cmp(&(&b[4], b[0].as_bytes()))).map(|row| row[2].clone())
    };
    let own = |row: &Vec<String>| if row[2] == "-" { None } else { Some(row[2].clone()) };
    rows.iter().map(|row| own(row).or_else(|| first(&row[1])).unwrap_or_else(|| "-".to_owned())).collect()
}

fn any_visit() -> impl Strategy<Value = Visit> {
    (0..8u32, 0..4u32, 0..6u32, 0..4i64, 0..10i64).prop_map(|(id, session, customer, at, loaded_at)| {
        // Ids of different case: their order is that of bytes.
        let id = if id % 2 == 0 { format!("v{id}") } else { format!("V{id}") };
        let customer = (customer < 2).then(|| customer.to_string());
        match (session, at) {
            (0, 0) => deletion(&id, loaded_at),
            (0, _) => (id, None, customer, at, loaded_at),
            _ => visit(&id, &session.to_string(), customer.as_deref(), at, loaded_at),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_split_into_batches_and_chunks_gives_the_table_of_one(
        visits in proptest::collection::vec(any_visit(), 1..60),
        cuts in proptest::collection::vec((0usize..60, any::<bool>()), 0..7),
    ) {
        testing::runtime().block_on(async {
            let mut whole = World::new().await;
            whole.take(&[&visits]).await;
            let mut cut = World::new().await;
            let mut cuts: Vec<(usize, bool)> = cuts.iter().map(|(at, commits)| (at % visits.len(), *commits)).collect();
            cuts.extend([(0, false), (visits.len(), true)]);
            cuts.sort_unstable();
            let (mut chunks, mut read) = (Vec::new(), 0);
            for pair in cuts.windows(2) {
                chunks.push(&visits[pair[0].0..pair[1].0]);
                if pair[1].1 {
                    let ledger = cut.take(&chunks).await;
                    read += ledger.accounted();
                    chunks.clear();
                }
            }
            let rows = whole.rows().await;
            prop_assert_eq!(read, visits.len() as u64);
            prop_assert_eq!(&rows, &cut.rows().await);
            prop_assert_eq!(rows.iter().map(|row| row[3].clone()).collect::<Vec<_>>(), defined(&rows));
            Ok(())
        })?;
    }
}

#[test]
fn a_row_that_is_not_written_is_noticed() {
    let taking = |row| Taking { row, value: Some(0) };
    let three = || vec![taking(Row::Chunk(4)), taking(Row::Stored { file: 1, row: 2 }), taking(Row::Stored { file: 1, row: 9 })];
    let written = |takings: Vec<Taking>| {
        let resolution = Resolution::new(vec!["7".into()], takings, 3);
        let own: ArrayRef = Arc::new(StringArray::from(vec![None, Some("own"), None]));
        let column = resolution.column(&[3, 5, 4], own).unwrap();
        assert_eq!(resolution.of_batch(1, 0, 2).0, Vec::<usize>::new());
        let (rows, values) = resolution.of_batch(1, 2, 100);
        resolution
            .check()
            .map(|()| (column.as_string::<i32>().iter().map(|t| t.map(str::to_owned)).collect::<Vec<_>>(), rows, values.len()))
    };
    let found = written(three()).unwrap();
    assert_eq!(found, (vec![None, Some("own".into()), Some("7".into())], vec![2, 9], 2));
    for lost in 0..3 {
        let (mut fewer, mut more) = (three(), three());
        fewer.remove(lost);
        more.push(more[lost]);
        for takings in [fewer, more] {
            let error = written(takings).unwrap_err();
            assert_eq!(error.downcast_ref(), Some(&lake_core::Fault::Data));
        }
    }
}
