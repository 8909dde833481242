//! Accepts exactly one query over declared tables, before anything is planned.

use crate::{
    SqlError,
    functions::{AS_OF_DATE, SUPPRESSION_THRESHOLD},
};
use deltalake::datafusion::{
    error::DataFusionError,
    execution::context::SQLOptions,
    sql::{
        parser::{DFParser, Statement},
        planner::object_name_to_table_reference,
        sqlparser::{
            ast::{self, BinaryOperator, Expr, Ident, ObjectName, Query, SetExpr, Visit as _, Visitor},
            dialect::GenericDialect,
        },
    },
};
use std::{collections::BTreeSet, ops::ControlFlow};

/// Table functions that read nothing.
const SERIES: [&str; 2] = ["generate_series", "range"];

/// What a plan may hold: a query and nothing else.
pub(crate) fn options() -> SQLOptions {
    SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false)
}

/// Parses the text and refuses everything but one query over declared tables.
pub(crate) fn query(sql: &str, declared: &BTreeSet<String>) -> Result<Statement, SqlError> {
    let statement = only_statement(sql)?;
    let query = only_query(&statement)?;
    let mut reads = Reads::default();
    if let ControlFlow::Break(refused) = query.visit(&mut reads) {
        return Err(refused);
    }
    for table in reads.tables {
        // A name that is a step elsewhere in the query and nothing here is left to the planner: it knows no other tables.
        if !declared.contains(&table) && !reads.steps.contains(&table) && !SERIES.contains(&table.as_str()) {
            return Err(SqlError::Undeclared { table, declared: listed(declared, "no inputs") });
        }
    }
    Ok(statement)
}

/// Whether a query asks for the date as of which it sees the world, anywhere in it: its result is then that date's.
///
/// # Errors
/// When the text is not one statement that is a query.
pub fn reads_as_of_date(sql: &str) -> Result<bool, SqlError> {
    calls(sql, AS_OF_DATE)
}

/// Whether a query hides groups of few people: its steps then hold what its result must not tell.
///
/// # Errors
/// When the text is not one statement that is a query.
pub fn hides_small_groups(sql: &str) -> Result<bool, SqlError> {
    calls(sql, SUPPRESSION_THRESHOLD)
}

fn calls(sql: &str, function: &'static str) -> Result<bool, SqlError> {
    let statement = only_statement(sql)?;
    Ok(only_query(&statement)?.visit(&mut Calls(function)).is_break())
}

/// Returns a query for all rows of one of the common table expressions (`WITH`) of another query.
///
/// # Errors
/// When the text is not one statement that is a query, or has no such expression.
pub fn of_cte(sql: &str, cte: &str) -> Result<String, SqlError> {
    let statement = only_statement(sql)?;
    let with = only_query(&statement)?.with.as_ref();
    let names = with.iter().flat_map(|with| &with.cte_tables);
    let names: Result<BTreeSet<String>, SqlError> =
        names.map(|cte| Reads::name(&ObjectName::from(vec![cte.alias.name.clone()]))).collect();
    let names = names?;
    match with {
        // Quoted, it is that name and nothing else: in capitals, of several words, or one that SQL uses itself.
        Some(with) if names.contains(cte) => Ok(format!("{with} SELECT * FROM {}", Ident::with_quote('"', cte))),
        _ => Err(SqlError::Cte { cte: cte.to_owned(), known: listed(&names, "none") }),
    }
}

fn only_statement(sql: &str) -> Result<Statement, SqlError> {
    let parsed = DFParser::parse_sql_with_dialect(sql, &GenericDialect {});
    let mut statements = parsed.map_err(|error| SqlError::Syntax { problem: syntax(&error) })?;
    let count = statements.len();
    match statements.pop_front() {
        Some(statement) if count == 1 => Ok(statement),
        _ => Err(SqlError::Statement { found: if count == 0 { "empty".into() } else { format!("{count} statements") } }),
    }
}

fn only_query(statement: &Statement) -> Result<&Query, SqlError> {
    let found = match statement {
        Statement::Statement(inner) => match inner.as_ref() {
            ast::Statement::Query(query) => return Ok(query),
            other => first_word(&other.to_string()),
        },
        Statement::CreateExternalTable(_) => "CREATE EXTERNAL TABLE".to_owned(),
        Statement::CopyTo(_) => "COPY".to_owned(),
        other => first_word(&other.to_string()),
    };
    Err(SqlError::Statement { found })
}

/// What a query reads, at any depth; breaks at the first part that writes, which a query's text can hold:
/// `WITH x AS (...) INSERT ...`, `SELECT ... INTO ...`.
#[derive(Default)]
struct Reads {
    tables: BTreeSet<String>,
    /// Names that `WITH` gives.
    steps: BTreeSet<String>,
}

impl Reads {
    fn name(name: &ObjectName) -> Result<String, SqlError> {
        let reference = object_name_to_table_reference(name.clone(), true);
        reference.map(|table| table.to_string()).map_err(|e| SqlError::plan(&e))
    }

