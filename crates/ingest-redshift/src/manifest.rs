//! The manifest of an UNLOAD, held against what is there: every file once, whole, and none besides.

use lake_core::{Fault, fault::Faulty};
use std::collections::BTreeSet;

/// A file that UNLOAD wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StagedFile {
    /// Path inside the stage.
    pub(crate) path: String,
    /// Size.
    pub(crate) bytes: u64,
    /// Rows by the manifest.
    pub(crate) rows: u64,
}

/// Why a manifest is not that of a whole UNLOAD.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ManifestError {
    /// There is none.
    #[error("find the manifest `{0}`")]
    Absent(String),
    /// It is no JSON of the documented shape, such as half of one.
    #[error("read the manifest: it is not whole: {0}")]
    Broken(String),
    /// It names a file in another place.
    #[error("read the manifest: it names `{0}`, which is not in the run's folder")]
    Foreign(String),
    /// It names a file twice.
    #[error("read the manifest: it names `{0}` twice")]
    Twice(String),
    /// A file that it names is not there.
    #[error("find the staged file `{0}`, which the manifest names")]
    Missing(String),
    /// A file has another size.
    #[error("check the staged file `{path}`: the manifest says {said} bytes, and it has {found}")]
    Size { path: String, said: u64, found: u64 },
    /// A file is there that it does not name.
    #[error("check the staged file `{0}`: the manifest does not name it")]
    Unnamed(String),
    /// Rows do not add up.
    #[error("check {what}: {said} rows are said and {found} are found")]
    Rows { what: String, said: u64, found: u64 },
}

impl Faulty for ManifestError {
    fn fault(&self) -> Fault {
        Fault::Transient
    }

    fn hint(&self) -> Option<String> {
        Some("nothing was landed; run the same command again: it unloads anew".into())
    }
}

#[derive(serde::Deserialize)]
struct Document {
    entries: Vec<Entry>,
    meta: Meta,
}

#[derive(serde::Deserialize)]
struct Entry {
    url: String,
    meta: Meta,
}

#[derive(serde::Deserialize)]
struct Meta {
    content_length: u64,
    record_count: u64,
}

/// Where an UNLOAD wrote and what is there now.
#[derive(Debug, Clone)]
pub(crate) struct Staged<'a> {
    /// Address of the stage, with a slash at its end.
    pub(crate) stage: &'a str,
    /// The run's folder inside of it, with a slash at its end.
    pub(crate) folder: &'a str,
    /// Path and bytes of all that is in the folder.
    pub(crate) objects: &'a [(String, u64)],
}

/// Returns the files that a manifest names, once all of them are there as it says.
pub(crate) fn read(text: &[u8], staged: &Staged<'_>) -> Result<Vec<StagedFile>, ManifestError> {
    let document: Document = serde_json::from_slice(text).map_err(|error| ManifestError::Broken(plain(&error)))?;
    let mut named = BTreeSet::from([manifest_path(staged.folder)]);
    let mut files = Vec::with_capacity(document.entries.len());
    for entry in document.entries {
        let inside = entry.url.strip_prefix(staged.stage).filter(|path| path.starts_with(staged.folder));
        let path = inside.ok_or_else(|| ManifestError::Foreign(entry.url.clone()))?.to_owned();
        if !named.insert(path.clone()) {
            return Err(ManifestError::Twice(path));
        }
        let found = staged.objects.iter().find(|(own, _)| *own == path).map(|(_, bytes)| *bytes);
        match found {
            None => return Err(ManifestError::Missing(path)),
            Some(found) if found != entry.meta.content_length => {
                return Err(ManifestError::Size { path, said: entry.meta.content_length, found });
            }
            Some(bytes) => files.push(StagedFile { path, bytes, rows: entry.meta.record_count }),
        }
    }
    if let Some((path, _)) = staged.objects.iter().find(|(path, _)| !named.contains(path)) {
        return Err(ManifestError::Unnamed(path.clone()));
    }
    let found = files.iter().map(|file| file.rows).sum();
    if document.meta.record_count != found {
        return Err(ManifestError::Rows { what: "the manifest".into(), said: document.meta.record_count, found });
    }
    Ok(files)
}

