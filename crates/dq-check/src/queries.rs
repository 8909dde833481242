//! Asks the SQL of a contract's rules: each query answers one number.

use crate::subject::{Job, Subject};
use arrow::{
    array::{Array as _, AsArray as _, RecordBatch},
    compute::cast,
    datatypes::{DataType, Float64Type},
};
use lake_core::contract::Layer;
use lake_edge::Attach as _;
use lake_quality::Checks;
use lake_sql::{Rows, Session, SqlError};

/// Runs every query and gives its answer to the rule.
pub(crate) async fn ask(job: &Job<'_>, subject: &Subject, checks: &mut Checks) -> anyhow::Result<()> {
    let queries = checks.queries();
    if queries.is_empty() {
        return Ok(());
    }
    if matches!(job.contract.layer, Layer::Bronze(_)) {
        for (rule, _) in queries {
            checks.answer(&rule, Err("a query is about all rows and a Bronze verdict about the newest".into()));
        }
        return Ok(());
    }
    let mut session = Session::new(job.policy, None).attach()?;
    session.register_result(&job.contract.table, Rows::Table(subject.table.clone())).attach()?;
    for (rule, sql) in queries {
        match session.rows(&sql).await {
            Ok(batches) => checks.answer(&rule, number(&batches)),
            // A store that does not answer says nothing about the rows.
            Err(error @ (SqlError::Table(_) | SqlError::Disk(_))) => return Err(error).attach(),
            Err(error) => checks.answer(&rule, Err(error.to_string())),
        }
    }
    Ok(())
}

/// Returns the one number of a result.
fn number(batches: &[RecordBatch]) -> Result<f64, String> {
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let batch = batches.iter().find(|batch| batch.num_rows() > 0).filter(|batch| rows == 1 && batch.num_columns() == 1);
    let batch = batch.ok_or("the query does not answer one number")?;
    let column = cast(batch.column(0), &DataType::Float64).map_err(|_| "the query does not answer a number")?;
    let values = column.as_primitive_opt::<Float64Type>().ok_or("the query does not answer a number")?;
    if values.is_null(0) { Err("the query answers null".into()) } else { Ok(values.value(0)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::{
        array::{ArrayRef, Decimal128Array, Int64Array},
        datatypes::{Field, Schema},
    };
    use std::sync::Arc;

    fn batch(columns: Vec<ArrayRef>) -> RecordBatch {
        let fields: Vec<Field> = columns.iter().map(|c| Field::new("x", c.data_type().clone(), true)).collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
    }

    fn longs(values: &[Option<i64>]) -> ArrayRef {
        Arc::new(Int64Array::from(values.to_vec()))
    }

    #[test]
    fn one_number_is_an_answer_and_nothing_else_is() {
        assert_eq!(number(&[batch(vec![longs(&[])]), batch(vec![longs(&[Some(7)])])]), Ok(7.0));
        let decimal = Decimal128Array::from(vec![125]).with_precision_and_scale(10, 2).unwrap();
        assert_eq!(number(&[batch(vec![Arc::new(decimal)])]), Ok(1.25));
        assert_eq!(number(&[batch(vec![longs(&[None])])]), Err("the query answers null".to_owned()));
        for wrong in
            [vec![], vec![batch(vec![longs(&[Some(1), Some(2)])])], vec![batch(vec![longs(&[Some(1)]), longs(&[Some(1)])])]]
        {
            assert_eq!(number(&wrong), Err("the query does not answer one number".to_owned()));
        }
    }
}
