//! Files that are written but not committed can be read like committed ones: a long run meets its own rows.

use crate::{DataFile, NewFile};

impl NewFile {
    /// Returns the file as one to scan.
    #[must_use]
    pub fn data_file(&self) -> DataFile {
        DataFile::of(self.add.clone())
    }
}
