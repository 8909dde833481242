//! One window of a source in its Bronze table.

use lake_core::{Contract, Run, Summary, summary::Outcome};
use lake_table::{DataFile, Lake, NewFile, Plan, Proposal, Table, TableError, TableSpec};

/// A Bronze table and the window of it that a run lands.
///
/// Progress is the log's transaction `<contract id>/<window>` with the generation as its version, so a window that failed is
/// never hidden behind a later one, and a window that is in is never landed twice.
#[derive(Debug)]
pub struct Landing {
    table: Table,
    application: String,
    generation: i64,
}

/// Whether a commit of somebody else between opening and committing matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moved {
    Ignored,
    GivesUp,
}

impl Landing {
    /// Opens the table (creating it empty when it is not there).
    ///
    /// # Errors
    /// As for [`Table::open_or_create`].
    pub async fn open(lake: &Lake, contract: &Contract, run: &Run) -> Result<Self, TableError> {
        let table = Table::open_or_create(lake, &TableSpec::of(contract)).await?;
        let application = format!("{}/{}", contract.document.id, run.window);
        Ok(Self { table, application, generation: run.generation })
    }

    /// The table.
    #[must_use]
    pub const fn table(&self) -> &Table {
        &self.table
    }

    /// Returns the summary of the run that landed this generation of the window, or a later one, from the log.
    ///
    /// # Errors
    /// When the log cannot be read, or has lost that summary.
    pub async fn already_done(&self) -> Result<Option<Summary>, TableError> {
        done(&self.table, &self.application, self.generation).await
    }

    /// Returns the files that stay when the window is committed: all but those of its earlier generation.
    ///
    /// # Errors
    /// When the log cannot be read, or the earlier generation's files are not those that it landed.
    pub async fn staying(&self) -> Result<Vec<DataFile>, TableError> {
        let (gone, _) = earlier(&self.table, &self.application).await?;
        Ok(self.table.files().iter().filter(|file| !gone.iter().any(|gone| gone.path == file.path)).cloned().collect())
    }

    /// Commits the window's files and its progress; the rows of an earlier generation go in the same commit.
    ///
    /// `rows` is what was handed to the writer; the commit refuses files that hold another number.
    ///
    /// # Errors
    /// As for [`Table::commit`].
    pub async fn commit(self, files: Vec<NewFile>, rows: u64, summary: Summary) -> anyhow::Result<Summary> {
        let committed = self.committed(files, rows, &summary, Moved::Ignored).await?;
        Ok(committed.unwrap_or(summary))
    }

    /// Commits as [`Landing::commit`] does, but only to the version that was opened: for files that were decided by what the
    /// table held. `None` when another commit came between; the caller decides anew.
    ///
    /// # Errors
    /// As for [`Table::commit`].
    pub async fn commit_unmoved(self, files: Vec<NewFile>, rows: u64, summary: Summary) -> anyhow::Result<Option<Summary>> {
        self.committed(files, rows, &summary, Moved::GivesUp).await
    }

    async fn committed(
        mut self,
        files: Vec<NewFile>,
        rows: u64,
        summary: &Summary,
        moved: Moved,
    ) -> anyhow::Result<Option<Summary>> {
        let (application, generation, opened) = (self.application, self.generation, self.table.version());
        let mut given_up = false;
        let plan = async |table: &Table| {
            if let Some(done) = done(table, &application, generation).await.map_err(attach)? {
                return Ok(Plan::Done(done));
            }
            if moved == Moved::GivesUp && table.version() != opened {
                given_up = true;
                return Ok(Plan::Done(summary.clone()));
            }
            let (remove, removed) = earlier(table, &application).await.map_err(attach)?;
            Ok(Plan::Commit(Proposal {
                add: files.clone(),
                remove,
                txns: vec![(application.clone(), generation)],
                inserted: rows,
                removed,
                summary: summary.clone(),
            }))
        };
        let committed = self.table.commit(plan).await?;
        Ok((!given_up).then_some(committed))
    }
}

async fn done(table: &Table, application: &str, generation: i64) -> Result<Option<Summary>, TableError> {
    let stored = table.txn(application).await?;
    if stored.is_none_or(|stored| stored < generation) {
        return Ok(None);
    }
    let summary = table.commit_of(application).await?.and_then(|entry| entry.summary);
    match summary {
        Some(mut summary) => {
            summary.outcome = Outcome::AlreadyDone;
            Ok(Some(summary))
        }
        None => Err(lost(table, application)),
    }
}

/// Returns the files of the generation before, and their rows as that run counted them.
async fn earlier(table: &Table, application: &str) -> Result<(Vec<DataFile>, u64), TableError> {
    if table.txn(application).await?.is_none() {
        return Ok((Vec::new(), 0));
    }
    let entry = table.commit_of(application).await?;
    let Some((entry, summary)) = entry.and_then(|entry| Some((entry.clone(), entry.summary?))) else {
        return Err(lost(table, application));
    };
    let live: Vec<DataFile> =
        table.files().iter().filter(|file| entry.files.iter().any(|own| own.path == file.path)).cloned().collect();
    if live.len() == entry.files.len() {
        return Ok((live, summary.ledger.accepted));
    }
    let problem =
        format!("{} of the {} files of `{application}` were rewritten since", entry.files.len() - live.len(), entry.files.len());
    Err(TableError::Log { table: table.spec().name.clone(), version: entry.version, problem })
}

fn lost(table: &Table, application: &str) -> TableError {
    let problem = format!("the commit that landed `{application}` is not in the log, or has no summary");
    TableError::Log { table: table.spec().name.clone(), version: table.version(), problem }
}

/// A plan returns `anyhow` errors that know their fault, as the edge attaches it elsewhere.
fn attach(error: TableError) -> anyhow::Error {
    let fault = lake_core::fault::Faulty::fault(&error);
    anyhow::Error::new(error).context(fault)
}
