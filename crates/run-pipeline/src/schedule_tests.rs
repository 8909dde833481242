use super::*;
use std::{cell::RefCell, collections::BTreeSet};

fn step(program: &'static str, table: &str, inputs: &[&str], after: &[usize]) -> Step {
    let work = if program == "dq-check" { Work::Check } else { Work::Build };
    let inputs = inputs.iter().map(|input| (*input).to_owned()).collect();
    Step { program, table: table.into(), work, inputs, after: after.to_vec(), height: 1, alone: program == "ingest-hubspot" }
}

/// Two Bronze tables; each feeds one Silver table; Gold reads both.
fn graph() -> Graph {
    Graph {
        steps: vec![
            step("ingest-fx", "bronze_a", &[], &[]),
            step("dq-check", "bronze_a", &["bronze_a"], &[0]),
            step("ingest-kafka", "bronze_b", &[], &[]),
            step("dq-check", "bronze_b", &["bronze_b"], &[2]),
            step("silverize", "silver_a", &["bronze_a"], &[1]),
            step("silverize", "silver_a2", &["bronze_a"], &[1]),
            step("silverize", "silver_b", &["bronze_b"], &[3]),
            step("goldify", "gold_c", &["silver_a", "silver_b"], &[4, 6]),
        ],
    }
}

#[derive(Default)]
struct Fake {
    running: RefCell<Vec<String>>,
    together: RefCell<BTreeSet<String>>,
    failing: BTreeMap<String, Exit>,
    asked: RefCell<Vec<String>>,
    given: RefCell<Vec<String>>,
    blocked: RefCell<BTreeSet<String>>,
}

impl Runner for Fake {
    async fn run(&self, _: usize, step: &Step, inputs: &BTreeMap<String, i64>) -> Ran {
        let inputs: Vec<_> = inputs.iter().map(|(table, version)| format!("{table}@{version}")).collect();
        self.given.borrow_mut().push(format!("{}: {}", step.name(), inputs.join(" ")));
        self.running.borrow_mut().push(step.program.to_owned());
        self.together.borrow_mut().insert(self.running.borrow().join(" "));
        Later(false).await;
        self.running.borrow_mut().retain(|program| program != step.program);
        let exit = self.failing.get(&step.name()).copied().unwrap_or(Exit::Ok);
        Ran { exit, summary: None, error: None, elapsed_ms: 1 }
    }

    async fn version(&self, table: &str) -> anyhow::Result<Option<i64>> {
        self.asked.borrow_mut().push(table.to_owned());
        Ok(Some(i64::try_from(self.asked.borrow().len()).unwrap()))
    }

    fn ended(&self, step: &Step, end: &End, _: usize) {
        if let End::Blocked(cause) = end {
            self.blocked.borrow_mut().insert(format!("{} by {cause}", step.name()));
        }
    }
}

/// Lets the others go on once.
struct Later(bool);

impl Future for Later {
    type Output = ();

    fn poll(mut self: std::pin::Pin<&mut Self>, context: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return std::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    }
}

fn run_with(fake: &Fake, jobs: usize) -> Vec<End> {
    futures::executor::block_on(run(&graph(), fake, jobs))
}

#[test]
fn a_version_is_resolved_once_and_handed_to_all_siblings() {
    let fake = Fake::default();
    let ends = run_with(&fake, 1);
    assert!(ends.iter().all(End::good));
    let asked = fake.asked.borrow();
    assert_eq!(asked.iter().filter(|table| *table == "bronze_a").count(), 1);
    let given = fake.given.borrow();
    let of = |name: &str| {
        given.iter().find(|line| line.starts_with(&format!("{name}: "))).unwrap().rsplit(' ').next().unwrap().to_owned()
    };
    assert_eq!(of("silverize silver_a"), of("silverize silver_a2"));
    assert_eq!(of("dq-check bronze_a"), of("silverize silver_a"));
}

#[test]
fn a_failed_gate_stops_what_is_downstream_and_nothing_else() {
    let failing = BTreeMap::from([("dq-check bronze_a".to_owned(), Exit::Data)]);
    let fake = Fake { failing, ..Fake::default() };
    let ends = run_with(&fake, 2);
    assert!(ends[6].good(), "silver_b does not depend on bronze_a");
    let blocked: Vec<_> = fake.blocked.borrow().iter().cloned().collect();
    assert_eq!(
        blocked,
        [
            "goldify gold_c by dq-check bronze_a",
            "silverize silver_a by dq-check bronze_a",
            "silverize silver_a2 by dq-check bronze_a"
        ]
    );
    assert!(!fake.given.borrow().iter().any(|line| line.starts_with("goldify")));
}

#[test]
fn every_step_ends_whatever_fails() {
    for name in graph().steps.iter().map(Step::name) {
        let fake = Fake { failing: BTreeMap::from([(name.clone(), Exit::Bug)]), ..Fake::default() };
        let ends = run_with(&fake, 3);
        assert!(ends.iter().all(|end| !matches!(end, End::Blocked(cause) if *cause != name)), "{name}");
    }
}

#[test]
fn steps_that_share_an_allowance_run_one_after_another() {
    let steps = ["contacts", "companies", "pairs"].map(|table| step("ingest-hubspot", table, &[], &[]));
    let graph = Graph { steps: steps.into_iter().chain([step("ingest-fx", "rates", &[], &[])]).collect() };
    let fake = Fake::default();
    let ends = futures::executor::block_on(run(&graph, &fake, 4));
    assert!(ends.iter().all(End::good));
    let together = fake.together.borrow();
    assert!(
        together.iter().any(|programs| programs.contains("ingest-fx") && programs.contains("ingest-hubspot")),
        "{together:?}"
    );
    assert!(!together.iter().any(|programs| programs.matches("ingest-hubspot").count() > 1), "{together:?}");
}
