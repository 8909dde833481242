//! Runs one step as a process of its own and reads back what it said: exit code, summary, error.

use crate::{graph::Step, schedule::Ran};
use anyhow::{Context as _, anyhow};
use lake_core::{Exit, Fault, RunId, Summary, Window, fault::Faulty as _};
use lake_edge::FileError;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{io::AsyncReadExt as _, process::Command};

/// How programs are found.
#[derive(Debug, Clone)]
pub(crate) enum Launcher {
    /// One executable per program in a directory.
    Directory(PathBuf),
    /// This executable holds all programs and takes the name as its first argument.
    Single(PathBuf),
}

impl Launcher {
    /// Finds the programs: in the given directory, else beside this executable, else inside of it.
    ///
    /// # Errors
    /// [`Fault::Config`] when one of the programs is not there.
    pub(crate) fn find(given: Option<&Path>, programs: &[&str]) -> anyhow::Result<Self> {
        if let Some(directory) = given {
            return match missing(directory, programs) {
                None => Ok(Self::Directory(directory.to_owned())),
                Some(name) => Err(anyhow!("failed to find program `{name}` in {}", directory.display()).context(Fault::Config)),
            };
        }
        let own = std::env::current_exe().context("failed to find this executable")?;
        let directory = own.parent().unwrap_or(Path::new("."));
        match missing(directory, programs) {
            _ if own.file_name().is_some_and(|name| name == "all-clis") => Ok(Self::Single(own)),
            None => Ok(Self::Directory(directory.to_owned())),
            Some(name) => {
                let text =
                    format!("failed to find program `{name}` beside {}; name its directory with --programs", own.display());
                Err(anyhow!(text).context(Fault::Config))
            }
        }
    }

    fn command(&self, program: &str) -> Command {
        match self {
            Self::Directory(directory) => Command::new(directory.join(program)),
            Self::Single(executable) => {
                let mut command = Command::new(executable);
                command.arg(program);
                command
            }
        }
    }
}

fn missing<'a>(directory: &Path, programs: &[&'a str]) -> Option<&'a str> {
    programs.iter().copied().find(|program| !directory.join(program).is_file())
}

/// What all steps of a day have in common.
#[derive(Debug, Clone)]
pub(crate) struct Common {
    /// How programs are found.
    pub(crate) launcher: Launcher,
    /// The window.
    pub(crate) window: Window,
    /// Root of the lake.
    pub(crate) lake: String,
    /// Directory of the contracts.
    pub(crate) contracts: PathBuf,
    /// Place of the secrets.
    pub(crate) secrets: String,
    /// Directory of the logs.
    pub(crate) logs: PathBuf,
    /// Id of the whole run; each step's id is derived from it, so that a new try has the same.
    pub(crate) run_id: RunId,
    /// Number of the step's first attempt.
    pub(crate) first_attempt: u32,
    /// How often a transient failure is tried again.
    pub(crate) retries: u32,
    /// Pause before the first new try.
    pub(crate) pause: Duration,
    /// Longest time of one try.
    pub(crate) longest: Duration,
}

impl Common {
    /// Runs a step; a transient failure is tried again, with a pause that doubles.
    pub(crate) async fn run(&self, step: &Step, inputs: &BTreeMap<String, i64>) -> Ran {
        let started = std::time::Instant::now();
        let mut tried = 0;
        loop {
            let mut ran = self.once(step, inputs, self.first_attempt + tried).await.unwrap_or_else(|error| Ran {
                exit: error.downcast_ref::<Fault>().map_or(Exit::Bug, |fault| Exit::from(*fault)),
                summary: None,
                error: Some(format!("{error:#}")),
                elapsed_ms: 0,
            });
            ran.elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            if ran.exit != Exit::Transient || tried == self.retries {
                return ran;
            }
            tracing::warn!(step = step.name(), tried, error = ran.error, "step failed, trying again");
            tokio::time::sleep(self.pause * 2_u32.saturating_pow(tried.min(16))).await;
            tried += 1;
        }
    }

    async fn once(&self, step: &Step, inputs: &BTreeMap<String, i64>, attempt: u32) -> anyhow::Result<Ran> {
        let log = self.logs.join(format!("{}-{}-{}.log", self.window.ingest_date(), step.table, step.program));
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&log);
        let file = file.map_err(|source| {
            let error = FileError::new("write the log", &log, source);
            let fault = error.fault();
            anyhow::Error::new(error).context(format!("failed to start `{}`", step.program)).context(fault)
        })?;
        let said_before = file.metadata().map(|m| m.len()).unwrap_or(0);
        let mut command = self.launcher.command(step.program);
        command
            .args(self.arguments(step, inputs, attempt))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(file)
            .kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("failed to start `{}`", step.program)).context(Fault::Config)?;
        let mut stdout = String::new();
        let finished = async {
            if let Some(mut pipe) = child.stdout.take() {
                pipe.read_to_string(&mut stdout).await?;
            }
            child.wait().await
        };
        let status = match tokio::time::timeout(self.longest, finished).await {
            Ok(status) => status.with_context(|| format!("failed to wait for `{}`", step.name()))?,
            Err(_) => {
                child.kill().await.context("failed to stop a step")?;
                let text = format!("`{}` took longer than {} s and was stopped", step.name(), self.longest.as_secs());
                return Err(anyhow!(text).context(Fault::Transient));
            }
        };
        let exit = status.code().map_or(Exit::Bug, Exit::from_code);
        let summary = stdout.lines().rev().find_map(|line| serde_json::from_str::<Summary>(line).ok());
        let error = match (exit, status.code()) {
            (Exit::Ok | Exit::Nothing, _) if summary.is_some() => None,
            (Exit::Ok | Exit::Nothing, _) => return Err(anyhow!("`{}` ended well but printed no summary", step.name())),
            (_, None) => Some(format!("{status}, see {}", log.display())),
            _ => Some(error_text(&log, said_before).unwrap_or_else(|| format!("{status}, see {}", log.display()))),
        };
        Ok(Ran { exit, summary, error, elapsed_ms: 0 })
    }

    fn arguments(&self, step: &Step, inputs: &BTreeMap<String, i64>, attempt: u32) -> Vec<String> {
        let run_id = uuid::Uuid::new_v5(&self.run_id.0, step.name().as_bytes());
        let mut arguments = vec![step.table.clone()];
        let options = [
            ("--window", self.window.to_string()),
            ("--lake", self.lake.clone()),
            ("--contracts", self.contracts.display().to_string()),
            ("--secrets", self.secrets.clone()),
            ("--run-id", run_id.to_string()),
            ("--attempt", attempt.to_string()),
            ("--output", "json".to_owned()),
        ];
        for (name, value) in options {
            arguments.extend([name.to_owned(), value]);
        }
        for (table, version) in inputs {
            arguments.extend(["--input".to_owned(), format!("{table}@{version}")]);
        }
        arguments
    }
}

/// Returns what the program printed for people when it failed, from its log's new part.
fn error_text(log: &Path, from: u64) -> Option<String> {
    let text = String::from_utf8_lossy(&std::fs::read(log).ok()?).into_owned();
    let new = text.get(usize::try_from(from).ok()?..)?;
    let said: Vec<&str> =
        new.lines().filter_map(|line| line.strip_prefix("error: ").or_else(|| line.strip_prefix("hint: "))).collect();
    (!said.is_empty()).then(|| said.join("; hint: "))
}
