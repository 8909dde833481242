//! What a row must keep beyond the types of its fields.

use super::{
    field::{Cell, FieldPlan, KindBit, Kinds, scale},
    number,
    rule::{Rule, Rules},
};
use lake_core::contract::{ColumnType, RowCheck};

/// An exact number: an integer and its decimals.
pub(crate) type Exact = (i128, i8);

#[derive(Debug, Clone)]
enum Test {
    Minimum(usize, i64),
    /// result, left, right
    Difference(usize, usize, usize),
    AnyPositive(Vec<usize>),
}

/// A check, ready to test rows.
#[derive(Debug, Clone)]
pub(crate) struct CheckPlan {
    /// What a row that fails breaks.
    pub(crate) rule: Rule,
    kinds: Option<KindBit>,
    test: Test,
}

impl CheckPlan {
    /// Prepares a check over some fields; the error says what is wrong with it.
    pub(crate) fn new(check: &RowCheck, fields: &[FieldPlan], kinds: &Kinds, rules: &mut Rules) -> Result<Self, String> {
        let field = |name: &String| {
            let at = fields.iter().position(|field| field.name == *name);
            let at = at.ok_or_else(|| format!("check `{}` names unknown field `{name}`", check.id))?;
            match fields[at].kind {
                ColumnType::Int | ColumnType::Long | ColumnType::Decimal(..) => Ok(at),
                kind => Err(format!("check `{}` needs an exact number, but `{name}` is {kind}", check.id)),
            }
        };
        let test = match (&check.minimum, &check.difference, &check.any_positive) {
            (Some(minimum), None, None) => Test::Minimum(field(&minimum.field)?, minimum.value),
            (None, Some(d), None) => Test::Difference(field(&d.result)?, field(&d.left)?, field(&d.right)?),
            (None, None, Some(names)) => Test::AnyPositive(names.iter().map(field).collect::<Result<_, _>>()?),
            _ => return Err(format!("check `{}` must have exactly one of minimum, difference, anyPositive", check.id)),
        };
        let kinds = (!check.when.is_empty()).then(|| kinds.bits(&check.when));
        Ok(Self { rule: rules.add(&check.id), kinds, test })
    }

    /// Says whether a row keeps the check. Nulls pass: that a field is there is another rule.
    pub(crate) fn holds(&self, kind: KindBit, number: impl Fn(usize) -> Option<Exact>) -> bool {
        if self.kinds.is_some_and(|kinds| kinds & kind == 0) {
            return true;
        }
        match &self.test {
            Test::Minimum(field, value) => number(*field).is_none_or(|found| at_least(found, *value)),
            Test::Difference(result, left, right) => match (number(*result), number(*left), number(*right)) {
                (Some(result), Some(left), Some(right)) => is_difference(result, left, right),
                _ => true,
            },
            Test::AnyPositive(fields) => {
                let mut found = fields.iter().filter_map(|field| number(*field)).peekable();
                found.peek().is_none() || found.any(|(value, _)| value > 0)
            }
        }
    }
}

/// Returns the exact number of a cell of a field.
pub(crate) fn exact(cell: &Cell<'_>, field: &FieldPlan) -> Option<Exact> {
    match cell {
        Cell::Integer(value) => Some((i128::from(*value), 0)),
        Cell::Decimal(value) => Some((*value, scale(field.kind))),
        _ => None,
    }
}

fn at_least((value, decimals): Exact, minimum: i64) -> bool {
    match number::rescaled(i128::from(minimum), 0, decimals) {
        Some(minimum) => value >= minimum,
        // So large a minimum is out of reach of the type; so small a one is always reached.
        None => minimum < 0,
    }
}

fn is_difference(result: Exact, left: Exact, right: Exact) -> bool {
    let decimals = result.1.max(left.1).max(right.1);
    let at = |(value, from)| number::rescaled(value, from, decimals);
    let (Some(result), Some(left), Some(right)) = (at(result), at(left), at(right)) else { return false };
    left.checked_sub(right) == Some(result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lake_core::contract::check::{Difference, Minimum};

    #[test]
    fn amounts_of_different_decimals_compare_exactly() {
        assert!(is_difference((1, 0), (150, 2), (5, 1)));
        assert!(!is_difference((1, 0), (151, 2), (5, 1)));
        assert!(is_difference((-5, 2), (0, 2), (5, 2)));
        assert!(at_least((100, 2), 1) && !at_least((99, 2), 1) && at_least((0, 2), 0) && !at_least((-1, 2), 0));
    }

    fn check(test: Test, when: &[&str]) -> CheckPlan {
        let mut kinds = Kinds::default();
        kinds.add(&["A".into(), "B".into()]);
        let when: Vec<String> = when.iter().map(|kind| (*kind).to_owned()).collect();
        let kinds = (!when.is_empty()).then(|| kinds.bits(&when));
        CheckPlan { rule: Rules::default().add("x"), kinds, test }
    }

    #[test]
    fn nulls_and_other_kinds_pass() {
        let minimum = check(Test::Minimum(0, 1), &["A"]);
        assert!(!minimum.holds(1, |_| Some((0, 0))));
        assert!(minimum.holds(2, |_| Some((0, 0))));
        assert!(minimum.holds(1, |_| None));
        let any = check(Test::AnyPositive(vec![0, 1]), &[]);
        assert!(any.holds(0, |_| None));
        assert!(!any.holds(0, |at| (at == 0).then_some((0, 2))));
        assert!(any.holds(0, |at| (at == 1).then_some((1, 2))));
        let difference = check(Test::Difference(0, 1, 2), &[]);
        assert!(difference.holds(0, |at| (at != 2).then_some((7, 0))));
        assert!(!difference.holds(0, |_| Some((7, 0))));
    }

    #[test]
    fn unsound_checks_are_refused() {
        let mut row = RowCheck {
            id: "c".into(),
            when: Vec::new(),
            minimum: Some(Minimum { field: "gone".into(), value: 0 }),
            difference: None,
            any_positive: None,
        };
        let refused = |row: &RowCheck| CheckPlan::new(row, &[], &Kinds::default(), &mut Rules::default()).unwrap_err();
        assert!(refused(&row).contains("unknown field `gone`"));
        row.difference = Some(Difference { result: "a".into(), left: "b".into(), right: "c".into() });
        assert!(refused(&row).contains("exactly one"));
    }
}
