//! What keeps a store from working where waiting alone does not help, found among the causes of an error.

use deltalake::ObjectStoreError;
use std::{
    error::Error,
    io::{self, ErrorKind},
    iter::successors,
};

/// What stands in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// There is no space left: the same command works once there is some.
    Full,
    /// Nobody may write there, or this user may not: a person must change that.
    Refused,
}

impl Obstacle {
    /// Finds the obstacle among an error and its causes.
    pub(crate) fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        causes(error).find_map(|cause| match (cause.downcast_ref::<io::Error>(), cause.downcast_ref::<ObjectStoreError>()) {
            (Some(error), _) => Self::of_kind(error.kind()),
            (_, Some(ObjectStoreError::PermissionDenied { .. } | ObjectStoreError::Unauthenticated { .. })) => {
                Some(Self::Refused)
            }
            _ => None,
        })
    }

    const fn of_kind(kind: ErrorKind) -> Option<Self> {
        match kind {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Some(Self::Full),
            ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => Some(Self::Refused),
            _ => None,
        }
    }

    /// What a person can do about it.
    pub(crate) const fn hint(self) -> &'static str {
        match self {
            Self::Full => "free space where the lake is, then run the same command again",
            Self::Refused => {
                "let this user write to the lake (a read-only mount, a missing permission or wrong credentials keeps it from that)"
            }
        }
    }
}

/// Whether the store, and not what it holds, is what failed.
pub(crate) fn store_failed(error: &(dyn Error + 'static)) -> bool {
    let gone = causes(error).any(|cause| {
        matches!(cause.downcast_ref(), Some(ObjectStoreError::NotFound { .. }))
            || cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::NotFound)
    });
    !gone && causes(error).any(|cause| cause.is::<ObjectStoreError>() || cause.is::<io::Error>())
}

/// Returns an error and its causes. What an I/O error wraps is a cause too, though the standard library passes over it.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    fn cause_of<'a>(error: &&'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
        let error = *error;
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        }
    }
    successors(Some(error), cause_of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use deltalake::{DeltaTableError, parquet::errors::ParquetError};

    fn generic(source: io::Error) -> ObjectStoreError {
        ObjectStoreError::Generic { store: "LocalFileSystem", source: Box::new(source) }
    }

    #[test]
    fn an_obstacle_is_found_however_deep_it_lies() {
        let full = || generic(ErrorKind::StorageFull.into());
        let written = DeltaTableError::Parquet { source: ParquetError::External(Box::new(io::Error::other(full()))) };
        assert_eq!(Obstacle::of(&written), Some(Obstacle::Full));
        assert_eq!(Obstacle::of(&DeltaTableError::ObjectStore { source: full() }), Some(Obstacle::Full));
        assert_eq!(Obstacle::of(&generic(ErrorKind::ReadOnlyFilesystem.into())), Some(Obstacle::Refused));
        let denied = ObjectStoreError::PermissionDenied { path: "x".into(), source: "403".into() };
        assert_eq!(Obstacle::of(&denied), Some(Obstacle::Refused));
        assert_eq!(Obstacle::of(&generic(ErrorKind::ConnectionReset.into())), None);
    }

    #[test]
    fn a_store_that_fails_is_told_from_a_file_that_is_broken() {
        let reset = ParquetError::External(Box::new(generic(ErrorKind::ConnectionReset.into())));
        assert!(store_failed(&reset));
        assert!(!store_failed(&ParquetError::EOF("footer".into())));
        let missing = io::Error::from(ErrorKind::NotFound);
        let gone = ObjectStoreError::NotFound { path: "x".into(), source: Box::new(missing) };
        assert!(!store_failed(&ParquetError::External(Box::new(gone))));
    }
}
