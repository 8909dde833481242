//! Proposals that would lose or double rows or lose progress are refused, and leave the table as it was.

use super::*;
use rstest::rstest;

const SEED: [(i64, i64); 3] = [(1, 10), (2, 20), (3, 30)];

/// Commits a proposal, which must be refused without a trace.
async fn refused(world: &World, table: &mut Table, proposal: Proposal) -> anyhow::Error {
    let (before, rows) = (world.table(&sales()).await.version(), content(world).await);
    let mut proposal = Some(proposal);
    let plan = async |_: &Table| Ok(Plan::Commit(proposal.take().expect("a refused proposal is not planned again")));
    let error = table.commit(plan).await.unwrap_err();
    assert_eq!(world.table(&sales()).await.version(), before);
    assert_eq!(content(world).await, rows);
    error
}

#[rstest]
#[case::after_a_rewrite(Work::Rewrite)]
#[case::after_an_upsert(Work::upsert("a", 1, &[(1, 11)]))]
#[case::after_the_rows_went(Work::Clear { app: "a".into(), version: 1 })]
#[tokio::test]
async fn a_planner_that_keeps_removing_stale_files_is_refused(#[case] first: Work) {
    let world = World::new();
    let mut table = world.sales(&SEED).await;
    let mut winner = world.table(&sales()).await;
    let mut kept: Option<Proposal> = None;
    let plan = async |table: &Table| {
        if let Some(stale) = &kept {
            let Proposal { add, remove, summary, .. } = stale;
            let (add, remove, summary) = (add.clone(), remove.clone(), summary.clone());
            return Ok(Plan::Commit(Proposal { add, remove, txns: Vec::new(), inserted: 0, removed: 0, summary }));
        }
        let proposal = rewrite(table, table.files().to_vec(), &[]).await?;
        let again = rewrite(table, table.files().to_vec(), &[]).await?;
        kept = Some(again);
        commit(&mut winner, &first).await?;
        Ok(Plan::Commit(proposal))
    };
    let error = table.commit(plan).await.unwrap_err();
    let (cause, fault) = refusal(&error);
    assert!(matches!(cause, TableError::Log { version: 2, .. }), "{cause}");
    assert!(cause.to_string().contains("removes 1 files of which 0 stand in this version"), "{cause}");
    assert_eq!(fault, Fault::Data);
    assert_eq!(world.table(&sales()).await.version(), 2, "only the winner committed");
}

#[tokio::test]
async fn a_file_is_removed_once_and_counted_as_the_log_counts_it() {
    let world = World::new();
    let mut table = world.sales(&SEED).await;
    let file = table.files()[0].clone();
    let twice = Proposal { remove: vec![file.clone(), file.clone()], removed: 6, ..addition(Vec::new(), &[]) };
    let error = refused(&world, &mut table, twice).await;
    assert!(matches!(refusal(&error), (TableError::Log { .. }, Fault::Data)), "{error:?}");

    let mut told = file;
    told.rows = 1;
    let error = refused(&world, &mut table, Proposal { remove: vec![told], removed: 1, ..addition(Vec::new(), &[]) }).await;
    assert!(matches!(refusal(&error), (TableError::Proof { before: 3, after: 0, .. }, Fault::Data)), "{error:?}");
}

#[tokio::test]
async fn a_file_is_added_once() {
    let world = World::new();
    let mut table = world.sales(&SEED).await;
    let file = written(&table, &batch(&[(4, 40)])).await.remove(0);
    let error = refused(&world, &mut table, addition(vec![file.clone(), file.clone()], &[])).await;
    assert!(matches!(refusal(&error), (TableError::Log { .. }, Fault::Data)), "{error:?}");

    let first = file.clone();
    table.commit(async |_: &Table| Ok(Plan::Commit(addition(vec![first.clone()], &[])))).await.unwrap();
    let error = refused(&world, &mut table, addition(vec![file], &[])).await;
    assert!(matches!(refusal(&error), (TableError::Log { .. }, Fault::Data)), "{error:?}");
}

