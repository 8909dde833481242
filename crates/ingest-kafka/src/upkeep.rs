//! Keeps the files of a stream's table few. What lands does not depend on it, so nothing that goes wrong here stops a stream.

use lake_table::Table;
use std::time::{Duration, Instant};

/// After a compaction that failed: every commit asks for one, and its cause stays for a while.
const AGAIN_AFTER: Duration = Duration::from_secs(600);

/// When to put small files together.
#[derive(Debug, Default)]
pub(crate) struct Upkeep {
    /// When it failed last; none after one that did not.
    failed: Option<Instant>,
}

impl Upkeep {
    /// Puts small files together once there are too many; returns whether it did. A file that cannot be rewritten is told to who reads it.
    pub(crate) async fn compact(&mut self, table: &mut Table, small_files_max: usize) -> bool {
        if self.failed.is_some_and(|at| at.elapsed() < AGAIN_AFTER) {
            return false;
        }
        self.failed = None;
        let begun = Instant::now();
        match table.compact(small_files_max).await {
            Ok(None) => false,
            Ok(Some(done)) => {
                let (files_before, files_after, rows) = (done.files_before, done.files_after, done.rows);
                let milliseconds = begun.elapsed().as_millis();
                tracing::info!(files_before, files_after, rows, version = done.version, milliseconds, "files compacted");
                true
            }
            Err(error) => {
                tracing::warn!(error = %format!("{error:#}"), "files not compacted");
                self.failed = Some(begun);
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::{
        array::{Int64Array, RecordBatch},
        datatypes::{DataType, Field, Schema},
    };
    use lake_core::{Ledger, Summary, summary::Outcome};
    use lake_edge::Attach as _;
    use lake_table::{Lake, Plan, Proposal, TableSpec};
    use std::sync::Arc;

    async fn append(table: &mut Table) {
        let plan = async |table: &Table| {
            let spec = table.spec();
            let batch = RecordBatch::try_new(Arc::clone(&spec.schema), vec![Arc::new(Int64Array::from(vec![7]))]).unwrap();
            let begun = Summary::begun(
                "00000000-0000-7000-8000-000000000001".parse().unwrap(),
                "test",
                &spec.name,
                "2017-12-30".parse().unwrap(),
            );
            let ledger = Ledger { read: 1, accepted: 1, ..Ledger::default() };
            let mut writer = table.writer();
            writer.write(&batch).await.attach()?;
            let add = writer.finish().await.attach()?;
            let summary = Summary { outcome: Outcome::Committed, ledger, ..begun };
            Ok(Plan::Commit(Proposal { add, remove: Vec::new(), txns: Vec::new(), inserted: 1, removed: 0, summary }))
        };
        table.commit(plan).await.unwrap();
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_rewritten_stops_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let lake = Lake::open(directory.path().to_str().unwrap()).unwrap();
        let spec = TableSpec::ops("things", Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, true)])));
        let mut table = Table::open_or_create(&lake, &spec).await.unwrap();
        append(&mut table).await;
        append(&mut table).await;
        let mut upkeep = Upkeep::default();
        assert!(!upkeep.compact(&mut table, 2).await && upkeep.failed.is_none(), "two are not too many");
        let file = directory.path().join("ops/things").join(&table.files()[0].path);
        let bytes = std::fs::read(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert!(!upkeep.compact(&mut table, 1).await && upkeep.failed.is_some());
        // The table goes on, and is left alone for a while.
        append(&mut table).await;
        std::fs::write(&file, bytes).unwrap();
        assert!(!upkeep.compact(&mut table, 1).await);
        upkeep.failed = None;
        assert!(upkeep.compact(&mut table, 1).await && table.files().len() == 1);
    }
}
