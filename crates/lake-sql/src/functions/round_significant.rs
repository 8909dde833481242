//! `round_significant(x, digits)`: a decimal with only its first `digits` digits, half away from zero.
//!
//! It shows how large a number is without telling the number. The result is exact: decimals in, decimals out, with room for the
//! digit more that rounding up may need.

use arrow::{
    array::{ArrayRef, AsArray as _, Decimal128Array},
    datatypes::{DECIMAL128_MAX_PRECISION, DataType, Decimal128Type, Int64Type},
};
use deltalake::datafusion::{
    common::{Result, exec_err, plan_err},
    logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility},
};
use std::sync::Arc;

/// The function.
pub(super) fn function() -> ScalarUDF {
    ScalarUDF::from(RoundSignificant { signature: Signature::user_defined(Volatility::Immutable) })
}

/// Rounds a number of any unit to its first digits; see the module.
fn rounded(value: i128, digits: u32) -> i128 {
    let magnitude = value.unsigned_abs();
    let length = magnitude.checked_ilog10().map_or(0, |tens| tens + 1);
    if length <= digits {
        return value;
    }
    // A decimal has at most 38 digits, so neither the unit nor the sum overflows.
    let unit = 10_u128.pow(length - digits);
    let rounded = ((magnitude + unit / 2) / unit * unit).cast_signed();
    if value < 0 { -rounded } else { rounded }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct RoundSignificant {
    signature: Signature,
}

impl ScalarUDFImpl for RoundSignificant {
    fn name(&self) -> &'static str {
        "round_significant"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [value @ DataType::Decimal128(..), digits] if digits.is_integer() => Ok(vec![value.clone(), DataType::Int64]),
            _ => plan_err!("round_significant needs a DECIMAL and a whole number of digits"),
        }
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        match given {
            [DataType::Decimal128(precision, scale), _] => {
                Ok(DataType::Decimal128((precision + 1).min(DECIMAL128_MAX_PRECISION), *scale))
            }
            _ => plan_err!("round_significant needs a DECIMAL and a whole number of digits"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let DataType::Decimal128(precision, scale) = *args.return_type() else {
            return exec_err!("round_significant returns a DECIMAL");
        };
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let (values, digits) = (arrays[0].as_primitive::<Decimal128Type>(), arrays[1].as_primitive::<Int64Type>());
        let mut results = Vec::with_capacity(values.len());
        for (value, digits) in values.iter().zip(digits) {
            let (Some(value), Some(digits)) = (value, digits) else {
                results.push(None);
                continue;
            };
            match u32::try_from(digits) {
                Ok(digits @ 1..) => results.push(Some(rounded(value, digits))),
                _ => return exec_err!("round_significant needs at least one digit"),
            }
        }
        let results = Decimal128Array::from(results).with_precision_and_scale(precision, scale)?;
        results.validate_decimal_precision(precision)?;
        let results: ArrayRef = Arc::new(results);
        Ok(ColumnarValue::Array(results))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_first_digits_stay_and_halves_go_away_from_zero() {
        for (value, expected) in [
            (0, 0),
            (7, 7),
            (999, 999),
            (-999, -999),
            (1_234, 1_230),
            (1_235, 1_240),
            (-1_235, -1_240),
            (1_234_999, 1_230_000),
            (1_235_000, 1_240_000),
            (9_995, 10_000),
            (-9_995, -10_000),
            (9_994, 9_990),
        ] {
            assert_eq!(rounded(value, 3), expected, "{value}");
        }
        assert_eq!(rounded(10_i128.pow(38) - 1, 3), 10_i128.pow(38));
        assert_eq!(rounded(15, 1), 20);
    }

    /// Numbers of every length, not only long ones.
    fn numbers() -> impl Strategy<Value = i128> {
        (0..=38_u32, 0..10_i128.pow(18), any::<bool>()).prop_map(|(length, digits, negative)| {
            let value = digits * 10_i128.pow(19) % 10_i128.pow(length) + digits % 10_i128.pow(length.min(18));
            if negative { -value } else { value }
        })
    }

    fn length(value: i128) -> u32 {
        value.unsigned_abs().checked_ilog10().map_or(0, |tens| tens + 1)
    }

    proptest! {
        #[test]
        fn only_the_first_digits_are_left_and_they_are_the_nearest(value in numbers(), digits in 1..12_u32) {
            let rounded = rounded(value, digits);
            let unit = 10_i128.pow(length(value).saturating_sub(digits));
            prop_assert_eq!(rounded % unit, 0);
            prop_assert!((rounded - value).abs() * 2 <= unit.max(2), "{} is not near {}", rounded, value);
            if (rounded - value).abs() * 2 == unit {
                prop_assert!(rounded.abs() > value.abs(), "a half went towards zero");
            }
        }

        #[test]
        fn rounding_again_or_turning_the_sign_changes_nothing_else(value in numbers(), digits in 1..12_u32) {
            let once = rounded(value, digits);
            prop_assert_eq!(rounded(once, digits), once);
            prop_assert_eq!(rounded(-value, digits), -once);
        }

        #[test]
        fn the_order_of_numbers_stays(one in numbers(), other in numbers(), digits in 1..12_u32) {
            let (low, high) = if one <= other { (one, other) } else { (other, one) };
            prop_assert!(rounded(low, digits) <= rounded(high, digits));
        }
    }
}
