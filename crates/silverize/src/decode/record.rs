//! Reads records: one pass over each payload, one verdict for each record.
//!
//! In this order: bytes that are no record, the envelope, the route (none: filtered), the other fields and the lines, the late
//! window, repeated lines. A record with anything broken is left over as a whole.

use super::{
    Decoded,
    check::exact,
    field::{Cell, KindBit, Value},
    meta::Meta,
    pointer::Found,
    record_plan::{LinesPlan, RecordPlan},
    rule::{Rule, broken},
    sink::{RowContext, Sink},
};
use crate::{
    leftover::{LATE_WINDOW, Leftover, Reason},
    route::Routed,
    version,
};
use arrow::array::RecordBatch;
use std::{cmp::Ordering, fmt::Write as _};

impl RecordPlan {
    /// Decodes a batch of Bronze rows.
    pub(crate) fn decode(&self, batch: &RecordBatch, delta_version: i64) -> anyhow::Result<Decoded> {
        let meta = Meta::of(batch)?;
        let mut reader = Reader::new(self, delta_version, batch.num_rows());
        for row in 0..batch.num_rows() {
            reader.row(&meta, row);
        }
        reader.finish()
    }
}

/// State of reading one batch; the scratch is reused from record to record.
struct Reader<'p, 'a> {
    plan: &'p RecordPlan,
    delta_version: i64,
    found: Found<'a>,
    cells: Vec<Cell<'a>>,
    lines: Vec<Cell<'a>>,
    /// Places of the lines that count, each content once.
    distinct: Vec<usize>,
    broken: Vec<Rule>,
    version: String,
    hash: String,
    sinks: Vec<Sink<'p>>,
    decoded: Decoded,
}

impl<'p, 'a> Reader<'p, 'a> {
    fn new(plan: &'p RecordPlan, delta_version: i64, rows: usize) -> Self {
        Self {
            plan,
            delta_version,
            found: Found::default(),
            cells: vec![Cell::Null; plan.fields.len()],
            lines: Vec::new(),
            distinct: Vec::new(),
            broken: Vec::new(),
            version: String::new(),
            hash: String::new(),
            sinks: plan.routes.iter().map(|route| Sink::new(route, rows / 4)).collect(),
            decoded: Decoded { rows: rows as u64, ..Decoded::default() },
        }
    }

    fn row(&mut self, meta: &Meta<'a>, row: usize) {
        if let Some(rules) = meta.violations(row) {
            return self.leave(meta, row, Reason::Quarantined, rules, 0);
        }
        self.broken.clear();
        let payload = meta.payload(row).map(without_prefix);
        if !payload.is_some_and(|payload| self.found.read(&self.plan.trees, payload)) {
            broken(&mut self.broken, self.plan.undecodable);
            return self.quarantine(meta, row, 0);
        }
        let kind = self.envelope();
        if !self.broken.is_empty() {
            return self.quarantine(meta, row, 0);
        }
        let Some(route) = self.plan.route(kind) else {
            return self.filter();
        };
        let bit = kind.map_or(0, |kind| 1 << kind);
        let explode = self.plan.routes[route].explode;
        self.rest(bit, explode);
        let units = if explode { self.found.lines.count } else { 0 };
        if !self.broken.is_empty() {
            return self.quarantine(meta, row, units);
        }
        let happened = instant(&self.cells[self.plan.happened]);
        if self.plan.late_window.is_some_and(|window| happened.is_some_and(|at| meta.behind(row, at, window))) {
            return self.leave(meta, row, Reason::Held, LATE_WINDOW, units);
        }
        self.take(meta, row, route, happened.is_some_and(|at| meta.late(row, at)));
    }

    /// Judges the fields that every record has and returns the place of its kind.
    fn envelope(&mut self) -> Option<usize> {
        let plan = self.plan;
        self.cells.fill_with(|| Cell::Null);
        self.judge(plan.discriminator, 0);
        let kind = match &self.cells[plan.discriminator] {
            Cell::Text(name) => plan.kinds.place(name),
            _ => None,
        };
        let bit = kind.map_or(0, |kind| 1 << kind);
        for (at, (field, _)) in plan.fields.iter().enumerate() {
            if field.envelope && at != plan.discriminator {
                self.judge(at, bit);
            }
        }
        kind
    }

