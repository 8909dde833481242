//! A JSON record as its contract declares it, prepared once per run.

use super::{
    check::CheckPlan,
    field::{FieldPlan, KindBit, Kinds, NullTokens},
    pointer::{PointerError, Tree, Trees},
    rule::{Rule, Rules},
};
use crate::{
    fault,
    route::{Fields, RoutePlan},
};
use lake_core::{
    Contract,
    contract::{
        ColumnType, Field,
        check::{LINES_CONFLICT, LINES_MISSING, PAYLOAD_UNDECODABLE},
        layer::{Lines, Record, SilverInput},
    },
};

/// A record, ready to be read.
#[derive(Debug, Clone)]
pub(crate) struct RecordPlan {
    /// Number of the input.
    pub(crate) input: usize,
    /// All pointers.
    pub(crate) trees: Trees,
    /// Fields, each with its slot.
    pub(crate) fields: Vec<(FieldPlan, usize)>,
    /// Place of the field with the kind of record.
    pub(crate) discriminator: usize,
    /// Place of the field that identifies the record.
    pub(crate) identity: usize,
    /// Place of the field with the record's time: its sequence.
    pub(crate) sequence: usize,
    /// Place of the field from which lateness is measured.
    pub(crate) happened: usize,
    /// Kinds of record that the contracts name.
    pub(crate) kinds: Kinds,
    /// The input's routes.
    pub(crate) routes: Vec<RoutePlan>,
    /// Number of the first of them among those of all inputs.
    pub(crate) first_route: usize,
    /// Lines.
    pub(crate) lines: Option<LinesPlan>,
    /// How late a record may come, in microseconds.
    pub(crate) late_window: Option<i64>,
    /// Ids of the rules.
    pub(crate) rules: Rules,
    /// What bytes that are no record break.
    pub(crate) undecodable: Rule,
    by_kind: Vec<Option<usize>>,
    any_kind: Option<usize>,
}

/// The lines of a record.
#[derive(Debug, Clone)]
pub(crate) struct LinesPlan {
    /// Fields, each with its slot.
    pub(crate) fields: Vec<(FieldPlan, usize)>,
    /// Place of the field that numbers the lines.
    pub(crate) key: usize,
    /// Kinds that must have lines.
    pub(crate) required: KindBit,
    /// What a line must keep.
    pub(crate) checks: Vec<CheckPlan>,
    /// No line where there must be one.
    pub(crate) missing: Rule,
    /// No list of objects where the lines should be.
    pub(crate) malformed: Rule,
    /// One number with two contents.
    pub(crate) conflict: Rule,
}

/// A contract's input together with what the input's own contract says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InputOf<'a> {
    /// The Silver contract.
    pub(crate) contract: &'a Contract,
    /// Number of the input.
    pub(crate) number: usize,
    /// The input.
    pub(crate) input: &'a SilverInput,
    /// Number of its first route.
    pub(crate) first_route: usize,
}

impl RecordPlan {
    /// Prepares a record for one input of a Silver contract.
    pub(crate) fn new(of: InputOf<'_>, record: &Record) -> anyhow::Result<Self> {
        let kinds = kinds(of, record)?;
        let nulls = NullTokens::new(&record.null_tokens);
        let (mut rules, mut trees) = (Rules::default(), Trees::default());
        let refused = |problem: String| fault::contract(of.contract, format_args!("input `{}`: {problem}", of.input.table));
        let plain = |fields: &[Field], tree: &mut Tree, rules: &mut Rules| -> Result<Vec<(FieldPlan, usize)>, PointerError> {
            fields.iter().map(|field| Ok((FieldPlan::new(field, &kinds, &nulls, rules), tree.leaf(&field.from)?))).collect()
        };
        let fields = plain(&record.fields, &mut trees.record, &mut rules).map_err(|e| refused(e.0))?;
        let lines = match &record.lines {
            None => None,
            Some(lines) => {
                trees.record.lines(&lines.pointer).map_err(|e| refused(e.0))?;
                let fields = plain(&lines.fields, &mut trees.line, &mut rules).map_err(|e| refused(e.0))?;
                Some(LinesPlan::new(lines, fields, &kinds, &mut rules).map_err(refused)?)
            }
        };
        let place = |name: &String| {
            fields.iter().position(|(field, _)| field.name == *name).ok_or_else(|| refused(format!("unknown field `{name}`")))
        };
        let own: Vec<FieldPlan> = fields.iter().map(|(field, _)| field.clone()).collect();
        let of_lines: Vec<FieldPlan> =
            lines.iter().flat_map(|lines| lines.fields.iter().map(|(field, _)| field.clone())).collect();
        let known = Fields { record: &own, lines: &of_lines };
        let routes: Vec<RoutePlan> =
            of.input.routes.iter().map(|route| RoutePlan::new(of.contract, of.number, route, known)).collect::<Result<_, _>>()?;
        let route_of = |kind: Option<&String>| {
            of.input.routes.iter().position(|r| r.when.is_empty() || kind.is_some_and(|kind| r.when.contains(kind)))
        };
        let plan = Self {
            input: of.number,
            discriminator: place(&record.discriminator)?,
            identity: place(&record.identity)?,
            sequence: place(&record.event_time)?,
            happened: place(of.input.event_time.as_ref().unwrap_or(&record.event_time))?,
            by_kind: kinds.names().map(|kind| route_of(Some(kind))).collect(),
            any_kind: route_of(None),
            routes,
            first_route: of.first_route,
            lines,
            late_window: of.input.late_window.and_then(|span| span.0.num_microseconds()),
            undecodable: rules.add(PAYLOAD_UNDECODABLE),
            trees,
            fields,
            kinds,
            rules,
        };
        plan.sound().map_err(refused)?;
        Ok(plan)
    }

