use super::*;
use std::path::Path;

/// The repository's own contracts: whatever they are, these must hold of their jobs.
fn day() -> (ContractSet, Graph, Vec<Job>) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts");
    let contracts = lake_edge::load_contracts(&directory).unwrap().0;
    let graph = Graph::of(&contracts).unwrap();
    let jobs = of_day(&contracts, &graph).unwrap();
    (contracts, graph, jobs)
}

fn position(jobs: &[Job], table: &str, work: Work) -> (usize, usize) {
    let places = jobs.iter().enumerate().flat_map(|(at, job)| job.steps.iter().enumerate().map(move |(step, s)| (at, step, s)));
    let mut found = places.filter(|(_, _, step)| step.table == table && step.work == work);
    let (job, step, _) = found.next().unwrap();
    assert!(found.next().is_none(), "{table} has two");
    (job, step)
}

#[test]
fn every_step_is_in_one_job_after_all_that_it_waits_for() {
    let (_, graph, jobs) = day();
    assert_eq!(jobs.iter().map(|job| job.steps.len()).sum::<usize>(), graph.steps.len());
    for step in &graph.steps {
        let (job, at) = position(&jobs, &step.table, step.work);
        for before in step.after.iter().map(|before| &graph.steps[*before]) {
            let (other, earlier) = position(&jobs, &before.table, before.work);
            if other == job {
                assert!(earlier < at, "{} before {}", step.name(), before.name());
            } else {
                assert!(other < job && jobs[job].after.contains(&jobs[other].job), "{} before {}", step.name(), before.name());
            }
        }
    }
}

#[test]
fn a_job_is_of_one_layer_and_says_whose_it_is() {
    let (contracts, _, jobs) = day();
    let mut names = BTreeSet::new();
    for job in &jobs {
        assert!(names.insert(job.job.as_str()), "two jobs are named {}", job.job);
        assert!(job.job.starts_with(job.layer) && !job.owners.is_empty() && job.timeout_minutes.is_some(), "{}", job.job);
        assert!(job.tables.iter().all(|table| contracts.get(table).unwrap().layer.name() == job.layer), "{}", job.job);
    }
    let bronze: BTreeSet<&str> = contracts.iter().filter_map(|c| c.bronze()).map(|bronze| bronze.source.name()).collect();
    assert_eq!(jobs.iter().filter(|job| job.layer == "bronze").count(), bronze.len());
    assert_eq!(jobs.iter().filter(|job| job.layer == "gold").count(), 1);
}

/// Gold refuses siblings that have consumed different versions.
#[test]
fn silver_tables_that_read_one_table_share_a_job() {
    let (contracts, _, jobs) = day();
    let readers = |input: &str| -> BTreeSet<usize> {
        let reading = contracts.iter().filter(|contract| contract.silver().is_some() && contract.inputs().contains(&input));
        reading.map(|contract| position(&jobs, &contract.table, Work::Build).0).collect()
    };
    for contract in contracts.iter().filter(|contract| contract.bronze().is_some()) {
        assert!(readers(&contract.table).len() <= 1, "{}", contract.table);
    }
    assert_eq!(readers("bronze_kafka_orders").len(), 1);
}

#[test]
fn what_leads_back_to_itself_is_found() {
    let waits = [BTreeSet::from([1]), BTreeSet::from([2]), BTreeSet::from([1]), BTreeSet::from([0])];
    assert!(reaches(&waits, 0, 2) && reaches(&waits, 1, 1) && reaches(&waits, 3, 2));
    assert!(!reaches(&waits, 2, 0) && !reaches(&waits, 0, 0));
}
