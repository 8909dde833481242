//! Small files become large ones, and nobody who reads rows or progress can tell.

use super::*;

/// Versions: 0 created, 1 seed, 2 to 4 an append of one row each.
async fn scattered(world: &World) -> Table {
    let mut table = world.sales(&[(1, 10), (2, 20)]).await;
    for version in 1..=3 {
        commit(&mut table, &Work::append("a", version, &[(version + 2, version * 10)])).await.unwrap();
    }
    table
}

const ROWS: [(i64, i64); 5] = [(1, 10), (2, 20), (3, 10), (4, 20), (5, 30)];

#[tokio::test]
async fn small_files_become_one_and_no_row_changes() {
    let world = World::new();
    let mut table = scattered(&world).await;
    assert!(table.is_scattered(3) && !table.is_scattered(4));
    let done = table.compact(3).await.unwrap().unwrap();
    assert!(!table.is_scattered(3));
    assert_eq!((done.files_before, done.files_after, done.rows, done.version), (4, 1, 5, 5));
    assert_eq!((table.files().len(), table.version()), (1, 5), "the table at hand is the new version");
    assert_eq!(content(&world).await, ROWS);
    assert_eq!(table.txn("a").await.unwrap(), Some(3), "progress stays");
    assert_eq!(table.last_summary().await.unwrap().unwrap().table_version, Some(4), "it is nobody's run");
    let old = Table::open_at(&world.lake, &sales(), 4).await.unwrap();
    assert_eq!(old.files().len(), 4);
    assert_eq!(pairs(&old.read(None).await.unwrap()).len(), 5, "the files that were replaced can be read");
}

#[tokio::test]
async fn who_reads_what_versions_added_passes_it_over() {
    let world = World::new();
    let mut table = scattered(&world).await;
    let before = table.slice(None, 4).await.unwrap();
    table.compact(3).await.unwrap().unwrap();
    let after = table.slice(None, 5).await.unwrap();
    let paths = |slice: &crate::Slice| slice.files.iter().map(|file| file.file.path.clone()).collect::<Vec<_>>();
    assert_eq!(paths(&after), paths(&before));
    assert_eq!((after.removes_rows, after.changed), (false, Some(4)));
    assert!(before.rewritten.is_empty());
    assert!(paths(&after).iter().all(|path| after.rewritten.contains(path)) && after.rewritten.len() == 4);
    let alone = table.slice(Some(4), 5).await.unwrap();
    assert!(alone.files.is_empty() && alone.changed.is_none());
    assert_eq!(table.commits(Some(4)).await.unwrap()[0].added, 0);
}

#[tokio::test]
async fn files_are_not_read_for_rows_that_were_changed_since() {
    let world = World::new();
    let mut table = scattered(&world).await;
    table.compact(3).await.unwrap().unwrap();
    // Takes one row out of the large file, and adds the others of it anew.
    commit(&mut table, &Work::upsert("b", 1, &[(5, 31)])).await.unwrap();
    commit(&mut table, &Work::append("a", 4, &[(6, 60)])).await.unwrap();
    table.compact(1).await.unwrap().unwrap();
    let slice = table.slice(None, table.version()).await.unwrap();
    let live: Vec<&str> = table.files().iter().map(|file| file.path.as_str()).collect();
    let there = |path: &str| live.contains(&path) || slice.rewritten.contains(path);
    let files = slice.files.into_iter().map(|file| file.file).filter(|file| there(&file.path)).collect();
    let mut rows = pairs(&stream(&table, files, None).await.unwrap());
    rows.sort_unstable();
    assert_eq!(rows, content(&world).await, "each row once");
    assert_eq!(rows, [(1, 10), (2, 20), (3, 10), (4, 20), (5, 31), (6, 60)]);
}

#[tokio::test]
async fn few_files_stay_as_they_are() {
    let world = World::new();
    let mut table = scattered(&world).await;
    assert_eq!(table.compact(4).await.unwrap(), None);
    assert_eq!(table.version(), 4);
}

#[tokio::test]
async fn a_commit_that_comes_first_leaves_the_files_for_the_next_time() {
    let world = World::new();
    let mut table = scattered(&world).await;
    let mut other = world.table(&sales()).await;
    commit(&mut other, &Work::upsert("b", 1, &[(1, 11)])).await.unwrap();
    assert_eq!(table.compact(3).await.unwrap(), None);
    assert_eq!(table.version(), 5, "the newest version is at hand");
    let expected = [(1, 11), (2, 20), (3, 10), (4, 20), (5, 30)];
    assert_eq!(content(&world).await, expected);
    assert_eq!(table.compact(3).await.unwrap().unwrap().version, 6);
    assert_eq!(content(&world).await, expected);
}

#[tokio::test]
async fn of_two_compactions_one_has_its_effect() {
    let world = World::new();
    let mut one = scattered(&world).await;
    let mut other = world.table(&sales()).await;
    assert!(one.compact(3).await.unwrap().is_some());
    assert_eq!(other.compact(3).await.unwrap(), None);
    assert_eq!(other.compact(3).await.unwrap(), None, "one file is left");
    assert_eq!((content(&world).await, other.version()), (ROWS.to_vec(), 5));
}

#[tokio::test]
async fn a_writer_whose_files_were_compacted_plans_again() {
    let world = World::new();
    let mut table = scattered(&world).await;
    let mut writer = world.table(&sales()).await;
    table.compact(3).await.unwrap().unwrap();
    let summary = commit(&mut writer, &Work::upsert("b", 1, &[(5, 31)])).await.unwrap();
    assert_eq!(summary.table_version, Some(6));
    assert_eq!(content(&world).await, [(1, 10), (2, 20), (3, 10), (4, 20), (5, 31)]);
}

#[tokio::test]
async fn partitions_are_compacted_apart() {
    let world = World::new();
    let spec = TableSpec { partition_columns: vec!["owner".into()], ..sales() };
    let mut table = world.table(&spec).await;
    for (version, rows) in [(1, [(1, 10), (2, 20)]), (2, [(1, 11), (3, 30)]), (3, [(1, 12), (4, 40)])] {
        commit(&mut table, &Work::append("a", version, &rows)).await.unwrap();
    }
    let done = table.compact(2).await.unwrap().unwrap();
    assert_eq!((done.files_before, done.files_after, done.rows), (3, 1, 3));
    let mut owners: Vec<&str> = table.files().iter().filter_map(|file| file.partition_value("owner")).collect();
    owners.sort_unstable();
    assert_eq!(owners, ["owner 1", "owner 2", "owner 3", "owner 4"]);
    let mut rows = pairs(&table.read(None).await.unwrap());
    rows.sort_unstable();
    assert_eq!(rows, [(1, 10), (1, 11), (1, 12), (2, 20), (3, 30), (4, 40)]);
}
