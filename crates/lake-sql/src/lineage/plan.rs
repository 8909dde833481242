//! Follows columns through the steps of a plan.

use super::expression::{Reader, Scope};
use crate::{SqlError, scan::Scan};
use deltalake::datafusion::{
    common::JoinType,
    datasource::source_as_provider,
    logical_expr::{
        Distinct, LogicalPlan,
        logical_plan::{Aggregate, Join, TableScan, Window},
    },
};
use lake_core::lineage::{Origins, Use};

/// What the columns of a step are made from, by position, and what decides which rows it has.
#[derive(Debug, Default)]
pub(super) struct Made {
    pub(super) columns: Vec<Origins>,
    pub(super) rows: Origins,
}

/// Follows a plan down to the tables; `outer` is what a subquery sees of the queries around it.
pub(super) fn made(plan: &LogicalPlan, outer: &[Scope<'_>]) -> Result<Made, SqlError> {
    match plan {
        LogicalPlan::TableScan(scan) => table(scan),
        LogicalPlan::SubqueryAlias(alias) => made(&alias.input, outer),
        LogicalPlan::Subquery(subquery) => made(&subquery.subquery, outer),
        LogicalPlan::Limit(limit) => made(&limit.input, outer),
        LogicalPlan::Repartition(repartition) => made(&repartition.input, outer),
        LogicalPlan::Values(values) => Ok(constants(values.schema.fields().len())),
        LogicalPlan::EmptyRelation(nothing) => Ok(constants(nothing.schema.fields().len())),
        LogicalPlan::Projection(projection) => {
            let input = made(&projection.input, outer)?;
            let mut reader = Reader::new(&[Scope::of(projection.input.schema(), &input)], outer);
            let columns: Result<_, _> = projection.expr.iter().map(|expr| reader.origins(expr)).collect();
            let (columns, more) = (columns?, reader.into_rows());
            Ok(with_rows(Made { columns, rows: input.rows }, more))
        }
        LogicalPlan::Filter(filter) => {
            let input = made(&filter.input, outer)?;
            let mut reader = Reader::new(&[Scope::of(filter.input.schema(), &input)], outer);
            let chosen = reader.origins(&filter.predicate)?.used(Use::Filter);
            let more = reader.into_rows();
            Ok(with_rows(with_rows(input, chosen), more))
        }
        LogicalPlan::Sort(sort) => {
            let input = made(&sort.input, outer)?;
            let mut reader = Reader::new(&[Scope::of(sort.input.schema(), &input)], outer);
            let sorted: Result<Origins, _> = sort.expr.iter().map(|one| reader.origins(&one.expr)).collect();
            let (sorted, more) = (sorted?.used(Use::Sort), reader.into_rows());
            Ok(with_rows(with_rows(input, sorted), more))
        }
        LogicalPlan::Window(step) => window(step, outer),
        LogicalPlan::Aggregate(step) => aggregate(step, outer),
        LogicalPlan::Join(step) => join(step, outer),
        LogicalPlan::Union(union) => {
            let mut whole = constants(union.schema.fields().len());
            for input in &union.inputs {
                let input = made(input, outer)?;
                whole.columns.iter_mut().zip(input.columns).for_each(|(own, other)| own.add(other));
                whole.rows.add(input.rows);
            }
            Ok(whole)
        }
        LogicalPlan::Distinct(distinct) => distinct_rows(distinct, outer),
        LogicalPlan::Unnest(unnest) => {
            let input = made(&unnest.input, outer)?;
            let column = |at: &usize| input.columns.get(*at).cloned().unwrap_or_default();
            Ok(Made { columns: unnest.dependency_indices.iter().map(column).collect(), rows: input.rows })
        }
        other => Err(SqlError::Plan { problem: format!("the lineage of this step is not known: {}", first_word(other)) }),
    }
}

fn first_word(plan: &LogicalPlan) -> String {
    plan.display().to_string().split(':').next().unwrap_or_default().to_owned()
}

fn constants(columns: usize) -> Made {
    Made { columns: vec![Origins::default(); columns], rows: Origins::default() }
}

fn with_rows(made: Made, more: Origins) -> Made {
    let mut rows = made.rows;
    rows.add(more);
    Made { rows, ..made }
}

/// A declared table, or a series, which is made from nothing.
fn table(scan: &TableScan) -> Result<Made, SqlError> {
    let fields = scan.projected_schema.fields();
    let provider = source_as_provider(&scan.source).map_err(|e| SqlError::plan(&e))?;
    let Some(own) = provider.downcast_ref::<Scan>() else { return Ok(constants(fields.len())) };
    let columns = fields.iter().map(|field| Origins::column(own.name(), field.name())).collect();
    Ok(Made { columns, rows: Origins::default() })
}

fn window(step: &Window, outer: &[Scope<'_>]) -> Result<Made, SqlError> {
    let input = made(&step.input, outer)?;
    let mut reader = Reader::new(&[Scope::of(step.input.schema(), &input)], outer);
    let added: Result<Vec<_>, _> = step.window_expr.iter().map(|expr| reader.origins(expr)).collect();
    let (added, more) = (added?, reader.into_rows());
    let columns = input.columns.into_iter().chain(added).collect();
    Ok(with_rows(Made { columns, rows: input.rows }, more))
}

fn aggregate(step: &Aggregate, outer: &[Scope<'_>]) -> Result<Made, SqlError> {
    let input = made(&step.input, outer)?;
    let mut reader = Reader::new(&[Scope::of(step.input.schema(), &input)], outer);
    let groups: Result<Vec<_>, _> = step.group_expr.iter().map(|expr| reader.origins(expr)).collect();
    let groups = groups?;
    let found: Result<Vec<_>, _> = step.aggr_expr.iter().map(|expr| reader.origins(expr)).collect();
    let (found, more) = (found?, reader.into_rows());
    let by: Origins = groups.iter().map(|group| group.used(Use::GroupBy)).collect();
    let columns: Vec<Origins> = groups.into_iter().chain(found).collect();
    // Grouping sets have a column more, and one expression for all of their columns.
    if columns.len() != step.schema.fields().len() {
        return Err(SqlError::Plan { problem: "the lineage of grouping sets is not known".to_owned() });
    }
    Ok(with_rows(with_rows(Made { columns, rows: input.rows }, by), more))
}

fn join(step: &Join, outer: &[Scope<'_>]) -> Result<Made, SqlError> {
    let (left, right) = (made(&step.left, outer)?, made(&step.right, outer)?);
    let scopes = [Scope::of(step.left.schema(), &left), Scope::of(step.right.schema(), &right)];
    let mut reader = Reader::new(&scopes, outer);
    let mut by = Origins::default();
    for (one, other) in &step.on {
        by.add(reader.origins(one)?);
        by.add(reader.origins(other)?);
    }
    if let Some(filter) = &step.filter {
        by.add(reader.origins(filter)?);
    }
    let more = reader.into_rows();
    let mut rows = left.rows;
    rows.add(right.rows);
    let columns = match step.join_type {
        JoinType::LeftSemi | JoinType::LeftAnti => left.columns,
        JoinType::RightSemi | JoinType::RightAnti => right.columns,
        JoinType::LeftMark => left.columns.into_iter().chain([by.used(Use::Join)]).collect(),
        JoinType::RightMark => right.columns.into_iter().chain([by.used(Use::Join)]).collect(),
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => {
            left.columns.into_iter().chain(right.columns).collect()
        }
    };
    Ok(with_rows(with_rows(Made { columns, rows }, by.used(Use::Join)), more))
}

fn distinct_rows(distinct: &Distinct, outer: &[Scope<'_>]) -> Result<Made, SqlError> {
    match distinct {
        Distinct::All(input) => {
            let input = made(input, outer)?;
            let by: Origins = input.columns.iter().map(|column| column.used(Use::GroupBy)).collect();
            Ok(with_rows(input, by))
        }
        Distinct::On(on) => {
            let input = made(&on.input, outer)?;
            let mut reader = Reader::new(&[Scope::of(on.input.schema(), &input)], outer);
            let columns: Result<Vec<_>, _> = on.select_expr.iter().map(|expr| reader.origins(expr)).collect();
            let mut by = Origins::default();
            for expr in &on.on_expr {
                by.add(reader.origins(expr)?.used(Use::GroupBy));
            }
            for one in on.sort_expr.iter().flatten() {
                by.add(reader.origins(&one.expr)?.used(Use::Sort));
            }
            let (columns, more) = (columns?, reader.into_rows());
            Ok(with_rows(with_rows(Made { columns, rows: input.rows }, by), more))
        }
    }
}
