//! `largest_remainder(total, weight) OVER (PARTITION BY ... ORDER BY ...)`: each row's part of a total, to the last digit.
//!
//! Every part is its exact share rounded down; the digits that are left go, one each, to the rows with the largest remainders,
//! among equal ones to the first in the window's order. So the parts of a partition are the total exactly, each is less than one
//! digit away from its exact share, and a row of weight 0 has nothing.

use arrow::{
    array::{Array as _, ArrayRef, AsArray as _, Decimal128Array},
    datatypes::{DataType, Decimal128Type, Field, FieldRef, Int64Type},
};
use deltalake::datafusion::{
    common::{Result, exec_err, plan_err},
    logical_expr::{
        PartitionEvaluator, Signature, Volatility, WindowUDF, WindowUDFImpl,
        function::{PartitionEvaluatorArgs, WindowUDFFieldArgs},
    },
};
use std::{cmp::Reverse, sync::Arc};

/// The window function.
pub(super) fn function() -> WindowUDF {
    WindowUDF::from(LargestRemainder { signature: Signature::user_defined(Volatility::Immutable) })
}

/// Splits `total` in the proportion of the weights; see the module. `None` where there is nothing to split by: a negative
/// number, weights that are all 0, or one too large to compute with.
fn parts(total: i128, weights: &[i64]) -> Option<Vec<i128>> {
    if total < 0 || weights.iter().any(|weight| *weight < 0) {
        return None;
    }
    if total == 0 {
        return Some(vec![0; weights.len()]);
    }
    let sum: i128 = weights.iter().copied().map(i128::from).sum();
    if sum == 0 {
        return None;
    }
    // total x weight may be too large for a number, weight x (total mod sum) is not for weights in use.
    let (whole, rest) = (total / sum, total % sum);
    let split = |weight: &i64| {
        let weight = i128::from(*weight);
        rest.checked_mul(weight).map(|product| (whole * weight + product / sum, product % sum))
    };
    let split: Vec<(i128, i128)> = weights.iter().map(split).collect::<Option<_>>()?;
    let mut parts: Vec<i128> = split.iter().map(|(part, _)| *part).collect();
    let left = total - parts.iter().sum::<i128>();
    let mut places: Vec<usize> = (0..parts.len()).collect();
    // The sort is stable: among equal remainders the first place comes first.
    places.sort_by_key(|place| Reverse(split[*place].1));
    for place in places.into_iter().take(usize::try_from(left).ok()?) {
        parts[place] += 1;
    }
    Some(parts)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct LargestRemainder {
    signature: Signature,
}

impl WindowUDFImpl for LargestRemainder {
    fn name(&self) -> &'static str {
        "largest_remainder"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [total @ DataType::Decimal128(..), weight] if weight.is_integer() => Ok(vec![total.clone(), DataType::Int64]),
            _ => plan_err!("largest_remainder needs a DECIMAL total and a whole number as weight"),
        }
    }

    fn field(&self, given: WindowUDFFieldArgs<'_>) -> Result<FieldRef> {
        match given.get_input_field(0) {
            Some(total) => Ok(Arc::new(Field::new(given.name(), total.data_type().clone(), true))),
            None => plan_err!("largest_remainder needs a total"),
        }
    }

    fn partition_evaluator(&self, _: PartitionEvaluatorArgs<'_>) -> Result<Box<dyn PartitionEvaluator>> {
        Ok(Box::new(Partition))
    }
}

/// One partition, its rows in the window's order.
#[derive(Debug)]
struct Partition;

impl PartitionEvaluator for Partition {
    fn evaluate_all(&mut self, values: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let (totals, weights) = (values[0].as_primitive::<Decimal128Type>(), values[1].as_primitive::<Int64Type>());
        if totals.null_count() + weights.null_count() > 0 {
            return exec_err!("largest_remainder has no share of a null");
        }
        let total = if rows == 0 { 0 } else { totals.value(0) };
        if totals.values().iter().any(|other| *other != total) {
            return exec_err!("largest_remainder splits one total per partition");
        }
        let Some(parts) = parts(total, weights.values()) else {
            return exec_err!("largest_remainder splits what is not negative by weights that are not all 0");
        };
        let parts = Decimal128Array::from_iter_values(parts).with_precision_and_scale(totals.precision(), totals.scale())?;
        Ok(Arc::new(parts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    #[test]
    fn what_is_left_goes_to_the_largest_remainders_and_among_equal_ones_to_the_first() {
        assert_eq!(parts(100_001, &[1, 1, 1]), Some(vec![33_334, 33_334, 33_333]));
        assert_eq!(parts(100_001, &[2, 1, 2]), Some(vec![40_001, 20_000, 40_000]));
        assert_eq!(parts(10_000, &[1, 1, 1]), Some(vec![3_334, 3_333, 3_333]));
        assert_eq!(parts(10, &[1, 2, 4]), Some(vec![1, 3, 6]));
        assert_eq!(parts(7, &[0, 1, 0]), Some(vec![0, 7, 0]));
        assert_eq!(parts(1, &[1, 1]), Some(vec![1, 0]));
        assert_eq!(parts(0, &[0, 0]), Some(vec![0, 0]));
        assert_eq!(parts(0, &[]), Some(Vec::new()));
    }

    #[test]
    fn there_is_no_share_of_or_by_what_is_negative_and_none_by_nothing() {
        assert_eq!(parts(-1, &[1]), None);
        assert_eq!(parts(1, &[2, -1]), None);
        assert_eq!(parts(1, &[0, 0]), None);
        assert_eq!(parts(1, &[]), None);
        assert_eq!(parts(3 * i128::from(i64::MAX) - 1, &[i64::MAX; 3]), None, "too large to compute with");
    }

    fn some_weight(weights: &[i64]) -> bool {
        weights.iter().any(|weight| *weight > 0)
    }

    proptest! {
        #[test]
        fn parts_are_the_total_exactly_and_less_than_one_digit_from_their_share(
            total in 0..10_i128.pow(18),
            weights in vec(prop_oneof![Just(0), 1..5_i64, 0..=1_000_000_000_000_i64], 1..40).prop_filter("some weight", |w| some_weight(w)),
        ) {
            let parts = parts(total, &weights).unwrap();
            let sum: i128 = weights.iter().copied().map(i128::from).sum();
            prop_assert_eq!(parts.iter().sum::<i128>(), total);
            for (part, weight) in parts.iter().zip(&weights) {
                prop_assert!(*part >= 0);
                prop_assert!((part * sum - total * i128::from(*weight)).abs() < sum);
                prop_assert!(*weight > 0 || *part == 0);
            }
        }

        #[test]
        fn a_larger_weight_never_gets_less_by_more_than_the_order_of_equals(
            total in 0..1_000_000_i128,
            weights in vec(0..50_i64, 1..12).prop_filter("some weight", |w| some_weight(w)),
        ) {
            let parts = parts(total, &weights).unwrap();
            for (one, other) in (0..parts.len()).flat_map(|one| (0..parts.len()).map(move |other| (one, other))) {
                if weights[one] == weights[other] {
                    prop_assert!((parts[one] - parts[other]).abs() <= 1);
                    prop_assert!(one > other || parts[one] >= parts[other]);
                } else if weights[one] > weights[other] {
                    prop_assert!(parts[one] + 1 >= parts[other]);
                }
            }
        }
    }
}
