//! What the log tells: slices, commits, progress, summaries, old versions, and what is wrong with it.

use super::*;
use deltalake::kernel::StructField;
use rstest::rstest;

/// Versions: 0 created, 1 seed, 2 append of `a`, 3 append of `b`, 4 upsert of `a`.
async fn history(world: &World) -> Table {
    let mut table = world.sales(&[(1, 10), (2, 20)]).await;
    for work in
        [Work::append("a", 1, &[(3, 30)]), Work::append("b", 7, &[(4, 40), (5, 50)]), Work::upsert("a", 2, &[(1, 11), (6, 60)])]
    {
        commit(&mut table, &work).await.unwrap();
    }
    table
}

#[tokio::test]
async fn a_slice_holds_what_its_versions_added() {
    let world = World::new();
    let table = history(&world).await;
    let slice = table.slice(Some(1), 3).await.unwrap();
    let files: Vec<(i64, u64)> = slice.files.iter().map(|file| (file.version, file.file.rows)).collect();
    assert_eq!((files, slice.removes_rows), (vec![(2, 1), (3, 2)], false));
    let read = stream(&table, slice.files.into_iter().map(|file| file.file).collect(), None).await.unwrap();
    assert_eq!(pairs(&read), [(3, 30), (4, 40), (5, 50)]);

    let whole = table.slice(None, 4).await.unwrap();
    assert_eq!(whole.files.iter().map(|file| file.version).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert!(whole.removes_rows, "version 4 rewrites a file");
    assert!(table.slice(Some(3), 4).await.unwrap().removes_rows);
    assert!(table.slice(Some(4), 4).await.unwrap().files.is_empty());
    assert_eq!((slice.changed, whole.changed, table.slice(None, 0).await.unwrap().changed), (Some(3), Some(4), None));
    let error = table.slice(Some(4), 5).await.unwrap_err();
    assert!(matches!(error, TableError::Log { version: 5, .. }), "{error}");
}

#[tokio::test]
async fn commits_tell_version_rows_progress_and_summary() {
    let world = World::new();
    let table = history(&world).await;
    let commits = table.commits(None).await.unwrap();
    assert_eq!(commits.iter().map(|entry| entry.version).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert_eq!(commits.iter().map(|entry| entry.added).collect::<Vec<_>>(), [0, 2, 1, 2, 3]);
    assert_eq!(commits.iter().map(|entry| entry.removes_rows).collect::<Vec<_>>(), [false, false, false, false, true]);
    assert!(commits[0].summary.is_none() && commits[0].txns.is_empty());
    assert_eq!(commits[3].txns, BTreeMap::from([("b".to_owned(), 7)]));
    assert!(commits[1..].iter().all(|entry| entry.summary.as_ref().and_then(|s| s.table_version) == Some(entry.version)));
    assert_eq!(table.commits(Some(2)).await.unwrap().len(), 2);
    assert_eq!(table.commit_of("a").await.unwrap().unwrap().version, 4);
    assert_eq!(table.commit_of("b").await.unwrap().unwrap().version, 3);
    assert!(table.commit_of("c").await.unwrap().is_none());
    assert_eq!(table.last_summary().await.unwrap().unwrap().table_version, Some(4));
    let txns = BTreeMap::from([("seed".to_owned(), 1), ("a".to_owned(), 2), ("b".to_owned(), 7)]);
    assert_eq!(table.txns().await.unwrap(), txns);
}

#[tokio::test]
async fn a_version_is_read_as_it_was() {
    let world = World::new();
    let newest = history(&world).await;
    let old = Table::open_at(&world.lake, &sales(), 2).await.unwrap();
    assert_eq!((old.version(), old.rows(), old.id()), (2, 3, newest.id()));
    assert_eq!(pairs(&old.read(None).await.unwrap()).len(), 3);
    assert_eq!((old.txn("a").await.unwrap(), old.txn("b").await.unwrap()), (Some(1), None));
    assert_eq!(old.txns().await.unwrap().len(), 2);
    assert_eq!(old.last_summary().await.unwrap().unwrap().table_version, Some(2));
    assert_eq!(Table::open_at(&world.lake, &sales(), 4).await.unwrap().rows(), 6);
    for version in [-1, 5] {
        let error = Table::open_at(&world.lake, &sales(), version).await.unwrap_err();
        assert!(matches!(error, TableError::Version { newest: 4, .. }), "{error}");
    }
    let absent = TableSpec { location: "silver/absent".into(), ..sales() };
    assert!(Table::open(&world.lake, &absent).await.unwrap().is_none());
    assert!(matches!(Table::open_at(&world.lake, &absent, 0).await, Err(TableError::Version { newest: -1, .. })));
}

#[tokio::test]
async fn a_version_from_before_a_column_came_is_known_by_its_log() {
    let world = World::new();
    let narrow = history(&world).await;
    let note = StructField::nullable("note", deltalake::kernel::DataType::STRING);
    narrow.delta.clone().add_columns().with_fields([note]).await.unwrap();
    let mut fields = sales().schema.fields().to_vec();
    fields.push(Arc::new(Field::new("note", DataType::Utf8, true)));
    let wide = TableSpec { schema: Arc::new(Schema::new(fields)), ..sales() };
    let table = world.table(&wide).await;
    assert!(matches!(Table::open_at(&world.lake, &wide, 4).await, Err(TableError::Schema { .. })));
    let past = table.past(4).await.unwrap();
    assert_eq!((past.rows(), past.files().len(), past.txn("a").await.unwrap()), (6, narrow.files().len(), Some(2)));
    let past = table.past(2).await.unwrap();
    assert_eq!((past.rows(), past.txn("a").await.unwrap(), past.txn("b").await.unwrap()), (3, Some(1), None));
    assert_eq!(table.past(5).await.unwrap().rows(), 6);
    for version in [-1, 6] {
        let error = table.past(version).await.unwrap_err();
        assert!(matches!(error, TableError::Version { newest: 5, .. }), "{error}");
    }
}

#[tokio::test]
async fn a_commit_from_an_old_version_is_made_at_the_newest() {
    let world = World::new();
    history(&world).await;
    let mut old = Table::open_at(&world.lake, &sales(), 1).await.unwrap();
    let summary = commit(&mut old, &Work::upsert("a", 3, &[(1, 12)])).await.unwrap();
    assert_eq!((summary.table_version, old.version()), (Some(5), 5));
    assert_eq!(content(&world).await, [(1, 12), (2, 20), (3, 30), (4, 40), (5, 50), (6, 60)]);
}

#[tokio::test]
async fn the_summary_comes_back_from_the_log_as_it_was() {
    let world = World::new();
    let mut table = world.sales(&[(1, 10)]).await;
    let returned = commit(&mut table, &Work::append("a", 1, &[(2, 20), (3, 30)])).await.unwrap();
    let bytes: u64 = table.files().iter().filter(|file| file.rows == 2).map(|file| file.bytes).sum();
    let expected = Summary {
        outcome: Outcome::Committed,
        table_version: Some(2),
        bytes_written: bytes,
        run_id: returned.run_id,
        ..summary(2)
    };
    assert!(bytes > 0);
    assert_eq!(returned, expected);
    assert_eq!(table.last_summary().await.unwrap(), Some(expected.clone()));
    assert_eq!(world.table(&sales()).await.commit_of("a").await.unwrap().unwrap().summary, Some(expected));
}

#[tokio::test]
async fn a_summary_that_cannot_be_read_is_an_error() {
    let world = World::new();
    let table = history(&world).await;
    let path = format!("silver/sales/{}", entry_path(2));
    let text = String::from_utf8(world.lake.get(&path).await.unwrap().unwrap().to_vec()).unwrap();
    assert!(text.contains("\"accepted\""));
    overwrite(&table, &entry_path(2), &text.replace("\"accepted\"", "\"taken\"")).await;
    let error = table.commits(None).await.unwrap_err();
    assert!(matches!(error, TableError::Entry { version: 2, .. }), "{error}");
    assert!(error.to_string().contains("summary"), "{error}");
}

/// Checks that an error names the entry's file, is the data's fault and says how to mend it.
fn names_the_entry(error: &TableError, version: i64, problem: &str) {
    let text = chain(error);
    assert!(text.starts_with(&format!("read log entry {version} of table `silver_sales`: `")), "{text}");
    assert!(text.contains(&format!("silver/sales/{}` {problem}", entry_path(version))), "{text}");
    assert_eq!(lake_core::fault::Faulty::fault(error), Fault::Data);
    assert!(lake_core::fault::Faulty::hint(error).unwrap().contains("backup"));
}

#[rstest]
#[case::cut_off("{\"txn\": {\"appId\": \"a\", \"version\": 1}}\n{\"add\": {\"path\":", "is broken: line 2 is cut off")]
#[case::no_json("<html>\n", "is broken: line 1 is no JSON")]
#[case::no_action("{\"add\": 7}\n", "is broken: line 1 is not an action of the Delta protocol")]
#[case::empty("", "is broken: it is empty")]
#[tokio::test]
async fn a_corrupt_entry_is_named(#[case] text: &str, #[case] problem: &str) {
    let world = World::new();
    let mut table = history(&world).await;
    let whole = world.lake.get(&format!("silver/sales/{}", entry_path(3))).await.unwrap().unwrap();
    overwrite(&table, &entry_path(3), text).await;
    for error in [
        table.slice(None, 4).await.unwrap_err(),
        table.commits(None).await.unwrap_err(),
        table.txns().await.unwrap_err(),
        Table::open(&world.lake, &sales()).await.unwrap_err(),
        Table::open_or_create(&world.lake, &sales()).await.unwrap_err(),
        table.reload().await.unwrap_err(),
    ] {
        names_the_entry(&error, 3, problem);
    }
    overwrite(&table, &entry_path(3), std::str::from_utf8(&whole).unwrap()).await;
    assert_eq!(content(&world).await, [(1, 11), (2, 20), (3, 30), (4, 40), (5, 50), (6, 60)]);
}

#[rstest]
#[case::the_first(0)]
#[case::one_in_the_middle(3)]
#[tokio::test]
async fn an_entry_that_is_gone_is_named(#[case] version: i64) {
    let world = World::new();
    let table = history(&world).await;
    delete(&table, &entry_path(version)).await;
    names_the_entry(&Table::open(&world.lake, &sales()).await.unwrap_err(), version, "is gone");
    let error = table.slice(None, 4).await.unwrap_err();
    assert!(matches!(error, TableError::Log { version: gone, .. } if gone == version), "{error}");
}

#[tokio::test]
async fn a_file_whose_rows_the_log_does_not_count_is_refused() {
    let world = World::new();
    let table = history(&world).await;
    let path = format!("silver/sales/{}", entry_path(3));
    let text = String::from_utf8(world.lake.get(&path).await.unwrap().unwrap().to_vec()).unwrap();
    assert!(text.contains("numRecords"));
    overwrite(&table, &entry_path(3), &text.replace("numRecords", "numbered")).await;
    let error = Table::open(&world.lake, &sales()).await.unwrap_err();
    assert!(matches!(error, TableError::Log { .. }), "{error}");
    assert!(error.to_string().contains("part-"), "{error}");
}

/// A table with a checkpoint, and two entries after it.
async fn checkpointed(world: &World) -> (Table, String) {
    let mut table = world.sales(&[(0, 0)]).await;
    for version in 1..=101 {
        commit(&mut table, &Work::append("a", version, &[(version, version)])).await.unwrap();
    }
    let listed = world.lake.list("silver/sales/_delta_log").await.unwrap();
    let checkpoint = listed.into_iter().find(|path| path.ends_with(".checkpoint.parquet")).unwrap();
    (table, checkpoint.strip_prefix("silver/sales/").unwrap().to_owned())
}

#[tokio::test]
async fn a_corrupt_checkpoint_is_named_and_can_be_taken_away() {
    let world = World::new();
    let (table, checkpoint) = checkpointed(&world).await;
    overwrite(&table, &checkpoint, "PAR1").await;
    let error = Table::open(&world.lake, &sales()).await.unwrap_err();
    assert!(error.to_string().contains(&checkpoint), "{}", chain(&error));
    assert!(lake_core::fault::Faulty::hint(&error).unwrap().contains("_last_checkpoint"));
    for path in [&*checkpoint, "_delta_log/_last_checkpoint"] {
        delete(&table, path).await;
    }
    assert_eq!(world.table(&sales()).await.rows(), 102);
}

#[tokio::test]
async fn an_entry_that_a_checkpoint_covers_may_be_broken_or_gone() {
    let world = World::new();
    let (table, _) = checkpointed(&world).await;
    overwrite(&table, &entry_path(5), "").await;
    delete(&table, &entry_path(6)).await;
    assert_eq!(world.table(&sales()).await.rows(), 102);
    delete(&table, &entry_path(101)).await;
    names_the_entry(&Table::open(&world.lake, &sales()).await.unwrap_err(), 101, "is gone");
}

#[tokio::test]
async fn a_table_of_ops_has_a_checkpoint_each_ten_versions() {
    let world = World::new();
    let spec = TableSpec::ops("sales", sales().schema);
    let mut table = world.table(&spec).await;
    for version in 1..=20 {
        commit(&mut table, &Work::append("a", version, &[(version, version)])).await.unwrap();
    }
    let listed = world.lake.list("ops/sales/_delta_log").await.unwrap();
    assert_eq!(listed.iter().filter(|path| path.ends_with(".checkpoint.parquet")).count(), 2, "{listed:?}");
    overwrite(&table, &entry_path(19), "").await;
    assert_eq!(world.table(&spec).await.rows(), 20);
    overwrite(&table, &entry_path(20), "").await;
    let error = Table::open(&world.lake, &spec).await.unwrap_err();
    assert!(matches!(error, TableError::Entry { version: 20, .. }), "{error}");
}

#[tokio::test]
async fn progress_and_counts_outlive_a_checkpoint() {
    const COMMITS: i64 = 102;
    let world = World::new();
    let mut table = world.sales(&[(0, 0)]).await;
    for version in 1..=COMMITS {
        let work = Work::append(&format!("app {}", version % 3), version, &[(version, version)]);
        commit(&mut table, &work).await.unwrap();
    }
    let listed = world.lake.list("silver/sales/_delta_log").await.unwrap();
    assert!(listed.iter().any(|path| path.ends_with(".checkpoint.parquet")), "{listed:?}");
    let table = world.table(&sales()).await;
    assert_eq!((table.version(), table.rows()), (COMMITS + 1, COMMITS as u64 + 1));
    assert_eq!(table.files().len(), COMMITS as usize + 1);
    for file in table.files() {
        assert_eq!(file.minimum("id"), file.maximum("id"), "{}", file.path);
        assert!(file.minimum("id").is_some() && file.minimum("amount").is_none() && file.minimum("owner").is_none());
    }
    let expected = [("app 0", 102), ("app 1", 100), ("app 2", 101), ("seed", 1)];
    for (app, version) in expected {
        assert_eq!(table.txn(app).await.unwrap(), Some(version));
    }
    assert_eq!(table.txns().await.unwrap(), expected.map(|(app, version)| (app.to_owned(), version)).into());
    assert_eq!(content(&world).await, (0..=COMMITS).map(|id| (id, id)).collect::<Vec<_>>());
}