    fn query(&mut self, query: &Query) -> Result<(), SqlError> {
        for step in query.with.iter().flat_map(|with| &with.cte_tables) {
            self.steps.insert(Self::name(&ObjectName::from(vec![step.alias.name.clone()]))?);
        }
        if query.locks.is_empty() {
            set_reads(&query.body)
        } else {
            Err(SqlError::Statement { found: "SELECT ... FOR UPDATE".into() })
        }
    }
}

impl Visitor for Reads {
    type Break = SqlError;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<SqlError> {
        self.query(query).map_or_else(ControlFlow::Break, ControlFlow::Continue)
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<SqlError> {
        match Self::name(relation) {
            Ok(name) => {
                self.tables.insert(name);
                ControlFlow::Continue(())
            }
            Err(error) => ControlFlow::Break(error),
        }
    }

    /// The parser reads `a IS DISTINCT FROM b OR c` as `a IS DISTINCT FROM (b OR c)`, against the standard.
    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<SqlError> {
        let (Expr::IsDistinctFrom(_, right) | Expr::IsNotDistinctFrom(_, right)) = expression else {
            return ControlFlow::Continue(());
        };
        match right.as_ref() {
            Expr::BinaryOp { op: BinaryOperator::And | BinaryOperator::Or, .. } => ControlFlow::Break(SqlError::Syntax {
                problem: format!("put parentheses around `... IS [NOT] DISTINCT FROM {right}`"),
            }),
            _ => ControlFlow::Continue(()),
        }
    }
}

/// Breaks where the function of this name is called.
struct Calls(&'static str);

impl Visitor for Calls {
    type Break = ();

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        // Names are those that the planner makes of them: in lower case where they are not quoted.
        let asked = match expression {
            Expr::Function(function) => Reads::name(&function.name).is_ok_and(|name| name == self.0),
            _ => false,
        };
        if asked { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

fn set_reads(body: &SetExpr) -> Result<(), SqlError> {
    match body {
        SetExpr::Select(select) if select.into.is_some() => Err(SqlError::Statement { found: "SELECT ... INTO".into() }),
        // A query in parentheses is visited on its own.
        SetExpr::Select(_) | SetExpr::Values(_) | SetExpr::Query(_) => Ok(()),
        SetExpr::SetOperation { left, right, .. } => set_reads(left).and_then(|()| set_reads(right)),
        other => Err(SqlError::Statement { found: first_word(&other.to_string()) }),
    }
}

fn first_word(text: &str) -> String {
    text.split_whitespace().next().unwrap_or_default().to_uppercase()
}

fn syntax(error: &DataFusionError) -> String {
    let text = error.strip_backtrace();
    let first = text.lines().next().unwrap_or_default();
    first.replace("SQL error: ParserError(\"", "").trim_end_matches("\")").to_owned()
}

fn listed(names: &BTreeSet<String>, none: &str) -> String {
    if names.is_empty() {
        return none.to_owned();
    }
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::{hides_small_groups, of_cte};

    #[test]
    fn a_query_that_counts_people_before_it_tells_of_them_is_known() {
        let hides = "WITH a AS (SELECT 1 AS n) SELECT CASE WHEN n < SUPPRESSION_THRESHOLD() THEN 'suppressed' END AS x FROM a";
        assert!(hides_small_groups(hides).unwrap());
        assert!(hides_small_groups("WITH a AS (SELECT suppression_threshold() AS x) SELECT 1 FROM a").unwrap());
        assert!(!hides_small_groups("SELECT as_of_date() AS suppression_threshold").unwrap());
        assert!(hides_small_groups("DROP TABLE t").is_err());
    }

    #[test]
    fn a_common_table_expression_is_asked_for_with_all_that_it_stands_on() {
        let model = "WITH a AS (SELECT 1 AS x), b AS (SELECT SUM(x) FILTER (WHERE x > 0) OVER w AS y FROM a \
                     WINDOW w AS (PARTITION BY x ORDER BY x)) SELECT y FROM b ORDER BY y LIMIT 1";
        let asked = of_cte(model, "b").unwrap();
        assert!(asked.starts_with("WITH a AS (SELECT 1 AS x), b AS (SELECT SUM(x)"), "{asked}");
        assert!(asked.ends_with(" SELECT * FROM \"b\""), "{asked}");
        let unknown = of_cte(model, "c").unwrap_err().to_string();
        assert_eq!(unknown, "find `c` in the query: its common table expressions are `a`, `b`");
        assert_eq!(
            of_cte("SELECT 1", "c").unwrap_err().to_string(),
            "find `c` in the query: its common table expressions are none"
        );
        // Names are compared, so that nothing else can be written in their place.
        assert!(of_cte(model, "b; SELECT 1").is_err());
        let quoted = of_cte("WITH \"Order\" AS (SELECT 1 AS x) SELECT x FROM \"Order\"", "Order").unwrap();
        assert_eq!(quoted, "WITH \"Order\" AS (SELECT 1 AS x) SELECT * FROM \"Order\"");
    }
}
