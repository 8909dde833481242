//! A store whose answer to a commit is lost: the entry is written, and the writer is told otherwise.

use super::*;
use deltalake::{
    DeltaTableBuilder, ObjectMeta, ObjectStore, ObjectStoreError, Path,
    logstore::object_store::{
        CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, PutMultipartOptions, PutOptions, PutPayload, PutResult,
        Result as Answer,
    },
};
use futures::{FutureExt as _, future::BoxFuture, stream::BoxStream};
use rstest::rstest;

/// What the writer is told.
#[derive(Debug, Clone, Copy)]
enum Told {
    /// As after a retry that met the first try's entry.
    Conflict,
    /// As when the connection broke.
    Failure,
}

#[derive(Debug)]
struct Unreliable {
    store: Arc<dyn ObjectStore>,
    told: Told,
}

impl std::fmt::Display for Unreliable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("unreliable")
    }
}

impl Unreliable {
    async fn put(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Answer<PutResult> {
        let written = self.store.put_opts(location, payload, options).await?;
        match self.told {
            _ if !location.as_ref().ends_with(".json") => Ok(written),
            Told::Conflict => Err(ObjectStoreError::AlreadyExists { path: location.to_string(), source: "412".into() }),
            Told::Failure => Err(ObjectStoreError::Generic { store: "S3", source: "connection reset".into() }),
        }
    }
}

// The trait's methods are async by `async-trait`; these are the same signatures, written out.
impl ObjectStore for Unreliable {
    fn put_opts<'a, 'b, 'f>(
        &'a self,
        location: &'b Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> BoxFuture<'f, Answer<PutResult>>
    where
        'a: 'f,
        'b: 'f,
        Self: 'f,
    {
        self.put(location, payload, options).boxed()
    }

    fn put_multipart_opts<'a, 'b, 'f>(
        &'a self,
        location: &'b Path,
        options: PutMultipartOptions,
    ) -> BoxFuture<'f, Answer<Box<dyn MultipartUpload>>>
    where
        'a: 'f,
        'b: 'f,
        Self: 'f,
    {
        self.store.put_multipart_opts(location, options)
    }

    fn get_opts<'a, 'b, 'f>(&'a self, location: &'b Path, options: GetOptions) -> BoxFuture<'f, Answer<GetResult>>
    where
        'a: 'f,
        'b: 'f,
        Self: 'f,
    {
        self.store.get_opts(location, options)
    }

    fn delete_stream(&self, locations: BoxStream<'static, Answer<Path>>) -> BoxStream<'static, Answer<Path>> {
        self.store.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Answer<ObjectMeta>> {
        self.store.list(prefix)
    }

    fn list_with_delimiter<'a, 'b, 'f>(&'a self, prefix: Option<&'b Path>) -> BoxFuture<'f, Answer<ListResult>>
    where
        'a: 'f,
        'b: 'f,
        Self: 'f,
    {
        self.store.list_with_delimiter(prefix)
    }

    fn copy_opts<'a, 'b, 'c, 'f>(&'a self, from: &'b Path, to: &'c Path, options: CopyOptions) -> BoxFuture<'f, Answer<()>>
    where
        'a: 'f,
        'b: 'f,
        'c: 'f,
        Self: 'f,
    {
        self.store.copy_opts(from, to, options)
    }
}

/// Lets a table's next commits be written and the writer be told otherwise, until the table is loaded again.
async fn lose_answers(world: &World, table: &mut Table, told: Told) {
    let store: Arc<dyn ObjectStore> = Arc::new(Unreliable { store: table.delta.log_store().root_object_store(None), told });
    let url = world.lake.table_url(&sales().location).unwrap();
    table.delta = DeltaTableBuilder::from_url(url.clone()).unwrap().with_storage_backend(store, url).build().unwrap();
    table.delta.load().await.unwrap();
}

#[rstest]
#[case::a_conflict(Told::Conflict)]
#[case::a_failure(Told::Failure)]
#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_not_made_again(#[case] told: Told) {
    let world = World::new();
    let mut table = world.sales(&[(1, 10)]).await;
    lose_answers(&world, &mut table, told).await;
    let mut plans = 0;
    // There is no progress in the proposal that could tell a second plan that the work is done.
    let plan = async |table: &Table| {
        plans += 1;
        Ok(Plan::Commit(addition(written(table, &batch(&[(2, 20)])).await, &[])))
    };
    let summary = table.commit(plan).await.unwrap();
    assert_eq!((plans, summary.outcome, summary.table_version), (1, Outcome::Committed, Some(2)));
    assert_eq!(content(&world).await, [(1, 10), (2, 20)]);
}

#[rstest]
#[case::a_conflict(Told::Conflict)]
#[case::a_failure(Told::Failure)]
#[tokio::test]
async fn a_compaction_whose_answer_is_lost_has_had_its_effect(#[case] told: Told) {
    let world = World::new();
    let mut table = world.sales(&[(1, 10)]).await;
    commit(&mut table, &Work::append("a", 1, &[(2, 20)])).await.unwrap();
    lose_answers(&world, &mut table, told).await;
    let done = table.compact(1).await.unwrap().unwrap();
    assert_eq!((done.files_before, done.files_after, done.version, table.version()), (2, 1, 3, 3));
    assert_eq!(content(&world).await, [(1, 10), (2, 20)]);
}
