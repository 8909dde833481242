//! Follows columns through an expression.

use super::plan::{Made, made};
use crate::{SqlError, functions};
use deltalake::datafusion::{
    common::{
        Column, DFSchema,
        tree_node::{TreeNode as _, TreeNodeRecursion},
    },
    logical_expr::{
        Expr, Subquery, WindowFunctionDefinition,
        expr::{AggregateFunctionParams, WindowFunction},
    },
};
use lake_core::lineage::{Origins, Use};

/// Columns that an expression can name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope<'a> {
    schema: &'a DFSchema,
    columns: &'a [Origins],
}

impl<'a> Scope<'a> {
    pub(super) fn of(schema: &'a DFSchema, made: &'a Made) -> Self {
        Self { schema, columns: &made.columns }
    }

    fn find(&self, column: &Column) -> Option<Origins> {
        self.columns.get(self.schema.maybe_index_of_column(column)?).cloned()
    }
}

/// Reads expressions of one step.
pub(super) struct Reader<'a> {
    inner: Vec<Scope<'a>>,
    outer: &'a [Scope<'a>],
    rows: Origins,
}

impl<'a> Reader<'a> {
    pub(super) fn new(inner: &[Scope<'a>], outer: &'a [Scope<'a>]) -> Self {
        Self { inner: inner.to_vec(), outer, rows: Origins::default() }
    }

    /// What decides the rows of the subqueries that were read.
    pub(super) fn into_rows(self) -> Origins {
        self.rows
    }

    /// Returns what an expression's value is made from.
    pub(super) fn origins(&mut self, expr: &Expr) -> Result<Origins, SqlError> {
        match expr {
            Expr::Alias(alias) => self.origins(&alias.expr),
            Expr::Column(column) => find(&self.inner, column),
            Expr::OuterReferenceColumn(_, column) => find(self.outer, column),
            Expr::Case(case) => {
                let mut made = Origins::default();
                for condition in case.expr.iter().chain(case.when_then_expr.iter().map(|(when, _)| when)) {
                    made.add(self.origins(condition)?.used(Use::Conditional));
                }
                for value in case.when_then_expr.iter().map(|(_, then)| then).chain(&case.else_expr) {
                    made.add(self.origins(value)?.used(Use::Transformation));
                }
                Ok(made)
            }
            Expr::ScalarFunction(function) => {
                let arguments = self.all(&function.args)?;
                Ok(match function.name() {
                    name if functions::makes_tokens(name) => arguments.tokenized(),
                    name if functions::masks(name) => arguments.masked(),
                    _ => arguments.used(Use::Transformation),
                })
            }
            Expr::AggregateFunction(function) => self.aggregate(&function.params),
            Expr::WindowFunction(function) => self.window(function),
            Expr::InSubquery(found) => {
                let mut made = self.origins(&found.expr)?;
                made.add(self.subquery(&found.subquery)?);
                Ok(made.used(Use::Transformation))
            }
            Expr::SetComparison(found) => {
                let mut made = self.origins(&found.expr)?;
                made.add(self.subquery(&found.subquery)?);
                Ok(made.used(Use::Transformation))
            }
            Expr::Exists(found) => Ok(self.subquery(&found.subquery)?.used(Use::Transformation)),
            Expr::ScalarSubquery(subquery) => Ok(self.subquery(subquery)?.used(Use::Transformation)),
            other => Ok(self.children(other)?.used(Use::Transformation)),
        }
    }

    fn all<'e>(&mut self, all: impl IntoIterator<Item = &'e Expr>) -> Result<Origins, SqlError> {
        all.into_iter().map(|expr| self.origins(expr)).collect()
    }

    fn children(&mut self, expr: &Expr) -> Result<Origins, SqlError> {
        let mut children = Vec::new();
        let listed = expr.apply_children(|child| {
            children.push(child);
            Ok(TreeNodeRecursion::Continue)
        });
        listed.map_err(|e| SqlError::plan(&e))?;
        self.all(children)
    }

    fn aggregate(&mut self, function: &AggregateFunctionParams) -> Result<Origins, SqlError> {
        let mut made = self.all(&function.args)?.used(Use::Aggregation);
        made.add(self.all(function.filter.as_deref())?.used(Use::Filter));
        made.add(self.all(function.order_by.iter().map(|sort| &sort.expr))?.used(Use::Sort));
        Ok(made)
    }

    fn window(&mut self, function: &WindowFunction) -> Result<Origins, SqlError> {
        let params = &function.params;
        let usage = match function.fun {
            WindowFunctionDefinition::AggregateUDF(_) => Use::Aggregation,
            WindowFunctionDefinition::WindowUDF(_) => Use::Transformation,
        };
        let mut made = self.all(&params.args)?.used(usage);
        made.add(self.all(params.filter.as_deref())?.used(Use::Filter));
        let window = params.partition_by.iter().chain(params.order_by.iter().map(|sort| &sort.expr));
        made.add(self.all(window)?.used(Use::Window));
        Ok(made)
    }

    /// What the columns of a subquery are made from; what decides its rows decides those of the step.
    fn subquery(&mut self, subquery: &Subquery) -> Result<Origins, SqlError> {
        let scopes: Vec<Scope<'_>> = self.inner.iter().chain(self.outer).copied().collect();
        let made = made(&subquery.subquery, &scopes)?;
        self.rows.add(made.rows);
        Ok(made.columns.into_iter().collect())
    }
}

fn find(scopes: &[Scope<'_>], column: &Column) -> Result<Origins, SqlError> {
    let unknown = || SqlError::Plan { problem: format!("the lineage of column `{}` is not known", column.name) };
    scopes.iter().find_map(|scope| scope.find(column)).ok_or_else(unknown)
}
