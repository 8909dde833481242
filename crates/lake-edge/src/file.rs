//! Files of this machine that stand in no lake: a report, a summary, logs.

use lake_core::{Fault, fault::Faulty};
use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

/// A file or a directory that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("{action} {}", path.display())]
pub struct FileError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl FileError {
    /// Says what was to be done, as an infinitive, and where.
    #[must_use]
    pub fn new(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self { action, path: path.to_owned(), source }
    }
}

impl Faulty for FileError {
    fn fault(&self) -> Fault {
        match self.source.kind() {
            // As with a lake that is full.
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Fault::Transient,
            _ => Fault::Config,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self.fault() {
            Fault::Transient => "free space there, then run the same command again".into(),
            Fault::Config | Fault::Data => "name a place that this user may write to".into(),
        })
    }
}

/// Writes a file, whole or not at all: one that has the name stays until the new one is whole.
///
/// # Errors
/// When it cannot be written there; `action` says what was to be done, as an infinitive.
pub fn write_file(action: &'static str, to: &Path, content: &str) -> Result<(), FileError> {
    let mut partial = to.as_os_str().to_owned();
    partial.push(".partial");
    let written = std::fs::write(&partial, content).and_then(|()| std::fs::rename(&partial, to));
    written.map_err(|source| {
        // Half a file helps nobody and takes space where there may be none. It is not there where it could not be begun.
        std::fs::remove_file(&partial).ok();
        FileError::new(action, to, source)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_transient_and_a_read_only_one_is_not() {
        let error = |kind: ErrorKind| FileError::new("write the report to", Path::new("/full/report.html"), kind.into());
        let (full, refused) = (error(ErrorKind::StorageFull), error(ErrorKind::ReadOnlyFilesystem));
        assert_eq!((full.fault(), refused.fault()), (Fault::Transient, Fault::Config));
        assert_eq!(full.to_string(), "write the report to /full/report.html");
        assert!(full.hint().unwrap().starts_with("free space") && refused.hint().unwrap().contains("may write"));
    }

    #[test]
    fn a_file_that_cannot_take_its_name_leaves_no_part_of_itself() {
        let folder = tempfile::tempdir().unwrap();
        let left = || -> Vec<String> {
            let files = std::fs::read_dir(folder.path()).unwrap();
            files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
        };
        let to = folder.path().join("report.html");
        // A folder has the name: the file is written whole and cannot take the folder's place.
        std::fs::create_dir(&to).unwrap();
        assert_eq!(write_file("write", &to, "new").unwrap_err().fault(), Fault::Config);
        assert_eq!(left(), ["report.html"]);
        std::fs::remove_dir(&to).unwrap();
        write_file("write", &to, "old").unwrap();
        write_file("write", &to, "new").unwrap();
        assert_eq!((left(), std::fs::read_to_string(&to).unwrap()), (vec!["report.html".to_owned()], "new".to_owned()));
    }
}
