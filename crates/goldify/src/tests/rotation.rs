//! Rotations of the token key.

use super::*;
use std::path::Path;

const NEW: &str = "masking/token-key-2";
const HOLDERS: [&str; 3] = ["gold_contact_tokens", "gold_dim_customers", "gold_matches"];
/// The commits of a rotation in their order: place and version.
const STEPS: [(&str, i64); 5] = [
    ("ops/key_rotations", 1),
    ("gold/contact_tokens", 2),
    ("gold/dim_customers", 2),
    ("gold/matches", 2),
    ("ops/key_rotations", 2),
];

fn contract(name: &str, columns: &[&str], inputs: &str) -> String {
    let column = |(at, name): (usize, &&str)| {
        let key = if at == 0 { ", required: true, primaryKey: true, primaryKeyPosition: 1" } else { "" };
        format!("      - {{name: {name}, logicalType: string, physicalType: STRING, description: d{key}}}\n")
    };
    let columns: String = columns.iter().enumerate().map(column).collect();
    format!(
        "apiVersion: v3.1.0\nkind: DataContract\nid: gold_{name}\nname: n\nversion: 1.0.0\nstatus: active\n\
         description: {{purpose: p}}\nschema:\n  - name: {name}\n    physicalName: gold_{name}\n    \
         dataGranularityDescription: d\n    properties:\n{columns}      \
         - {{name: _ingested_at, logicalType: timestamp, physicalType: TIMESTAMP, description: d}}\n\
         customProperties:\n  - property: gold\n    value: {{inputs: [{inputs}]}}\n"
    )
}