    fn judge(&mut self, at: usize, kind: KindBit) {
        let (field, slot) = &self.plan.fields[at];
        self.cells[at] = field.judge(Value::of_json(self.found.slots[*slot]), kind, &mut self.broken);
    }

    /// Judges everything else; lines of kinds that need none, and that no route wants, are not looked at.
    fn rest(&mut self, kind: KindBit, explode: bool) {
        for (at, (field, _)) in self.plan.fields.iter().enumerate() {
            if !field.envelope {
                self.judge(at, kind);
            }
        }
        self.lines.clear();
        self.distinct.clear();
        if let Some(lines) = &self.plan.lines
            && (explode || lines.required & kind != 0)
        {
            self.judge_lines(lines, kind);
        }
    }

    fn judge_lines(&mut self, plan: &LinesPlan, kind: KindBit) {
        let found = &self.found.lines;
        if found.malformed {
            return broken(&mut self.broken, plan.malformed);
        }
        if found.count == 0 && plan.required & kind != 0 {
            return broken(&mut self.broken, plan.missing);
        }
        let stride = self.plan.trees.line.slots();
        for line in 0..found.count {
            let slots = &found.slots[line * stride..(line + 1) * stride];
            let from = self.lines.len();
            for (field, slot) in &plan.fields {
                self.lines.push(field.judge(Value::of_json(slots[*slot]), kind, &mut self.broken));
            }
            let cells = &self.lines[from..];
            for check in &plan.checks {
                if !check.holds(kind, |at| exact(&cells[at], &plan.fields[at].0)) {
                    broken(&mut self.broken, check.rule);
                }
            }
        }
        if !distinct_lines(&self.lines, plan, &mut self.distinct) {
            broken(&mut self.broken, plan.conflict);
        }
    }

    /// Hands the record's rows to its route.
    fn take(&mut self, meta: &Meta<'a>, row: usize, route: usize, late: bool) {
        let plan = self.plan;
        let at = instant(&self.cells[plan.sequence]).unwrap_or_default();
        let identity = if let Cell::Text(id) = &self.cells[plan.identity] { id.as_ref() } else { "" };
        version::write(&mut self.version, at, meta.stream_place(row), identity);
        if plan.hashed() {
            self.fingerprint();
        }
        let context = RowContext { version: &self.version, hash: &self.hash, late, ingest_date: meta.ingest_date(row) };
        if !plan.routes[route].explode {
            self.decoded.ledger.read += 1;
            return self.sinks[route].push(&self.cells, &[], context);
        }
        let (count, stride) = (self.found.lines.count, plan.lines.as_ref().map_or(0, |lines| lines.fields.len()));
        if count == 0 {
            return self.filter();
        }
        self.decoded.ledger.read += count as u64;
        self.decoded.ledger.duplicate += (count - self.distinct.len()) as u64;
        for line in &self.distinct {
            self.sinks[route].push(&self.cells, &self.lines[line * stride..(line + 1) * stride], context);
        }
    }

    /// Everything that the record says but its id, as one hash: equal events have equal ones.
    fn fingerprint(&mut self) {
        let mut text = String::with_capacity(512);
        for (at, cell) in self.cells.iter().enumerate() {
            if at != self.plan.identity {
                write_cell(&mut text, cell);
            }
        }
        if let Some(plan) = &self.plan.lines {
            let mut order = self.distinct.clone();
            order.sort_by(|a, b| key_order(&self.lines, plan, *a, *b));
            for line in order {
                text.push('\n');
                self.lines[line * plan.fields.len()..(line + 1) * plan.fields.len()]
                    .iter()
                    .for_each(|cell| write_cell(&mut text, cell));
            }
        }
        self.hash = lake_core::mask::sha256_hex(text.as_bytes());
    }

    fn filter(&mut self) {
        self.decoded.ledger.read += 1;
        self.decoded.ledger.filtered += 1;
    }

