//! What a Silver table's columns are for.

use crate::{
    fault,
    route::{EVENT_HASH, RoutePlan, Source, VERSION},
};
use arrow::datatypes::SchemaRef;
use lake_core::{
    Contract,
    contract::{
        ColumnType,
        column::version_column,
        layer::{Resolve, Silver, SilverKind},
    },
};
use lake_table::TableSpec;
use std::collections::BTreeSet;

/// Column of a history that says until when a row was true.
const VALID_TO: &str = "valid_to";

/// What a column is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Part of the key.
    Key,
    /// Content of a column group.
    Group(usize),
    /// Version of a column group.
    Version(usize),
    /// The highest rank ever seen.
    Rank,
    /// What a tombstone keeps.
    Kept,
    /// What may come from another row.
    Resolved,
    /// Fingerprint of the event.
    EventHash,
    /// Until when the row was true.
    ValidTo,
    /// The run that wrote the row.
    RunId,
    /// When.
    IngestedAt,
}

/// A Silver table, ready to be merged into.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// Columns of the table.
    pub(crate) schema: SchemaRef,
    /// By column: what it is for.
    pub(crate) roles: Vec<Role>,
    /// Names of the key columns.
    pub(crate) key: Vec<String>,
    /// How many of them name the thing whose rows are read together: all, but for a history all but the last.
    pub(crate) thing: usize,
    /// Number of column groups, at least 1.
    pub(crate) groups: usize,
    /// Names of the version columns, by group.
    pub(crate) versions: Vec<String>,
    /// By group: columns that are compared to tell whether two rows are equal.
    pub(crate) content: Vec<Vec<String>>,
    /// By group: whether its content holds personal data.
    pub(crate) personal: Vec<bool>,
    /// Ranks, lowest first.
    pub(crate) ranks: Vec<String>,
    /// The column of ranks.
    pub(crate) rank: Option<String>,
    /// Columns that a tombstone keeps.
    pub(crate) keeps: Vec<String>,
    /// What may come from another row, and how.
    pub(crate) resolve: Option<Resolve>,
}

impl Shape {
    /// Prepares the table of a contract whose rows come by some routes.
    pub(crate) fn new(contract: &Contract, routes: &[RoutePlan]) -> anyhow::Result<Self> {
        let Some(silver) = contract.silver() else { return Err(fault::contract(contract, "it is no Silver contract")) };
        let key: Vec<String> = contract.key().into_iter().map(str::to_owned).collect();
        let history = silver.kind == SilverKind::History;
        let time_last =
            key.last().and_then(|name| contract.column(name)).is_some_and(|column| column.kind == ColumnType::Timestamp);
        if key.is_empty() || (history && (key.len() < 2 || !time_last)) {
            return Err(fault::contract(
                contract,
                "rows are merged by their key: declare one (of a history, with the time of the change last)",
            ));
        }
        let groups = silver.groups.len().max(1);
        let names: Vec<Option<&str>> =
            if silver.groups.is_empty() { vec![None] } else { silver.groups.iter().map(|g| Some(g.name.as_str())).collect() };
        let mut roles = Vec::with_capacity(contract.columns.len());
        for column in &contract.columns {
            let role = role(contract, silver, &key, &column.name);
            roles.push(
                role.ok_or_else(|| fault::contract(contract, format_args!("column `{}` belongs to no group", column.name)))?,
            );
        }
        let content: Vec<Vec<String>> = (0..groups).map(|group| content(contract, &roles, routes, group)).collect();
        let is_personal = |name: &String| contract.column(name).is_some_and(|column| column.pii());
        Ok(Self {
            schema: TableSpec::of(contract).schema,
            personal: content.iter().map(|names| names.iter().any(is_personal)).collect(),
            content,
            roles,
            thing: if history { key.len() - 1 } else { key.len() },
            key,
            groups,
            versions: names.into_iter().map(version_column).collect(),
            ranks: silver.rank.as_ref().map(|rank| rank.order.clone()).unwrap_or_default(),
            rank: silver.rank.as_ref().map(|rank| rank.column.clone()),
            keeps: silver.keeps.clone(),
            resolve: silver.resolve.clone(),
        })
    }