fn secret(world: &World, name: &str, id: &str, byte: &str) {
    let path = world.root.path().join("secrets").join(name);
    std::fs::write(path, format!(r#"{{"key_id":"{id}","key":"{}"}}"#, byte.repeat(32))).unwrap();
}

fn add(world: &World, name: &str, columns: &[&str], inputs: &str, model: &str) {
    let folder = world.contracts.join("gold").join(name);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("contract.odcs.yaml"), contract(name, columns, inputs)).unwrap();
    std::fs::write(folder.join("model.sql"), model).unwrap();
}

fn contacts(world: &World, more: &[&str]) {
    let mut rows = vec![
        "contact_id=7 changed_at=2017-02-02T12:00:00Z email=A@B.example",
        "contact_id=8 changed_at=2017-02-02T12:00:00Z email=d@b.example",
        "contact_id=9 changed_at=2017-02-02T12:00:00Z",
    ];
    rows.extend(more);
    world.put("silver_contacts_history", &rows, &[]);
}

fn customers(world: &World, more: &[&str]) {
    let mut rows = vec![
        "customer_id=c1 changed_at=2017-01-02T12:00:00Z country=US email=a@b.example",
        "customer_id=c2 changed_at=2017-01-02T12:00:00Z country=US email=a@b.example",
        "customer_id=c3 changed_at=2017-01-02T12:00:00Z country=US email=c@b.example",
    ];
    rows.extend(more);
    world.put("silver_customers_history", &rows, &[]);
}

/// Two tables with tokens, and one that joins them and keeps a token itself.
fn world() -> World {
    let world = World::with_own_contracts();
    let columns = ["contact_id", "email_token", "token_key_id", "_run_id"];
    let newest = "QUALIFY ROW_NUMBER() OVER (PARTITION BY contact_id ORDER BY changed_at DESC) = 1";
    let model = format!("SELECT contact_id, email_token, token_key_id() AS token_key_id FROM silver_contacts_history {newest}");
    add(&world, "contact_tokens", &columns, "silver_contacts_history", &model);
    let columns = ["customer_key", "contact_id", "email_token", "token_key_id", "_run_id"];
    let model = "SELECT d.customer_key, c.contact_id, c.email_token, c.token_key_id \
                 FROM gold_dim_customers d JOIN gold_contact_tokens c ON c.email_token = d.email_token";
    add(&world, "matches", &columns, "gold_dim_customers, gold_contact_tokens", model);
    secret(&world, NEW, "k2", "a5");
    world.empty_crm();
    contacts(&world, &[]);
    customers(&world, &[]);
    for table in HOLDERS {
        world.done(table, &[]);
    }
    world
}

fn rotate(world: &World, to: &str) -> ExitCode {
    let root = world.root.path();
    let mut argv: Vec<String> = ["goldify", "rotate-key", "--to", to, "--output", "json"].map(str::to_owned).to_vec();
    argv.extend(["--lake".to_owned(), root.join("lake").display().to_string()]);
    argv.extend(["--contracts".to_owned(), world.contracts.display().to_string()]);
    argv.extend(["--secrets".to_owned(), format!("file:{}", root.join("secrets").display())]);
    crate::main(argv.into_iter().map(Into::into))
}

/// Rows of a table: all but tokens and what every run adds, and the tokens with their key.
fn rows(world: &World, table: &str) -> (Vec<String>, Vec<String>) {
    let contract = world.contract(table);
    let names: Vec<&str> = contract.columns.iter().map(|column| column.name.as_str()).collect();
    let (tokens, content): (Vec<&str>, Vec<&str>) = names.into_iter().partition(|name| name.contains("token"));
    let content: Vec<&str> = content.into_iter().filter(|name| !name.starts_with('_')).collect();
    let read = |columns: &[&str]| {
        let mut rows = world.rows(&TableSpec::of(&contract), columns);
        rows.sort();
        rows
    };
    (read(&content), read(&tokens))
}

fn all(world: &World) -> Vec<(Vec<String>, Vec<String>)> {
    HOLDERS.iter().map(|table| rows(world, table)).collect()
}

fn versions(world: &World) -> Vec<Option<i64>> {
    HOLDERS.iter().map(|table| world.version(&TableSpec::of(&world.contract(table)))).collect()
}

/// Ids of the keys in each table.
fn keys(world: &World) -> Vec<Vec<String>> {
    let ids = |table: &&str| {
        let mut ids = world.rows(&TableSpec::of(&world.contract(table)), &["token_key_id"]);
        ids.sort();
        ids.dedup();
        ids
    };
    HOLDERS.iter().map(ids).collect()
}

fn recorded(world: &World) -> Option<String> {
    let folder = world.root.path().join("lake/ops/key_rotations/_delta_log");
    let mut entries: Vec<String> =
        std::fs::read_dir(folder).ok()?.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    entries.sort();
    entries.pop()
}

#[test]
fn tokens_of_both_sides_change_together() {
    let world = world();
    let before = all(&world);
    // Two customers share the address of one contact.
    assert_eq!(before[2].0.len(), 2);
    assert_eq!(rotate(&world, NEW), ExitCode::SUCCESS);
    let after = all(&world);
    for ((old, new), table) in before.iter().zip(&after).zip(HOLDERS) {
        assert_eq!((&old.0, old.1.len()), (&new.0, new.1.len()), "{table}");
        let kept = new.1.iter().filter(|row| old.1.contains(row)).count();
        assert_eq!(kept, 0, "{table}");
    }
    assert_eq!(keys(&world), [["k2"], ["k2"], ["k2"]]);
    // Twice is once, and the day goes on with the new key though the policy names the old secret.
    let done = versions(&world);
    assert_eq!(rotate(&world, NEW), ExitCode::SUCCESS);
    assert_eq!(versions(&world), done);
    assert_eq!(world.done("gold_dim_customers", &[]).outcome, Outcome::AlreadyDone);
    customers(&world, &["customer_id=c4 changed_at=2017-01-02T12:00:00Z country=US email=d@b.example"]);
    for table in ["gold_dim_customers", "gold_matches"] {
        assert_eq!(world.done(table, &[]).outcome, Outcome::Committed, "{table}");
    }
    assert_eq!((keys(&world), rows(&world, "gold_matches").0.len()), (vec![vec!["k2".to_owned()]; 3], 3));
    // The secret of the old key can go.
    std::fs::remove_file(world.root.path().join("secrets/masking/token-key")).unwrap();
    customers(&world, &[]);
    world.done("gold_dim_customers", &[]);
    assert_eq!(rotate(&world, "masking/token-key"), ExitCode::from(2));
}

fn names(folder: &Path) -> Vec<String> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Job and kind of every event in the outbox, in their order.
fn told(world: &World) -> Vec<String> {
    let folder = world.root.path().join("lake/ops/lineage");
    let mut paths: Vec<String> = Vec::new();
    for day in names(&folder) {
        paths.extend(names(&folder.join(&day)).iter().map(|name| format!("ops/lineage/{day}/{name}")));
    }
    paths.sort();
    let entries = paths.iter().map(|path| lake_core::lineage::outbox::entry(path).unwrap());
    entries.map(|entry| format!("{} {}", entry.job, entry.kind.name())).collect()
}

#[test]
fn every_table_that_a_rotation_changes_is_told_by_a_run_of_its_own() {
    let world = world();
    let before = told(&world).len();
    assert_eq!(rotate(&world, NEW), ExitCode::SUCCESS);
    let expected = HOLDERS.map(|table| ["start", "complete"].map(|kind| format!("goldify.{table} {kind}"))).concat();
    assert_eq!(told(&world)[before..], expected);
    // Nothing to do, nothing to tell.
    assert_eq!(rotate(&world, NEW), ExitCode::SUCCESS);
    assert_eq!(told(&world).len(), before + expected.len());
}

/// A lake at each step of a rotation: as if it had been killed there.
fn killed(world: &World, saved: &Path, steps: usize) {
    let lake = world.root.path().join("lake");
    std::fs::remove_dir_all(&lake).unwrap();
    copy(saved, &lake);
    for (place, version) in &STEPS[steps..] {
        std::fs::remove_file(lake.join(place).join(format!("_delta_log/{version:020}.json"))).unwrap();
    }
}

#[test]
fn a_rotation_that_is_killed_at_any_step_goes_on() {
    let world = world();
    let before = all(&world);
    assert_eq!(rotate(&world, NEW), ExitCode::SUCCESS);
    let after = all(&world);
    let saved = world.root.path().join("saved");
    copy(&world.root.path().join("lake"), &saved);
    for steps in 0..=STEPS.len() {
        killed(&world, &saved, steps);
        // Every table is as it was or as it is to be, and who joins two gets one key or is told to wait.
        for (at, now) in all(&world).iter().enumerate() {
            assert!(*now == before[at] || *now == after[at], "{steps}: {}", HOLDERS[at]);
        }
        let expected = if matches!(steps, 2 | 3) { ExitCode::from(75) } else { ExitCode::SUCCESS };
        assert_eq!(world.goldify("gold_matches", &[]).0, expected, "{steps}");
        let standing = rows(&world, "gold_matches");
        assert!(standing == before[2] || standing == after[2], "{steps}");
        assert_eq!(rotate(&world, NEW), ExitCode::SUCCESS, "{steps}");
        assert_eq!(all(&world), after, "{steps}");
        assert_eq!(recorded(&world).as_deref(), Some("00000000000000000002.json"), "{steps}");
        assert_eq!(world.done("gold_matches", &[]).outcome, Outcome::AlreadyDone, "{steps}");
        // The key that came is not taken for one that went, and the one that went does not come back.
        let done = versions(&world);
        assert_eq!(rotate(&world, NEW), ExitCode::SUCCESS, "{steps}");
        assert_eq!(rotate(&world, "masking/token-key"), ExitCode::from(2), "{steps}");
        assert_eq!((versions(&world), recorded(&world).as_deref()), (done, Some("00000000000000000002.json")), "{steps}");
    }
}

#[test]
fn a_day_may_come_between_the_steps_of_a_rotation() {
    let world = world();
    assert_eq!(rotate(&world, NEW), ExitCode::SUCCESS);
    let saved = world.root.path().join("saved");
    copy(&world.root.path().join("lake"), &saved);
    killed(&world, &saved, 2);
    customers(&world, &["customer_id=c4 changed_at=2017-01-02T12:00:00Z country=US email=d@b.example"]);
    contacts(&world, &["contact_id=10 changed_at=2017-02-02T12:00:00Z email=c@b.example"]);
    // Each table keeps its key until its turn.
    for table in ["gold_dim_customers", "gold_contact_tokens"] {
        assert_eq!(world.done(table, &[]).outcome, Outcome::Committed, "{table}");
    }
    assert_eq!(keys(&world), [["k2"], ["k1"], ["k1"]]);
    assert_eq!(world.goldify("gold_matches", &[]).0, ExitCode::from(75));
    assert_eq!(rotate(&world, NEW), ExitCode::SUCCESS);
    assert_eq!((keys(&world), rows(&world, "gold_matches").0.len()), (vec![vec!["k2".to_owned()]; 3], 4));
}

#[test]
fn only_a_rotation_changes_a_key() {
    let world = world();
    secret(&world, "masking/token-key", "k2", "a5");
    customers(&world, &["customer_id=c4 changed_at=2017-01-02T12:00:00Z country=US email=d@b.example"]);
    let before = (all(&world), versions(&world));
    assert_eq!(world.goldify("gold_dim_customers", &[]).0, ExitCode::from(2));
    assert_eq!((all(&world), versions(&world)), before);
    assert_eq!(rotate(&world, "masking/token-key"), ExitCode::SUCCESS);
    assert_eq!(keys(&world), [["k2"], ["k2"], ["k2"]]);
    assert_eq!(world.done("gold_dim_customers", &[]).outcome, Outcome::Committed);
}

#[test]
fn keys_that_cannot_be_are_refused() {
    let world = world();
    secret(&world, "masking/third", "k3", "77");
    secret(&world, "masking/other", "k1", "77");
    secret(&world, "masking/short", "k4", "7");
    let before = (all(&world), versions(&world));
    // Another key with the same id, no key, and no secret.
    for to in ["masking/other", "masking/short", "masking/none"] {
        assert_eq!(rotate(&world, to), ExitCode::from(2), "{to}");
    }
    assert_eq!((rotate(&world, "masking/token-key"), recorded(&world)), (ExitCode::SUCCESS, None));
    assert_eq!((all(&world), versions(&world)), before);
    assert_eq!(rotate(&world, NEW), ExitCode::SUCCESS);
    let saved = world.root.path().join("saved");
    copy(&world.root.path().join("lake"), &saved);
    // A key that was replaced does not come back, and one rotation ends before the next begins.
    assert_eq!(rotate(&world, "masking/token-key"), ExitCode::from(2));
    killed(&world, &saved, 2);
    assert_eq!(rotate(&world, "masking/third"), ExitCode::from(2));
    // Half of the tables have the other key of this name.
    secret(&world, "masking/other", "k2", "77");
    assert_eq!(rotate(&world, "masking/other"), ExitCode::from(2));
    assert_eq!(rotate(&world, NEW), ExitCode::SUCCESS);
    assert_eq!(rotate(&world, "masking/third"), ExitCode::SUCCESS);
    assert_eq!(keys(&world), [["k3"], ["k3"], ["k3"]]);
}

#[test]
fn a_table_that_would_change_in_more_than_its_tokens_is_not_rotated() {
    for (from, to) in [
        (
            "email_token, token_key_id()",
            "CASE WHEN email_token IS NOT NULL THEN sha256_hex('x') END AS email_token, token_key_id()",
        ),
        ("SELECT contact_id, email_token", "SELECT CONCAT(contact_id, 'x') AS contact_id, email_token"),
        (") = 1", ") = 1 AND contact_id <> '7'"),
    ] {
        let world = world();
        let before = (all(&world), versions(&world));
        world.edit("gold/contact_tokens/model.sql", from, to);
        assert_eq!(rotate(&world, NEW), ExitCode::from(65), "{to}");
        assert_eq!((all(&world), versions(&world), recorded(&world)), (before.0, before.1, None), "{to}");
    }
}

#[test]
fn a_table_of_other_tables_tokens_is_looked_at_before_anything_changes() {
    let world = world();
    let before = (all(&world), versions(&world));
    world.edit("gold/matches/model.sql", "c.contact_id, c.email_token", "CONCAT(c.contact_id, 'x') AS contact_id, c.email_token");
    assert_eq!(rotate(&world, NEW), ExitCode::from(65));
    assert_eq!((all(&world), versions(&world), recorded(&world)), (before.0, before.1, None));
    // Built first, it can be rotated.
    assert_eq!(world.done("gold_matches", &[]).outcome, Outcome::Committed);
    assert_eq!(rotate(&world, NEW), ExitCode::SUCCESS);
    assert_eq!(keys(&world), [["k2"], ["k2"], ["k2"]]);
}

#[test]
fn a_table_of_tokens_under_another_name_is_neither_built_nor_forgotten() {
    let world = world();
    let model = "SELECT contact_id, email_token AS address FROM silver_contacts_history";
    add(&world, "addresses", &["contact_id", "address", "_run_id"], "silver_contacts_history", model);
    let before = (all(&world), versions(&world));
    assert_eq!(world.goldify("gold_addresses", &[]).0, ExitCode::from(2));
    assert_eq!(world.version(&TableSpec::of(&world.contract("gold_addresses"))), None);
    // A table that was built before this was refused would keep the old key's tokens.
    assert_eq!(rotate(&world, NEW), ExitCode::from(2));
    assert_eq!((all(&world), versions(&world), recorded(&world)), (before.0, before.1, None));
    world.edit("gold/addresses/model.sql", "email_token AS address", "lifecycle_stage AS address");
    assert_eq!(world.done("gold_addresses", &[]).outcome, Outcome::Committed);
    assert_eq!(rotate(&world, NEW), ExitCode::SUCCESS);
    assert_eq!(keys(&world), [["k2"], ["k2"], ["k2"]]);
}

#[test]
fn a_rotation_that_another_has_followed_commits_nothing() {
    let world = world();
    secret(&world, "masking/third", "k3", "77");
    assert_eq!(rotate(&world, NEW), ExitCode::SUCCESS);
    assert_eq!(rotate(&world, "masking/third"), ExitCode::SUCCESS);
    let spec = TableSpec::of(&world.contract("gold_dim_customers"));
    for (id, is_last) in [("k2", false), ("k3", true)] {
        let guard = crate::keys::Guard { key_id: Some(id.to_owned()), rotates: true };
        let checked = run(async {
            let table = Table::open(&world.lake(), &spec).await.unwrap().unwrap();
            guard.check(&table).await
        });
        assert_eq!(checked.is_ok(), is_last, "{id}");
    }
}
