//! Files that another system leaves for us.

use super::*;
use crate::Stage;

#[tokio::test]
async fn staged_files_are_listed_read_and_cleaned() {
    let world = World::new();
    let table = world.sales(&[(1, 10), (2, 20)]).await;
    let place = format!("{}/silver/sales", world.uri);
    let stage = Stage::open(&place).unwrap();
    let file = &table.files()[0];

    let listed = stage.list("").await.unwrap();
    assert!(listed.contains(&(file.path.clone(), file.bytes)), "{listed:?}");
    let mut staged = stage.open_file(&file.path, file.bytes).await.unwrap();
    assert_eq!(staged.rows, 2);
    let batch = staged.next().await.unwrap().unwrap();
    assert_eq!(batch.column_by_name("id").unwrap().as_primitive::<Int64Type>().values(), &[1, 2]);
    assert!(staged.next().await.unwrap().is_none());

    assert_eq!(stage.clean("_delta_log").await.unwrap(), listed.len() - 1);
    assert_eq!(stage.list("").await.unwrap().len(), 1);
    assert_eq!(stage.clean("run=absent").await.unwrap(), 0);
}

#[tokio::test]
async fn a_staged_file_that_is_missing_or_broken_is_named_and_transient() {
    let world = World::new();
    world.lake.put("run=1/part.parquet", "no parquet".into()).await.unwrap();
    let stage = Stage::open(&world.uri).unwrap();
    for (file, bytes) in [("run=1/part.parquet", 10), ("run=1/absent.parquet", 10)] {
        let error = stage.open_file(file, bytes).await.unwrap_err();
        assert!(error.to_string().starts_with(&format!("read staged file `{file}` in ")), "{error}");
        assert_eq!(lake_core::fault::Faulty::fault(&error), Fault::Transient);
    }
}
