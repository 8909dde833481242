//! Two writers that planned at the same snapshot: each row of the conflict table, through our commit.

use super::*;
use rstest::rstest;

const SEED: [(i64, i64); 2] = [(1, 10), (2, 20)];

/// Lets `second` plan, then commits `first` before `second` can, and returns how often `second` planned.
async fn race(world: &World, first: &Work, second: &Work) -> (u32, Summary) {
    let mut winner = world.table(&sales()).await;
    let mut loser = world.table(&sales()).await;
    assert_eq!(winner.version(), loser.version());
    let mut plans = 0;
    let plan = async |table: &Table| {
        plans += 1;
        let planned = second.plan(table).await?;
        if plans == 1 {
            let won = commit(&mut winner, first).await?;
            assert_eq!(won.table_version, Some(table.version() + 1));
        }
        Ok(planned)
    };
    let summary = loser.commit(plan).await.unwrap();
    (plans, summary)
}

#[rstest]
#[case::append_and_append_of_one_application(
    Work::append("a", 1, &[(3, 1)]), Work::append("a", 2, &[(4, 1)]), &[(1, 10), (2, 20), (3, 1), (4, 1)])]
#[case::append_and_append_of_two_applications(
    Work::append("a", 1, &[(3, 1)]), Work::append("b", 1, &[(4, 1)]), &[(1, 10), (2, 20), (3, 1), (4, 1)])]
#[case::upsert_and_upsert_of_one_file(
    Work::upsert("a", 1, &[(1, 11)]), Work::upsert("b", 1, &[(2, 22)]), &[(1, 11), (2, 22)])]
#[case::upsert_and_upsert_of_one_row(
    Work::upsert("a", 1, &[(1, 11)]), Work::upsert("b", 1, &[(1, 12)]), &[(1, 12), (2, 20)])]
#[case::upsert_and_upsert_of_one_new_row(
    Work::upsert("a", 1, &[(3, 31)]), Work::upsert("b", 1, &[(3, 32)]), &[(1, 10), (2, 20), (3, 32)])]
#[case::append_then_upsert_of_the_appended_row(
    Work::append("a", 1, &[(3, 31)]), Work::upsert("b", 1, &[(3, 32)]), &[(1, 10), (2, 20), (3, 32)])]
#[case::append_then_rewrite(Work::append("a", 1, &[(3, 1)]), Work::Rewrite, &[(1, 10), (2, 20), (3, 1)])]
#[case::rewrite_then_append(Work::Rewrite, Work::append("a", 1, &[(3, 1)]), &[(1, 10), (2, 20), (3, 1)])]
#[case::rewrite_and_rewrite_of_one_file(Work::Rewrite, Work::Rewrite, &SEED)]
#[case::rewrite_then_upsert_of_the_file(Work::Rewrite, Work::upsert("a", 1, &[(1, 11)]), &[(1, 11), (2, 20)])]
#[case::upsert_then_rewrite_of_the_file(Work::upsert("a", 1, &[(1, 11)]), Work::Rewrite, &[(1, 11), (2, 20)])]
#[case::clearing_then_upsert(
    Work::Clear { app: "a".into(), version: 1 }, Work::upsert("b", 1, &[(1, 11)]), &[(1, 11)])]
#[tokio::test]
async fn both_writers_have_their_effect_once(#[case] first: Work, #[case] second: Work, #[case] expected: &[(i64, i64)]) {
    let world = World::new();
    world.sales(&SEED).await;
    let (plans, summary) = race(&world, &first, &second).await;
    assert_eq!(plans, 2, "the loser plans again, once");
    assert_eq!((summary.outcome, summary.table_version), (Outcome::Committed, Some(3)));
    assert_eq!(content(&world).await, expected);
    let table = world.table(&sales()).await;
    assert_eq!(table.version(), 3, "one commit each");
    for (app, version) in [first.progress(), second.progress()].into_iter().flatten() {
        assert!(table.txn(app).await.unwrap() >= Some(version));
    }
}

