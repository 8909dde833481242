//! Two real processes on one table: the test executable starts itself, and is killed at random moments.

use super::*;
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Full name of the test that is the child process's whole work.
const CHILD: &str = "tests::processes::child_process";
/// Rows with small ids are counters that both processes add to; each process also has rows of its own.
const COUNTERS: i64 = 3;
const OWN: i64 = 1_000_000;
/// More rounds than any process lives.
const ENDLESS: i64 = 1_000_000;

fn work(worker: i64, round: i64, table_rows: &[(i64, i64)]) -> Work {
    let app = format!("worker {worker}");
    if round % 2 == 1 {
        let own = worker * OWN + round;
        return Work::append(&app, round, &[(own, round), (own + OWN / 2, -round)]);
    }
    let counter = (round / 2) % COUNTERS;
    let (id, amount) = *table_rows.iter().find(|row| row.0 == counter).unwrap();
    Work::upsert(&app, round, &[(id, amount + 1)])
}

/// Does the rounds that a file describes; without such an argument there is nothing to do.
#[tokio::test]
async fn child_process() {
    let Some(path) = std::env::args().find_map(|arg| arg.strip_prefix("job=").map(PathBuf::from)) else { return };
    let job: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let worker = job["worker"].as_i64().unwrap();
    let lake = Lake::open(job["lake"].as_str().unwrap()).unwrap();
    let mut table = Table::open_or_create(&lake, &sales()).await.unwrap();
    let app = format!("worker {worker}");
    let first = table.txn(&app).await.unwrap().unwrap_or(0) + 1;
    std::fs::write(path.with_extension("started"), "").unwrap();
    if let Some(go) = job["go"].as_str() {
        wait_for(Path::new(go)).await;
    }
    let mut plans = 0;
    for round in first..=job["rounds"].as_i64().unwrap() {
        let started = Instant::now();
        let plan = async |table: &Table| {
            plans += 1;
            let counters = if round % 2 == 0 { counters(table).await? } else { Vec::new() };
            work(worker, round, &counters).plan(table).await
        };
        table.commit(plan).await.unwrap();
        // A writer that commits without a pause wins against every slower one, for as long as it goes on.
        tokio::time::sleep(started.elapsed().mul_f64(random(300) as f64 / 100.0)).await;
    }
    std::fs::write(path.with_extension("plans"), plans.to_string()).unwrap();
}

/// The counters' rows, from the one file that holds them.
async fn counters(table: &Table) -> anyhow::Result<Vec<(i64, i64)>> {
    let holds = |file: &&DataFile| file.minimum("id").and_then(Value::as_i64).is_some_and(|id| id < COUNTERS);
    Ok(pairs(&stream(table, table.files().iter().filter(holds).cloned().collect(), None).await?))
}

/// Starts a worker, which waits for a file, if one is given, before its first round.
fn start(world: &World, worker: i64, rounds: i64, go: Option<&Path>) -> Child {
    let path = job_path(world, worker);
    let _ = std::fs::remove_file(path.with_extension("started"));
    std::fs::write(&path, json!({"worker": worker, "rounds": rounds, "lake": world.uri, "go": go}).to_string()).unwrap();
    let log = std::fs::File::create(path.with_extension("log")).unwrap();
    let arguments = ["--exact", CHILD, "--nocapture", &format!("job={}", path.display())].map(str::to_owned);
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(arguments).stdout(Stdio::from(log.try_clone().unwrap())).stderr(Stdio::from(log));
    command.spawn().unwrap()
}

fn job_path(world: &World, worker: i64) -> PathBuf {
    world.directory.path().join(format!("{worker}.json"))
}