    /// Returns the route of a kind of record.
    pub(crate) fn route(&self, kind: Option<usize>) -> Option<usize> {
        kind.map_or(self.any_kind, |kind| self.by_kind[kind])
    }

    /// Says whether rows carry the fingerprint of their event.
    pub(crate) fn hashed(&self) -> bool {
        self.routes.iter().any(|route| route.hashed)
    }

    fn sound(&self) -> Result<(), String> {
        for (at, kind) in [
            (self.discriminator, ColumnType::String),
            (self.identity, ColumnType::String),
            (self.sequence, ColumnType::Timestamp),
        ] {
            let (field, _) = &self.fields[at];
            if field.kind != kind || !field.envelope || !field.always_required() {
                return Err(format!("field `{}` must be {kind}, required, and of every kind of record", field.name));
            }
        }
        if self.fields[self.happened].0.kind != ColumnType::Timestamp {
            return Err(format!("event time `{}` must be TIMESTAMP", self.fields[self.happened].0.name));
        }
        if self.lines.is_none() && self.routes.iter().any(|route| route.explode) {
            return Err("a route explodes lines that the record does not declare".to_owned());
        }
        Ok(())
    }
}

impl LinesPlan {
    fn new(lines: &Lines, fields: Vec<(FieldPlan, usize)>, kinds: &Kinds, rules: &mut Rules) -> Result<Self, String> {
        let own: Vec<FieldPlan> = fields.iter().map(|(field, _)| field.clone()).collect();
        let key =
            own.iter().position(|field| field.name == lines.key).ok_or_else(|| format!("unknown line key `{}`", lines.key))?;
        if !matches!(own[key].kind, ColumnType::Int | ColumnType::Long | ColumnType::String) {
            return Err(format!("line key `{}` must be a whole number or text", lines.key));
        }
        let checks = lines.checks.iter().map(|check| CheckPlan::new(check, &own, kinds, rules)).collect::<Result<_, _>>()?;
        Ok(Self {
            key,
            required: kinds.bits(&lines.required_when),
            checks,
            missing: rules.add(LINES_MISSING),
            malformed: rules.add("lines_invalid"),
            conflict: rules.add(LINES_CONFLICT),
            fields,
        })
    }
}

/// All kinds of record that the two contracts name.
fn kinds(of: InputOf<'_>, record: &Record) -> anyhow::Result<Kinds> {
    let mut kinds = Kinds::default();
    let lines = record.lines.as_ref();
    for field in record.fields.iter().chain(lines.iter().flat_map(|lines| &lines.fields)) {
        kinds.add(&field.when);
        kinds.add(&field.required_when);
        if field.name == record.discriminator {
            kinds.add(&field.allowed);
        }
    }
    lines.iter().for_each(|lines| kinds.add(&lines.required_when));
    lines.iter().flat_map(|lines| &lines.checks).for_each(|check| kinds.add(&check.when));
    of.input.routes.iter().for_each(|route| kinds.add(&route.when));
    if kinds.len() > Kinds::MAX {
        return Err(fault::contract(
            of.contract,
            format_args!("input `{}` has more than {} kinds of record", of.input.table, Kinds::MAX),
        ));
    }
    Ok(kinds)
}