#[rstest]
#[case::of_appends(Work::append("a", 5, &[(3, 1)]))]
#[case::of_upserts(Work::upsert("a", 5, &[(1, 99), (3, 1)]))]
#[tokio::test]
async fn two_first_commits_with_one_application_and_version_are_one(#[case] work: Work) {
    let world = World::new();
    world.sales(&SEED).await;
    let (plans, summary) = race(&world, &work, &work).await;
    assert_eq!((plans, summary.outcome), (2, Outcome::AlreadyDone));
    assert_eq!(content(&world).await.len(), 3);
    assert_eq!(world.table(&sales()).await.version(), 2);
}

#[tokio::test]
async fn a_writer_that_was_overtaken_by_a_later_one_does_nothing() {
    let world = World::new();
    world.sales(&SEED).await;
    let (plans, summary) = race(&world, &Work::append("a", 6, &[(3, 1)]), &Work::append("a", 5, &[(4, 1)])).await;
    assert_eq!((plans, summary.outcome), (2, Outcome::AlreadyDone));
    assert_eq!(world.table(&sales()).await.txn("a").await.unwrap(), Some(6));
}

// On several threads, as in the programs: there all tables share one store.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_at_once_lose_and_double_nothing() {
    const WRITERS: i64 = 6;
    const ROUNDS: i64 = 5;
    let world = World::new();
    world.sales(&[(0, 0)]).await;
    let writers = (1..=WRITERS).map(|writer| {
        let world = &world;
        async move {
            let mut plans = 0;
            let mut table = world.table(&sales()).await;
            for round in 1..=ROUNDS {
                let work = Work::append(&format!("writer {writer}"), round, &[(writer * 100 + round, round)]);
                let plan = async |table: &Table| {
                    plans += 1;
                    work.plan(table).await
                };
                table.commit(plan).await.unwrap();
            }
            plans
        }
    });
    let plans: Vec<i64> = futures::future::join_all(writers).await;
    assert!(plans.iter().sum::<i64>() > WRITERS * ROUNDS, "no writer ever lost");
    let ids: Vec<i64> = content(&world).await.into_iter().map(|row| row.0).collect();
    let expected = (1..=WRITERS).flat_map(|writer| (1..=ROUNDS).map(move |round| writer * 100 + round));
    assert_eq!(ids, std::iter::once(0).chain(expected).collect::<Vec<_>>());
    assert_eq!(world.table(&sales()).await.version(), 1 + WRITERS * ROUNDS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_creation_race_yields_one_table() {
    let world = World::new();
    let tasks = (0..8).map(|_| {
        let lake = world.lake.clone();
        tokio::spawn(
            async move { Table::open_or_create(&lake, &sales()).await.map(|table| (table.id().to_owned(), table.version())) },
        )
    });
    let tables: Vec<_> = futures::future::try_join_all(tasks).await.unwrap().into_iter().collect::<Result<_, _>>().unwrap();
    assert!(tables.iter().all(|table| *table == tables[0] && table.1 == 0), "{tables:?}");
    let listed = world.lake.list("silver/sales").await.unwrap();
    assert_eq!(listed, ["silver/sales/_delta_log/00000000000000000000.json"]);
}

#[tokio::test]
async fn a_creation_that_comes_late_changes_nothing() {
    let world = World::new();
    let table = world.sales(&SEED).await;
    crate::create::create(&world.lake, &sales()).await.unwrap();
    let late = world.table(&sales()).await;
    assert_eq!((late.id(), late.version()), (table.id(), 1));
    assert_eq!(content(&world).await, SEED);
}

#[tokio::test]
async fn a_writer_that_always_loses_gives_up_as_transient() {
    let world = World::new();
    let mut table = world.sales(&SEED).await;
    let mut other = world.table(&sales()).await;
    let mut round = 0;
    let plan = async |table: &Table| {
        round += 1;
        let planned = Work::append("slow", 1, &[(9, 9)]).plan(table).await?;
        commit(&mut other, &Work::append("quick", round, &[])).await?;
        Ok(planned)
    };
    let error = table.commit_within(std::time::Duration::from_secs(3), plan).await.unwrap_err();
    let (cause, fault) = refusal(&error);
    assert!(matches!(cause, TableError::Contended { .. }), "{cause}");
    assert_eq!(fault, Fault::Transient);
    assert!(round > 1, "it planned once only");
    assert_eq!(content(&world).await, SEED);
}
