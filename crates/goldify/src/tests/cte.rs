//! `goldify show-cte`.

use super::{SOUP, World};
use lake_table::ParquetFile;
use std::{path::Path, process::ExitCode};

fn show(world: &World, table: &str, cte: &str, to: &Path) -> ExitCode {
    let root = world.root.path();
    let mut argv: Vec<String> = ["goldify", "show-cte", table, cte].map(str::to_owned).to_vec();
    argv.extend(["--to".to_owned(), to.display().to_string()]);
    argv.extend(["--lake".to_owned(), root.join("lake").display().to_string()]);
    argv.extend(["--contracts".to_owned(), world.contracts.display().to_string()]);
    argv.extend(["--secrets".to_owned(), format!("file:{}", root.join("secrets").display())]);
    crate::main(argv.into_iter().map(Into::into))
}

#[test]
fn a_step_is_shown_as_it_was_when_the_table_was_built() {
    let world = World::new();
    let to = world.root.path().join("starts.parquet");
    assert_eq!(show(&world, "gold_dim_products", "starts", &to), ExitCode::from(65), "not built");
    world.products(&[SOUP]);
    let built = world.done("gold_dim_products", &[]);
    world.products(&[SOUP, "product_id=p2 changed_at=2017-01-02T12:00:00Z list_price=1.00 category=SOUP is_active=true"]);
    for again in 1..=2 {
        assert_eq!(show(&world, "gold_dim_products", "starts", &to), ExitCode::SUCCESS);
        let file = ParquetFile::read(std::fs::File::open(&to).unwrap(), "starts").unwrap();
        assert_eq!(file.rows(), 1, "time {again}: the newer version of the input is not what the table is made from");
    }
    assert_eq!(world.done("gold_dim_products", &[]).inputs.values().next(), built.inputs.values().next().map(|v| v + 1).as_ref());
    assert!(!world.root.path().join("starts.parquet.part").exists());
}

#[test]
fn a_model_that_has_changed_since_does_not_pass_for_the_one_that_built_the_table() {
    let world = World::with_own_contracts();
    world.products(&[SOUP]);
    world.done("gold_dim_products", &[]);
    let to = world.root.path().join("starts.parquet");
    world.edit("gold/dim_products/model.sql", "    FROM starts\n", "    FROM starts WHERE TRUE\n");
    assert_eq!(show(&world, "gold_dim_products", "starts", &to), ExitCode::from(65));
    assert!(!to.exists());
    world.done("gold_dim_products", &[]);
    assert_eq!(show(&world, "gold_dim_products", "starts", &to), ExitCode::SUCCESS);
}

#[test]
fn what_cannot_be_shown_is_a_configuration_error() {
    let world = World::with_own_contracts();
    world.products(&[SOUP]);
    world.done("gold_dim_products", &[]);
    let to = world.root.path().join("rows.parquet");
    assert_eq!(show(&world, "gold_dim_products", "silver_products_history", &to), ExitCode::from(2), "an input is no step");
    assert_eq!(show(&world, "silver_orders", "starts", &to), ExitCode::from(2), "no Gold table");
    assert_eq!(show(&world, "gold_product_performance", "orders", &to), ExitCode::from(2), "it reads what it must not show");
    assert_eq!(show(&world, "gold_dim_customers", "counted", &to), ExitCode::from(2), "it hides whom few are like");
    let nowhere = world.root.path().join("nowhere/rows.parquet");
    assert_eq!(show(&world, "gold_dim_products", "starts", &nowhere), ExitCode::from(2), "no such directory");
    let directory = world.root.path().join("directory");
    std::fs::create_dir(&directory).unwrap();
    assert_eq!(show(&world, "gold_dim_products", "starts", &directory), ExitCode::from(2), "a directory");
    assert!(!world.root.path().join("directory.part").exists());
    assert!(!to.exists());
}