    /// Name under which routed batches have a column of the table.
    pub(crate) fn routed_name(&self, column: usize) -> &str {
        match self.roles[column] {
            Role::Version(_) => VERSION,
            Role::EventHash => EVENT_HASH,
            _ => self.schema.field(column).name(),
        }
    }

    /// Says whether rows carry how long they were true.
    pub(crate) fn history(&self) -> bool {
        self.thing < self.key.len()
    }
}

fn role(contract: &Contract, silver: &Silver, key: &[String], name: &str) -> Option<Role> {
    let group_named = |name: &str| silver.groups.iter().position(|group| group.columns.iter().any(|column| column == name));
    let version_of = |name: &str| {
        let own = if silver.groups.is_empty() {
            vec![version_column(None)]
        } else {
            silver.groups.iter().map(|g| version_column(Some(&g.name))).collect()
        };
        own.iter().position(|column| column == name)
    };
    match name {
        "_run_id" => return Some(Role::RunId),
        "_ingested_at" => return Some(Role::IngestedAt),
        "_event_hash" => return Some(Role::EventHash),
        VALID_TO if silver.kind == SilverKind::History => return Some(Role::ValidTo),
        _ => {}
    }
    if let Some(group) = version_of(name) {
        return Some(Role::Version(group));
    }
    if key.iter().any(|column| column == name) {
        return Some(Role::Key);
    }
    if silver.rank.as_ref().is_some_and(|rank| rank.column == name) {
        return Some(Role::Rank);
    }
    let twin_of = contract.column(name).and_then(|column| column.mask.as_ref()).map(|mask| mask.of.as_str());
    if silver.keeps.iter().any(|kept| kept == name || Some(kept.as_str()) == twin_of) {
        return Some(Role::Kept);
    }
    if silver.resolve.as_ref().is_some_and(|resolve| resolve.column == name) {
        return Some(Role::Resolved);
    }
    if silver.groups.is_empty() {
        return Some(Role::Group(0));
    }
    // A masked twin goes with its column.
    group_named(name).or(twin_of.and_then(group_named)).map(Role::Group)
}

/// What is derived, or says how a row was received, is no content.
fn content(contract: &Contract, roles: &[Role], routes: &[RoutePlan], group: usize) -> Vec<String> {
    let received: BTreeSet<&str> = routes
        .iter()
        .flat_map(|route| &route.columns)
        .filter(|column| matches!(column.source, Source::Late | Source::IngestDate))
        .map(|column| column.name.as_str())
        .collect();
    let is_own = |role: &Role| *role == Role::Group(group) || (*role == Role::Kept && group == 0);
    let own = contract.columns.iter().zip(roles).filter(|(_, role)| is_own(role));
    own.filter(|(column, _)| column.mask.is_none() && !received.contains(column.name.as_str()))
        .map(|(column, _)| column.name.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{decode::InputPlan, testing};

    fn shape(contract: &Contract) -> Shape {
        let routes: Vec<RoutePlan> =
            InputPlan::all(contract, &testing::contracts()).unwrap().iter().flat_map(|plan| plan.routes().to_vec()).collect();
        Shape::new(contract, &routes).unwrap()
    }

    #[test]
    fn columns_have_their_roles() {
        let shape = shape(&testing::orders());
        let role = |name: &str| shape.roles[shape.schema.index_of(name).unwrap()];
        assert_eq!(
            (role("order_id"), role("status"), role("currency"), role("paid_at")),
            (Role::Key, Role::Rank, Role::Group(0), Role::Group(1))
        );
        assert_eq!(
            (role("card_last4_masked"), role("_payment_version"), role("_run_id")),
            (Role::Group(1), Role::Version(1), Role::RunId)
        );
        assert_eq!(shape.content[0], ["customer_id", "currency", "source", "placed_at"]);
        assert_eq!(shape.content[1], ["method", "card_last4", "paid_at"]);
        assert_eq!(shape.personal, [false, true, false]);
        assert_eq!((shape.groups, shape.thing, shape.history()), (3, 1, false));
    }

    #[test]
    fn a_table_without_groups_is_one_group() {
        let shape = shape(&testing::items());
        assert_eq!((shape.groups, shape.versions.as_slice()), (1, ["_version".to_owned()].as_slice()));
        assert_eq!(shape.content[0], ["quantity", "net", "at"]);
    }
}