/// Lets the workers run their rounds at once, and returns how often they planned.
async fn finish(world: &World, rounds: &[(i64, i64)]) -> i64 {
    let go = world.directory.path().join("go");
    let begin = |(worker, rounds): &(i64, i64)| (job_path(world, *worker), start(world, *worker, *rounds, Some(&go)));
    let children: Vec<(PathBuf, Child)> = rounds.iter().map(begin).collect();
    for (path, _) in &children {
        wait_for(&path.with_extension("started")).await;
    }
    std::fs::write(&go, "").unwrap();
    let mut plans = 0;
    for (path, mut child) in children {
        assert!(child.wait().unwrap().success(), "{}", log_of(&path));
        plans += std::fs::read_to_string(path.with_extension("plans")).unwrap().parse::<i64>().unwrap();
    }
    plans
}

fn random(below: u64) -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().1 % below
}

fn log_of(path: &Path) -> String {
    std::fs::read_to_string(path.with_extension("log")).unwrap_or_default()
}

/// Every round's effect is there once: rows, counters, progress and one summary for each commit.
async fn check(world: &World, rounds: &[(i64, i64)]) {
    let mut expected: BTreeMap<i64, i64> = (0..COUNTERS).map(|id| (id, 0)).collect();
    for (worker, rounds) in rounds {
        for round in 1..=*rounds {
            match work(*worker, round, &expected.iter().map(|(id, n)| (*id, *n)).collect::<Vec<_>>()) {
                Work::Append { rows, .. } | Work::Upsert { rows, .. } => expected.extend(rows),
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(content(world).await, expected.into_iter().collect::<Vec<_>>());
    let table = world.table(&sales()).await;
    let total: i64 = rounds.iter().map(|(_, rounds)| rounds).sum();
    assert_eq!(table.version(), 1 + total, "one commit for each round");
    for (worker, rounds) in rounds {
        assert_eq!(table.txn(&format!("worker {worker}")).await.unwrap(), Some(*rounds));
    }
    let commits = table.commits(Some(0)).await.unwrap();
    assert!(commits.iter().all(|entry| entry.summary.as_ref().and_then(|s| s.table_version) == Some(entry.version)));
}

async fn seed(world: &World) {
    world.sales(&(0..COUNTERS).map(|id| (id, 0)).collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn two_processes_on_one_table_lose_and_double_nothing() {
    const ROUNDS: i64 = 30;
    let world = World::new();
    seed(&world).await;
    let rounds = [(1, ROUNDS), (2, ROUNDS)];
    let plans = finish(&world, &rounds).await;
    check(&world, &rounds).await;
    assert!(plans > 2 * ROUNDS, "the processes never met");
}

async fn wait_for(path: &Path) {
    for _ in 0..2_000 {
        if path.exists() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no {}: {}", path.display(), log_of(path));
}

#[tokio::test]
async fn processes_that_are_killed_at_random_moments_lose_and_double_nothing() {
    const KILLS: usize = 10;
    let world = World::new();
    seed(&world).await;
    let mut other = start(&world, 2, ENDLESS, None);
    for _ in 0..KILLS {
        let mut child = start(&world, 1, ENDLESS, None);
        wait_for(&job_path(&world, 1).with_extension("started")).await;
        tokio::time::sleep(Duration::from_millis(random(300))).await;
        assert!(
            child.try_wait().unwrap().is_none(),
            "{}",
            std::fs::read_to_string(job_path(&world, 1).with_extension("log")).unwrap()
        );
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(
        other.try_wait().unwrap().is_none(),
        "{}",
        std::fs::read_to_string(job_path(&world, 2).with_extension("log")).unwrap()
    );
    other.kill().unwrap();
    other.wait().unwrap();
    let txns = world.table(&sales()).await.txns().await.unwrap();
    let done = |worker: i64| txns.get(&format!("worker {worker}")).copied().unwrap_or(0);
    assert!(done(1) > 0 && done(2) > 0, "{txns:?}");
    let rounds = [(1, done(1) + 6), (2, done(2) + 6)];
    finish(&world, &rounds).await;
    check(&world, &rounds).await;
}