#[rstest]
#[case::more_inserted_than_written(4, 0, 6, 7)]
#[case::fewer_inserted_than_written(2, 0, 6, 5)]
#[case::removed_but_still_there(3, 1, 6, 5)]
#[tokio::test]
async fn rows_that_do_not_add_up_are_refused(#[case] says: u64, #[case] removes: u64, #[case] after: u64, #[case] proof: u64) {
    let world = World::new();
    let mut table = world.sales(&SEED).await;
    let add = written(&table, &batch(&[(4, 1), (5, 1), (6, 1)])).await;
    let proposal = Proposal { inserted: says, removed: removes, ..addition(add, &[("a", 1)]) };
    let error = refused(&world, &mut table, proposal).await;
    let (cause, fault) = refusal(&error);
    let TableError::Proof { before, inserted, removed, after: counted, .. } = cause else { panic!("{cause}") };
    assert_eq!((*before, *inserted, *removed, *counted), (3, says, removes, after));
    assert_eq!(before + inserted - removed, proof);
    assert_eq!(fault, Fault::Data);
    assert_eq!(table.txn("a").await.unwrap(), None);
}

#[rstest]
#[case::loses(&SEED[..2])]
#[case::doubles(&[(1, 10), (2, 20), (3, 30), (3, 30)])]
#[tokio::test]
async fn a_rewrite_that_changes_the_number_of_rows_is_refused(#[case] rows: &[(i64, i64)]) {
    let world = World::new();
    let mut table = world.sales(&SEED).await;
    let add = written(&table, &batch(rows)).await;
    let proposal = Proposal { remove: table.files().to_vec(), inserted: 0, removed: 0, ..addition(add, &[]) };
    let error = refused(&world, &mut table, proposal).await;
    assert!(matches!(refusal(&error), (TableError::Proof { .. }, Fault::Data)), "{error:?}");
}

#[tokio::test]
async fn an_unbalanced_ledger_is_refused() {
    let world = World::new();
    let mut table = world.sales(&SEED).await;
    let mut proposal = addition(written(&table, &batch(&[(4, 40)])).await, &[("a", 1)]);
    proposal.summary.ledger = Ledger { read: 2, accepted: 1, ..Ledger::default() };
    let error = refused(&world, &mut table, proposal).await;
    assert_eq!(error.downcast_ref::<Fault>(), Some(&Fault::Data));
    assert!(format!("{error:#}").contains("read 2 rows but accounted for 1"), "{error:#}");
}

#[rstest]
#[case::equal(5)]
#[case::lower(4)]
#[tokio::test]
async fn progress_that_does_not_grow_is_refused(#[case] proposed: i64) {
    let world = World::new();
    let mut table = world.sales(&SEED).await;
    commit(&mut table, &Work::append("a", 5, &[(4, 40)])).await.unwrap();
    let add = written(&table, &batch(&[(9, 9)])).await;
    let error = refused(&world, &mut table, addition(add, &[("b", 1), ("a", proposed)])).await;
    let (cause, fault) = refusal(&error);
    assert!(matches!(cause, TableError::Backwards { stored: 5, .. }), "{cause}");
    assert_eq!(fault, Fault::Data);
    assert_eq!((table.txn("a").await.unwrap(), table.txn("b").await.unwrap()), (Some(5), None));
}

#[tokio::test]
async fn one_commit_moves_an_application_once() {
    let world = World::new();
    let mut table = world.sales(&SEED).await;
    let add = written(&table, &batch(&[(9, 9)])).await;
    let error = refused(&world, &mut table, addition(add, &[("a", 2), ("a", 1)])).await;
    assert!(matches!(refusal(&error), (TableError::Backwards { stored: 2, proposed: 1, .. }, Fault::Data)), "{error:?}");
}

#[tokio::test]
async fn what_the_plan_returns_is_passed_on() {
    let world = World::new();
    let mut table = world.sales(&SEED).await;
    let error = table.commit(async |_: &Table| Err(anyhow::anyhow!("no plan").context(Fault::Config))).await.unwrap_err();
    assert_eq!(error.downcast_ref::<Fault>(), Some(&Fault::Config));
    let summary = table.commit(async |_: &Table| Ok(done(Outcome::Unchanged))).await.unwrap();
    assert_eq!((summary.outcome, world.table(&sales()).await.version()), (Outcome::Unchanged, 1));
}
