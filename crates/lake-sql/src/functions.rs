//! Our own SQL functions: masking, keys, business time, and the numbers of the policy.
//!
//! | function | returns |
//! |---|---|
//! | `token(text)` | keyed HMAC-SHA256 of the text in lower case, in hex (only where there is a key) |
//! | `domain_class(email)` | `consumer` or `company`, by the policy |
//! | `initial(text)`, `last2(text)`, `decade(date)`, `redact(text)`, `mask_email(text)`, `mask_phone(text)` | partial masks |
//! | `sha256_hex(text)` | SHA-256 in hex |
//! | `business_date(timestamp)` | calendar date in the business time zone |
//! | `as_of_date()` | business date of the last instant of the run's window |
//! | `round_significant(decimal, digits)` | the decimal with only its first digits, half away from zero |
//! | `largest_remainder(total, weight) OVER (...)` | each row's part of a total; the parts are the total exactly |
//! | `fiscal_first_month()`, `suppression_threshold()`, `token_key_id()` | numbers and names of policy and key |
//!
//! A null stays null in each of them, but `largest_remainder` refuses it.

mod largest_remainder;
mod round_significant;

use arrow::{
    array::{ArrayRef, AsArray as _, Date32Array, StringArray},
    datatypes::{DataType, TimeUnit, TimestampMicrosecondType},
};
use deltalake::datafusion::{
    common::{Result, ScalarValue},
    logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, WindowUDF},
};
use lake_core::{
    Policy,
    mask::{self, Method, TokenKey},
};
use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

/// Name of the function that returns the date as of which a run sees the world.
pub(crate) const AS_OF_DATE: &str = "as_of_date";

/// Name of the function that returns the number of people from which on a group is told.
pub(crate) const SUPPRESSION_THRESHOLD: &str = "suppression_threshold";

type Apply = Arc<dyn Fn(ArrayRef) -> ArrayRef + Send + Sync>;

/// A function of one column; functions of one session differ by name.
struct Own {
    name: &'static str,
    signature: Signature,
    output: DataType,
    apply: Apply,
}

/// A function without arguments.
#[derive(Debug)]
struct Constant {
    name: &'static str,
    signature: Signature,
    value: ScalarValue,
}

/// All functions of a session, but those of windows and [`as_of_date`].
pub(crate) fn all(policy: &Policy, key: Option<&TokenKey>) -> Vec<ScalarUDF> {
    let mut functions: Vec<ScalarUDF> = partial_masks();
    let consumers = policy.consumer_email_domains.clone();
    functions.push(of_text(name_of(Method::DomainClass), move |email| {
        let domain = email.rsplit_once('@').map_or("", |(_, domain)| domain).to_lowercase();
        Some(if consumers.contains(&domain) { "consumer".to_owned() } else { "company".to_owned() })
    }));
    functions.push(of_text("sha256_hex", |text| Some(mask::sha256_hex(text.as_bytes()))));
    functions.push(business_date(policy.clone()));
    functions.push(round_significant::function());
    functions.push(constant("fiscal_first_month", ScalarValue::Int64(Some(policy.fiscal_year_first_month.into()))));
    functions.push(constant(SUPPRESSION_THRESHOLD, ScalarValue::Int64(Some(policy.suppression_threshold.into()))));
    if let Some(key) = key {
        functions.push(constant("token_key_id", ScalarValue::Utf8(Some(key.id.clone()))));
        let key = key.clone();
        functions.push(of_text(name_of(Method::Token), move |text| Some(key.token(&text.to_lowercase()))));
    }
    functions
}

/// Functions over windows.
pub(crate) fn of_windows() -> Vec<WindowUDF> {
    vec![largest_remainder::function()]
}

/// The date as of which a run sees the world.
pub(crate) fn as_of_date(date: chrono::NaiveDate) -> ScalarUDF {
    constant(AS_OF_DATE, ScalarValue::Date32(Some(lake_table::columns::days(date))))
}

/// Name of the function that masks by a method.
pub(crate) const fn name_of(method: Method) -> &'static str {
    match method {
        Method::Redact => "redact",
        Method::Initial => "initial",
        Method::Email => "mask_email",
        Method::Phone => "mask_phone",
        Method::Decade => "decade",
        Method::Last2 => "last2",
        Method::Token => "token",
        Method::DomainClass => "domain_class",
    }
}

/// Whether a function of this name masks what it is given.
pub(crate) fn masks(name: &str) -> bool {
    METHODS.into_iter().any(|method| name_of(method) == name)
}

/// Whether a function of this name makes keyed tokens.
pub(crate) fn makes_tokens(name: &str) -> bool {
    name == name_of(Method::Token)
}

const METHODS: [Method; 8] = [
    Method::Redact,
    Method::Initial,
    Method::Email,
    Method::Phone,
    Method::Decade,
    Method::Last2,
    Method::Token,
    Method::DomainClass,
];

fn partial_masks() -> Vec<ScalarUDF> {
    [Method::Redact, Method::Initial, Method::Email, Method::Phone, Method::Decade, Method::Last2]
        .into_iter()
        .map(|method| of_text(name_of(method), move |text| mask::partial(method, text)))
        .collect()
}

fn of_text(name: &'static str, one: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> ScalarUDF {
    let apply = move |array: ArrayRef| -> ArrayRef {
        let texts = array.as_string::<i32>();
        Arc::new(texts.iter().map(|text| text.and_then(&one)).collect::<StringArray>())
    };
    ScalarUDF::from(Own {
        name,
        signature: Signature::exact(vec![DataType::Utf8], Volatility::Immutable),
        output: DataType::Utf8,
        apply: Arc::new(apply),
    })
}

fn business_date(policy: Policy) -> ScalarUDF {
    let date = move |micros: i64| {
        chrono::DateTime::from_timestamp_micros(micros).map(|at| lake_table::columns::days(policy.business_date(at)))
    };
    let apply = move |array: ArrayRef| -> ArrayRef {
        let instants = array.as_primitive::<TimestampMicrosecondType>();
        Arc::new(instants.iter().map(|micros| micros.and_then(&date)).collect::<Date32Array>())
    };
    let instant = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    ScalarUDF::from(Own {
        name: "business_date",
        signature: Signature::exact(vec![instant], Volatility::Immutable),
        output: DataType::Date32,
        apply: Arc::new(apply),
    })
}

fn constant(name: &'static str, value: ScalarValue) -> ScalarUDF {
    ScalarUDF::from(Constant { name, signature: Signature::nullary(Volatility::Immutable), value })
}

impl ScalarUDFImpl for Own {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.output.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        Ok(ColumnarValue::Array((self.apply)(arrays[0].clone())))
    }
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Own {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Own {}

impl Hash for Own {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Constant {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.value.data_type())
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(ColumnarValue::Scalar(self.value.clone()))
    }
}

impl PartialEq for Constant {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Constant {}

impl Hash for Constant {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}
