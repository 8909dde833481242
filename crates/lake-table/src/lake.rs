//! Where the lake is: a directory or a prefix of a bucket, and both behave the same.

use crate::TableError;
use bytes::Bytes;
use deltalake::{
    DeltaTableBuilder, ObjectMeta, ObjectStore, Path,
    logstore::object_store::{ObjectStoreExt as _, PutMode},
};
use futures::{TryStreamExt as _, stream::BoxStream};
use std::{path::PathBuf, sync::Arc};
use tokio::runtime::{Handle, RuntimeFlavor};
use url::Url;

/// The root of all tables.
#[derive(Clone)]
pub struct Lake {
    root: Url,
    store: Arc<dyn ObjectStore>,
    /// The store of the whole bucket or file system, which tables share: to make one takes tens of milliseconds, since it
    /// reads the machine's certificates.
    backend: Arc<dyn ObjectStore>,
}

impl std::fmt::Debug for Lake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lake").field("root", &self.root.as_str()).finish_non_exhaustive()
    }
}

impl Lake {
    /// Opens the lake at a directory (made when absent) or at `s3://bucket/prefix`.
    ///
    /// For S3 the store reads the usual `AWS_*` variables itself.
    ///
    /// # Errors
    /// When the address is neither, or the directory cannot be made.
    pub fn open(uri: &str) -> Result<Self, TableError> {
        let address = |reason: String| TableError::Address { uri: uri.to_owned(), reason };
        let root = if uri.contains("://") {
            let url = Url::parse(&format!("{}/", uri.trim_end_matches('/'))).map_err(|e| address(e.to_string()))?;
            if url.scheme() != "s3" || url.host_str().is_none_or(str::is_empty) {
                return Err(address("only directories and s3://bucket/prefix are known".into()));
            }
            url
        } else {
            let directory = PathBuf::from(uri);
            let made = std::fs::create_dir_all(&directory).and_then(|()| directory.canonicalize());
            let absolute = made.map_err(|source| TableError::Directory { uri: uri.to_owned(), source })?;
            Url::from_directory_path(&absolute).map_err(|()| address("not an absolute path".into()))?
        };
        let builder = DeltaTableBuilder::from_url(root.clone()).map_err(|e| address(e.to_string()))?;
        let log_store = builder.build_storage().map_err(|e| address(e.to_string()))?;
        Ok(Self { root, store: log_store.object_store(None), backend: log_store.root_object_store(None) })
    }

    /// Address of the root, with a slash at its end.
    #[must_use]
    pub fn uri(&self) -> &str {
        self.root.as_str()
    }

    /// The store of the root.
    pub(crate) fn store(&self) -> &dyn ObjectStore {
        self.store.as_ref()
    }

    /// The store of the root, for readers that outlive a call.
    pub(crate) fn shared_store(&self) -> Arc<dyn ObjectStore> {
        self.store.clone()
    }

    /// The store above the root, which delta-rs narrows to a table by its address.
    ///
    /// None on a runtime of one thread: there delta-rs reads logs on runtimes of its own, which end with each table and would
    /// take connections of the shared store with them ("runtime dropped the dispatch task").
    pub(crate) fn backend(&self) -> Option<Arc<dyn ObjectStore>> {
        (Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread).then(|| self.backend.clone())
    }

    /// Address of a table.
    pub(crate) fn table_url(&self, location: &str) -> Result<Url, TableError> {
        let join = self.root.join(&format!("{location}/"));
        join.map_err(|e| TableError::Address { uri: location.to_owned(), reason: e.to_string() })
    }

    /// Writes an object, replacing one that is there.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn put(&self, path: &str, bytes: Bytes) -> Result<(), TableError> {
        let object = Path::from(path);
        let put = self.store.put(&object, bytes.into()).await;
        put.map(|_| ()).map_err(|source| TableError::Store { action: "write", object: path.to_owned(), source })
    }

    /// Writes an object that must not be there yet; returns whether it was not.
    ///
    /// A store that answers late may have written it all the same, and then meets its own first try: a name that only one
    /// writer uses makes both the same.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn create(&self, path: &str, bytes: Bytes) -> Result<bool, TableError> {
        let put = self.store.put_opts(&Path::from(path), bytes.into(), PutMode::Create.into()).await;
        match put {
            Ok(_) => Ok(true),
            Err(deltalake::ObjectStoreError::AlreadyExists { .. }) => Ok(false),
            Err(source) => Err(TableError::Store { action: "write", object: path.to_owned(), source }),
        }
    }

    /// Returns an object's bytes, or `None` when there is none.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn get(&self, path: &str) -> Result<Option<Bytes>, TableError> {
        let failed = |source| TableError::Store { action: "read", object: path.to_owned(), source };
        match self.store.get(&Path::from(path)).await {
            Ok(found) => found.bytes().await.map(Some).map_err(failed),
            Err(deltalake::ObjectStoreError::NotFound { .. }) => Ok(None),
            Err(source) => Err(failed(source)),
        }
    }

    /// Returns the paths of all objects under a prefix, sorted.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn list(&self, prefix: &str) -> Result<Vec<String>, TableError> {
        sorted(prefix, self.store.list(Some(&Path::from(prefix)))).await
    }

    /// Returns the paths of all objects under a prefix that come after a place in their order, sorted.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn list_after(&self, prefix: &str, after: &str) -> Result<Vec<String>, TableError> {
        sorted(prefix, self.store.list_with_offset(Some(&Path::from(prefix)), &Path::from(after))).await
    }

    /// Namespace and prefix by which the lake's tables are known to others: `s3://bucket` and the prefix in it, or `file` and
    /// the directory.
    #[must_use]
    pub fn place(&self) -> (String, String) {
        let trimmed = |path: &str| path.trim_matches('/').to_owned();
        match (self.root.scheme(), self.root.host_str()) {
            ("s3", Some(bucket)) => (format!("s3://{bucket}"), trimmed(self.root.path())),
            _ => {
                let directory = self.root.to_file_path().unwrap_or_default();
                ("file".to_owned(), directory.to_string_lossy().trim_end_matches('/').to_owned())
            }
        }
    }
}

async fn sorted(
    prefix: &str,
    found: BoxStream<'static, Result<ObjectMeta, deltalake::ObjectStoreError>>,
) -> Result<Vec<String>, TableError> {
    let found: Result<Vec<_>, _> = found.map_ok(|meta| meta.location.to_string()).try_collect().await;
    let mut paths = found.map_err(|source| TableError::Store { action: "list", object: prefix.to_owned(), source })?;
    paths.sort();
    Ok(paths)
}