    fn quarantine(&mut self, meta: &Meta<'a>, row: usize, lines: usize) {
        let rules = self.plan.rules.text(&self.broken);
        self.leave(meta, row, Reason::Quarantined, &rules, lines);
    }

    /// Leaves the record over: as a whole, or once per line.
    fn leave(&mut self, meta: &Meta<'a>, row: usize, reason: Reason, rules: &str, lines: usize) {
        self.decoded.ledger.read += lines.max(1) as u64;
        let numbers = if lines == 0 { vec![None] } else { (1..=lines).map(|line| i32::try_from(line).ok()).collect() };
        self.decoded.leftovers.extend(numbers.into_iter().map(|line| Leftover {
            reason,
            row,
            input: self.plan.input,
            version: self.delta_version,
            position: meta.position(row).to_owned(),
            line,
            rules: rules.to_owned(),
            payload: meta.payload(row).map(<[u8]>::to_vec),
            ingest_date: meta.ingest_date(row),
        }));
    }

    fn finish(mut self) -> anyhow::Result<Decoded> {
        for (at, sink) in self.sinks.into_iter().enumerate() {
            if let Some(batch) = sink.finish()? {
                self.decoded.routed.push(Routed { route: self.plan.first_route + at, batch });
            }
        }
        Ok(self.decoded)
    }
}

/// Cuts the Confluent registry's prefix: a zero byte, which no JSON begins with, and a schema id of four bytes.
///
/// Source: <https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format>.
fn without_prefix(payload: &[u8]) -> &[u8] {
    if payload.first() == Some(&0) { payload.get(5..).unwrap_or_default() } else { payload }
}

const fn instant(cell: &Cell<'_>) -> Option<i64> {
    if let Cell::Instant(micros) = cell { Some(*micros) } else { None }
}

fn key_order(lines: &[Cell<'_>], plan: &LinesPlan, a: usize, b: usize) -> Ordering {
    let key = |line: usize| &lines[line * plan.fields.len() + plan.key];
    match (key(a), key(b)) {
        (Cell::Integer(a), Cell::Integer(b)) => a.cmp(b),
        (Cell::Text(a), Cell::Text(b)) => a.cmp(b),
        (Cell::Null, Cell::Null) => Ordering::Equal,
        (Cell::Null, _) => Ordering::Less,
        _ => Ordering::Greater,
    }
}

/// Finds the lines that count, in their order; `false` when one number has two contents.
fn distinct_lines(lines: &[Cell<'_>], plan: &LinesPlan, distinct: &mut Vec<usize>) -> bool {
    let stride = plan.fields.len();
    distinct.extend(0..lines.len() / stride.max(1));
    // Sources number lines upwards: then there is nothing to compare.
    if distinct.windows(2).all(|pair| key_order(lines, plan, pair[0], pair[1]) == Ordering::Less) {
        return true;
    }
    distinct.sort_by(|a, b| key_order(lines, plan, *a, *b));
    let mut sound = true;
    distinct.dedup_by(|later, first| {
        let same = key_order(lines, plan, *first, *later) == Ordering::Equal;
        sound &= !same || lines[*first * stride..][..stride] == lines[*later * stride..][..stride];
        same
    });
    distinct.sort_unstable();
    sound
}

/// Writes a cell so that no two different ones are written alike.
fn write_cell(out: &mut String, cell: &Cell<'_>) {
    // Writing to a text cannot fail.
    let _ = match cell {
        Cell::Null => write!(out, "n;"),
        Cell::Text(text) => write!(out, "t{}:{text};", text.len()),
        Cell::Integer(value) => write!(out, "i{value};"),
        Cell::Decimal(value) => write!(out, "d{value};"),
        Cell::Double(value) => write!(out, "f{};", value.to_bits()),
        Cell::Boolean(value) => write!(out, "b{value};"),
        Cell::Date(days) => write!(out, "D{days};"),
        Cell::Instant(micros) => write!(out, "T{micros};"),
        Cell::Bytes(bytes) => write!(out, "x{};", lake_core::mask::hex_of(bytes)),
    };
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
