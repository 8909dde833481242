//! How much memory the operators of one query may hold.
//!
//! A plan has dozens of operators that could spill to disk, and few of them hold anything at a time. So the memory is divided among
//! those that do, with room for one more, and not among all, which would leave none of them enough to sort with.

use deltalake::datafusion::{
    common::{DataFusionError, Result},
    execution::memory_pool::{MemoryLimit, MemoryPool, MemoryReservation},
};
use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// What every reservation may hold, whatever the others hold: an operator that has nothing can spill nothing.
const FLOOR_BYTES: usize = 16 << 20;

/// The memory of one query, divided among the operators that hold some.
#[derive(Debug)]
pub(crate) struct SharedPool {
    bytes: usize,
    held: Mutex<Held>,
}

/// What is held.
#[derive(Debug, Default)]
struct Held {
    /// By operators that cannot spill.
    fixed: usize,
    /// By the id of each operator that can spill, where that is anything.
    spillable: HashMap<usize, usize>,
}

impl Held {
    fn total(&self) -> usize {
        self.fixed + self.spillable.values().sum::<usize>()
    }

    fn add(&mut self, reservation: &MemoryReservation, bytes: usize) {
        let consumer = reservation.consumer();
        // Nothing is given back of nothing: who only asked for it would stay a holder for good.
        if bytes == 0 {
            return;
        }
        if consumer.can_spill() {
            *self.spillable.entry(consumer.id()).or_default() += bytes;
        } else {
            self.fixed += bytes;
        }
    }

    fn take(&mut self, reservation: &MemoryReservation, bytes: usize) {
        let consumer = reservation.consumer();
        if !consumer.can_spill() {
            self.fixed = self.fixed.saturating_sub(bytes);
            return;
        }
        let held = self.spillable.entry(consumer.id()).or_default();
        *held = held.saturating_sub(bytes);
        if *held == 0 {
            self.spillable.remove(&consumer.id());
        }
    }
}

impl SharedPool {
    /// A pool of so many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        Self { bytes, held: Mutex::default() }
    }

    /// The counts are right at every instant, so a thread that died with the lock leaves nothing broken.
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a reservation of `size` bytes may hold in all. Those of one operator get a share each, since the parts of a merge wait
    /// for one another, but never more than is free.
    fn share(&self, held: &Held, reservation: &MemoryReservation, size: usize) -> usize {
        let consumer = reservation.consumer();
        let own = held.spillable.get(&consumer.id()).copied().unwrap_or(0);
        let free = self.bytes.saturating_sub(held.total());
        if !consumer.can_spill() {
            return size + free;
        }
        let holders = held.spillable.len() + usize::from(own == 0);
        let part = self.bytes.saturating_sub(held.fixed) / (holders + 1);
        part.min(size + free)
    }
}

impl MemoryPool for SharedPool {
    fn name(&self) -> &str {
        "shared"
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.held().add(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.held().take(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let mut held = self.held();
        // Read once: another thread that shares the reservation changes it without our lock.
        let size = reservation.size();
        let wanted = size + additional;
        let share = self.share(&held, reservation, size).max(FLOOR_BYTES);
        if wanted > share {
            let name = reservation.consumer().name();
            return Err(DataFusionError::ResourcesExhausted(format!("{name} wants {wanted} bytes and may hold {share}")));
        }
        held.add(reservation, additional);
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.held().total()
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.bytes)
    }
}

impl fmt::Display for SharedPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shared({} MiB)", self.bytes >> 20)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deltalake::datafusion::execution::memory_pool::MemoryConsumer;
    use std::sync::Arc;

    const MIB: usize = 1 << 20;

    fn of(pool: &Arc<dyn MemoryPool>, name: &str, can_spill: bool) -> MemoryReservation {
        MemoryConsumer::new(name).with_can_spill(can_spill).register(pool)
    }

    #[test]
    fn who_holds_nothing_takes_no_share() {
        let pool: Arc<dyn MemoryPool> = Arc::new(SharedPool::new(300 * MIB));
        let idle: Vec<MemoryReservation> = (0..40).map(|at| of(&pool, &format!("idle {at}"), true)).collect();
        // An empty batch takes no share either.
        for consumer in &idle {
            consumer.try_grow(0).unwrap();
            consumer.grow(0);
        }
        let (one, other) = (of(&pool, "one", true), of(&pool, "other", true));
        one.try_grow(150 * MIB).unwrap();
        assert!(one.try_grow(1).is_err(), "half is left for who comes next");
        other.try_grow(100 * MIB).unwrap();
        assert!(other.try_grow(1).is_err() && one.try_grow(1).is_err());
        // Who holds more than its share since has to spill before it grows; then the other may have more.
        one.free();
        other.try_grow(50 * MIB).unwrap();
        assert_eq!(pool.reserved(), 150 * MIB);
        drop(idle);
    }

    #[test]
    fn the_reservations_of_one_operator_take_what_is_there_and_no_more() {
        let pool: Arc<dyn MemoryPool> = Arc::new(SharedPool::new(300 * MIB));
        let merge = of(&pool, "aggregate", true);
        let (replay, third) = (merge.new_empty(), merge.new_empty());
        merge.try_grow(150 * MIB).unwrap();
        assert!(merge.try_grow(1).is_err());
        replay.try_grow(150 * MIB).unwrap();
        assert!(third.try_grow(FLOOR_BYTES + 1).is_err(), "all is taken");
        third.try_grow(FLOOR_BYTES).unwrap();
        assert_eq!(pool.reserved(), 300 * MIB + FLOOR_BYTES);
        drop((merge, replay, third));
        assert_eq!(pool.reserved(), 0);
    }

    #[test]
    fn who_cannot_spill_gets_what_is_free_and_everybody_a_little() {
        let pool: Arc<dyn MemoryPool> = Arc::new(SharedPool::new(100 * MIB));
        let (fixed, sort) = (of(&pool, "fixed", false), of(&pool, "sort", true));
        fixed.try_grow(90 * MIB).unwrap();
        assert!(fixed.try_grow(11 * MIB).is_err());
        sort.try_grow(FLOOR_BYTES).unwrap();
        assert!(sort.try_grow(1).is_err());
        let late = of(&pool, "late", false);
        late.try_grow(MIB).unwrap();
        assert!(late.try_grow(FLOOR_BYTES).is_err());
        fixed.free();
        assert_eq!(pool.reserved(), FLOOR_BYTES + MIB);
        // A part that moves to another reservation of the same operator is counted once.
        let half = sort.split(8 * MIB);
        drop(sort);
        drop(half);
        assert_eq!(pool.reserved(), MIB);
    }
}