/// Path of the manifest that UNLOAD writes into a folder.
pub(crate) fn manifest_path(folder: &str) -> String {
    format!("{folder}manifest")
}

/// The error without what it quotes from the text.
fn plain(error: &serde_json::Error) -> String {
    format!("line {} column {}", error.line(), error.column())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLDER: &str = "run=1/1/";

    fn objects() -> Vec<(String, u64)> {
        [("0000_part_00.parquet", 10), ("0001_part_00.parquet", 20), ("manifest", 5)]
            .map(|(name, bytes)| (format!("{FOLDER}{name}"), bytes))
            .to_vec()
    }

    fn entry(name: &str, bytes: u64, rows: u64) -> String {
        format!(r#"{{"url":"s3://stage/x/{FOLDER}{name}","meta":{{"content_length":{bytes},"record_count":{rows}}}}}"#)
    }

    fn whole() -> Vec<String> {
        vec![entry("0000_part_00.parquet", 10, 3), entry("0001_part_00.parquet", 20, 4)]
    }

    fn text(entries: &[String], rows: u64) -> String {
        let entries = entries.join(",");
        format!(r#"{{"entries":[{entries}],"schema":{{"elements":[]}},"meta":{{"content_length":30,"record_count":{rows}}}}}"#)
    }

    fn reading(text: &str, objects: &[(String, u64)]) -> Result<Vec<StagedFile>, String> {
        let staged = Staged { stage: "s3://stage/x/", folder: FOLDER, objects };
        read(text.as_bytes(), &staged).map_err(|error| error.to_string())
    }

    #[test]
    fn a_whole_unload_is_read_file_by_file() {
        let files = reading(&text(&whole(), 7), &objects()).unwrap();
        assert_eq!(files.iter().map(|file| (file.bytes, file.rows)).collect::<Vec<_>>(), [(10, 3), (20, 4)]);
        assert_eq!(reading(&text(&[], 0), &objects()[2..]), Ok(Vec::new()));
    }

    #[test]
    fn a_half_written_manifest_is_refused() {
        let whole = text(&whole(), 7);
        for end in [0, 1, whole.len() / 2, whole.len() - 1] {
            let error = reading(&whole[..end], &objects()).unwrap_err();
            assert!(error.starts_with("read the manifest: it is not whole: line 1 column "), "{error}");
        }
    }

    #[test]
    fn files_must_be_there_once_and_no_others() {
        let twice = [whole(), vec![entry("0000_part_00.parquet", 10, 3)]].concat();
        assert_eq!(
            reading(&text(&twice, 10), &objects()),
            Err(format!("read the manifest: it names `{FOLDER}0000_part_00.parquet` twice"))
        );
        let missing = reading(&text(&whole(), 7), &objects()[1..]);
        assert_eq!(missing, Err(format!("find the staged file `{FOLDER}0000_part_00.parquet`, which the manifest names")));
        let unnamed = reading(&text(&whole()[1..], 4), &objects());
        assert_eq!(unnamed, Err(format!("check the staged file `{FOLDER}0000_part_00.parquet`: the manifest does not name it")));
        let foreign = text(&whole(), 7).replacen(FOLDER, "run=2/1/", 1);
        assert!(reading(&foreign, &objects()).unwrap_err().ends_with("which is not in the run's folder"));
    }

    #[test]
    fn sizes_and_rows_must_agree() {
        let short = reading(&text(&[entry("0000_part_00.parquet", 11, 3), whole()[1].clone()], 7), &objects());
        assert!(short.unwrap_err().ends_with("the manifest says 11 bytes, and it has 10"));
        let rows = reading(&text(&whole(), 8), &objects());
        assert_eq!(rows, Err("check the manifest: 8 rows are said and 7 are found".into()));
    }
}
