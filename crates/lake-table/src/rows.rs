//! Record batches as rows that a test build can drop or double.

use arrow::{array::RecordBatch, compute::concat_batches};
use lake_core::operator::{Mutation, Rows};

/// A record batch that passes an operator: `operator!("silver.decode", Batch(batch)).0`.
#[derive(Debug, Clone)]
pub struct Batch(pub RecordBatch);

impl Rows for Batch {
    fn rows(&self) -> usize {
        self.0.num_rows()
    }

    fn mutated(self, mutation: Mutation) -> Self {
        let batch = self.0;
        match mutation {
            Mutation::Drop => Self(batch.slice(1, batch.num_rows() - 1)),
            Mutation::Double => match concat_batches(&batch.schema(), [&batch, &batch.slice(0, 1)]) {
                Ok(doubled) => Self(doubled),
                Err(_) => Self(batch),
            },
        }
    }
}
