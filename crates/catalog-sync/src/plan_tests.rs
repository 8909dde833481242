//! What a decision promises, by example and for any table.

use crate::{
    entry::{CatalogColumn, Entry, Parameters, VERSION},
    error::SyncError,
    plan::{Decision, decide, gone},
    testing::{entry, wanted},
    wanted::Wanted,
};
use proptest::prelude::*;

/// The entry after a decision.
fn after(decision: Decision, before: Option<&Entry>) -> Entry {
    match decision {
        Decision::Keep | Decision::Later(_) => before.unwrap().clone(),
        Decision::Create(entry) => *entry,
        Decision::Update(update) => update.entry,
    }
}

fn synced(wanted: &Wanted, before: Option<&Entry>, prune: bool) -> Entry {
    after(decide(wanted, before, prune).unwrap(), before)
}

fn update_of(decision: Decision) -> (Entry, &'static str, bool) {
    match decision {
        Decision::Update(update) => (update.entry, update.what, update.archive),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_not_there_is_made_and_what_is_as_it_should_be_is_kept() {
    let new = wanted(3, &[("a", "int")]);
    assert_eq!(decide(&new, None, false).unwrap(), Decision::Create(Box::new(new.entry.clone())));
    assert_eq!(decide(&new, Some(&new.entry), false).unwrap(), Decision::Keep);
    assert_eq!(decide(&new, Some(&new.entry), true).unwrap(), Decision::Keep);
}

#[test]
fn a_column_that_came_is_taken_over_and_the_old_entry_archived() {
    let (old, new) = (wanted(3, &[("a", "int")]), wanted(4, &[("a", "int"), ("b", "array<string>")]));
    let (entry, what, archive) = update_of(decide(&new, Some(&old.entry), false).unwrap());
    assert_eq!((entry, what, archive), (new.entry, "columns", true));
}

#[test]
fn a_new_version_of_the_same_columns_is_noted_without_an_archive() {
    let (old, new) = (wanted(3, &[("a", "int")]), wanted(4, &[("a", "int")]));
    let (entry, what, archive) = update_of(decide(&new, Some(&old.entry), false).unwrap());
    assert_eq!((entry.parameters[VERSION].as_str(), what, archive), ("4", "parameters", false));
}

#[test]
fn a_later_version_stays_unless_it_is_one_of_another_table() {
    let (old, new) = (wanted(4, &[("a", "int"), ("b", "int")]), wanted(3, &[("a", "int")]));
    assert_eq!(decide(&new, Some(&old.entry), true).unwrap(), Decision::Later(4));
    let mut remade = new.clone();
    remade.id = "another-id".into();
    remade.entry.parameters.insert(crate::entry::ID.into(), "another-id".into());
    assert_eq!(synced(&remade, Some(&old.entry), true), remade.entry);
}

#[test]
fn a_column_that_went_stays_until_it_is_pruned() {
    let (old, new) = (wanted(3, &[("a", "int"), ("b", "int")]), wanted(4, &[("a", "int")]));
    let kept = synced(&new, Some(&old.entry), false);
    assert_eq!(kept.columns, old.entry.columns);
    assert_eq!(gone(&new.entry, &kept).map(|column| column.name.as_str()).collect::<Vec<_>>(), ["b"]);
    assert_eq!(decide(&new, Some(&kept), false).unwrap(), Decision::Keep);
    assert_eq!(synced(&new, Some(&kept), true), new.entry);
}

#[test]
fn a_column_that_became_a_partition_key_is_no_column_that_went() {
    let (old, mut new) = (wanted(3, &[("a", "int"), ("day", "date")]), wanted(4, &[("a", "int"), ("day", "date")]));
    new.entry.partition_keys = new.entry.columns.split_off(1);
    assert_eq!(synced(&new, Some(&old.entry), false), new.entry);
}

#[test]
fn what_others_have_added_stays() {
    let (mut old, new) = (wanted(3, &[("a", "int")]).entry, wanted(4, &[("a", "int")]));
    old.parameters.insert("trino_query_id".into(), "x".into());
    old.columns[0].parameters = Parameters::from([("steward".into(), "ada".into()), ("classification".into(), "pii".into())]);
    let entry = synced(&new, Some(&old), false);
    assert_eq!(entry.parameters["trino_query_id"], "x");
    // The class is the contract's alone, and it has none any more.
    assert_eq!(entry.columns[0].parameters, Parameters::from([("steward".into(), "ada".into())]));
}

#[test]
fn an_entry_of_another_place_is_never_touched() {
    let new = wanted(3, &[("a", "int")]);
    for location in ["s3://other/silver_t", "", "s3://lake/silver_t2"] {
        let there = Entry { location: location.into(), ..entry("silver_t", &[]) };
        assert!(matches!(decide(&new, Some(&there), true), Err(SyncError::Foreign { .. })), "{location}");
    }
    let same = Entry { location: "s3a://lake/silver_t/".into(), ..entry("silver_t", &[("a", "int")]) };
    assert_eq!(synced(&new, Some(&same), false).location, "s3://lake/silver_t");
}

fn columns() -> impl Strategy<Value = Vec<CatalogColumn>> {
    let kind = prop::sample::select(vec!["int", "bigint", "string", "array<int>"]);
    let column = ("[a-fA-F]", kind, "[a-z]{0,2}").prop_map(|(name, kind, comment)| CatalogColumn {
        name,
        kind: kind.to_owned(),
        comment,
        ..CatalogColumn::default()
    });
    // As in a Delta schema, no two names differ in case only.
    prop::collection::vec(column, 0..6).prop_map(|mut columns| {
        columns.sort_by_key(|column| column.name.to_lowercase());
        columns.dedup_by_key(|column| column.name.to_lowercase());
        columns
    })
}

prop_compose! {
    fn any_wanted()(all in columns(), keys in 0..3_usize, version in 0..5_i64, again in any::<bool>()) -> Wanted {
        let mut wanted = wanted(version, &[]);
        let mut columns = all;
        wanted.entry.partition_keys = columns.split_off(columns.len().saturating_sub(keys));
        wanted.entry.columns = columns;
        if again {
            wanted.id = "another-id".into();
            wanted.entry.parameters.insert(crate::entry::ID.into(), "another-id".into());
        }
        wanted
    }
}

proptest! {
    #[test]
    fn a_second_sync_does_nothing(new in any_wanted(), old in proptest::option::of(any_wanted()), prune in any::<bool>()) {
        let before = old.map(|old| old.entry);
        let entry = synced(&new, before.as_ref(), prune);
        prop_assert!(matches!(decide(&new, Some(&entry), prune).unwrap(), Decision::Keep | Decision::Later(_)));
    }

    #[test]
    fn nothing_is_dropped_without_being_pruned(new in any_wanted(), old in any_wanted()) {
        let entry = synced(&new, Some(&old.entry), false);
        for column in old.entry.all_columns() {
            prop_assert!(entry.all_columns().any(|own| own.is_named(&column.name)), "{} went", column.name);
        }
    }

    #[test]
    fn a_pruned_entry_has_the_columns_of_its_table(new in any_wanted(), old in any_wanted()) {
        let decision = decide(&new, Some(&old.entry), true).unwrap();
        let later = matches!(decision, Decision::Later(_));
        let entry = after(decision, Some(&old.entry));
        let names = |entry: &Entry| entry.all_columns().map(|column| column.name.to_lowercase()).collect::<Vec<_>>();
        prop_assert!(later || names(&entry) == names(&new.entry));
    }

    #[test]
    fn the_version_of_a_table_never_goes_back(syncs in prop::collection::vec(any_wanted(), 1..6)) {
        let mut entry: Option<Entry> = None;
        for new in syncs {
            let before = entry.as_ref().and_then(|entry| entry.synced().map(|(id, version)| (id.to_owned(), version)));
            let next = synced(&new, entry.as_ref(), false);
            let (id, version) = next.synced().unwrap();
            if let Some((old_id, old_version)) = before && old_id == id {
                prop_assert!(version >= old_version);
            }
            entry = Some(next);
        }
    }

    #[test]
    fn two_syncs_of_one_table_end_as_the_later_whoever_is_first(
        all in columns(),
        more in columns(),
        start in proptest::option::of(columns()),
    ) {
        let at = |version: i64, columns: &[CatalogColumn]| {
            let mut wanted = wanted(version, &[]);
            wanted.entry.columns = columns.to_vec();
            wanted
        };
        let start = start.map(|columns| at(0, &columns).entry);
        let (early, late) = (at(1, &all), at(2, &more));
        let one = synced(&late, Some(&synced(&early, start.as_ref(), true)), true);
        let other = synced(&early, Some(&synced(&late, start.as_ref(), true)), true);
        prop_assert_eq!(one.difference(&other), None);
        prop_assert_eq!(one.synced(), Some(("table-id", 2)));
    }
}
