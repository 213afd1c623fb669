//! The relayed matches of one shard, by how many are in them.

use std::collections::{BTreeSet, hash_map::RandomState};

use hashbrown::HashMap;
use uuid::Uuid;

/// See the module's description. As large as the number of streams, which presence bounds.
#[derive(Debug, Default)]
pub struct Index {
    sizes: HashMap<Uuid, u32, RandomState>,
    by_size: BTreeSet<(u32, Uuid)>,
}

/// Which matches are asked for: sizes from `min` to `max`, and no more than `limit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filter {
    pub min: u32,
    pub max: u32,
    pub limit: usize,
}

impl Index {
    /// So many are in the match now.
    pub fn set(&mut self, id: Uuid, size: u32) {
        let before = if size == 0 { self.sizes.remove(&id) } else { self.sizes.insert(id, size) };
        if let Some(before) = before {
            self.by_size.remove(&(before, id));
        }
        if size > 0 {
            self.by_size.insert((size, id));
        }
    }

    /// Some matches of the sizes that are asked for. Takes time in proportion to what it yields.
    pub fn list(&self, filter: Filter) -> Vec<(Uuid, u32)> {
        if filter.min > filter.max {
            return Vec::new();
        }
        let range = (filter.min, Uuid::nil())..=(filter.max, Uuid::max());
        let found = self.by_size.range(range).take(filter.limit);
        found.map(|(size, id)| (*id, *size)).collect()
    }

    pub fn len(&self) -> usize {
        self.sizes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.sizes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_are_found_by_size_and_forgotten_when_empty() {
        let mut index = Index::default();
        let id = Uuid::from_u128;
        for (number, size) in [(1, 1), (2, 2), (3, 3), (2, 4), (1, 0)] {
            index.set(id(number), size);
        }
        let all = Filter { min: 0, max: u32::MAX, limit: 10 };
        assert_eq!(index.list(all), [(id(3), 3), (id(2), 4)]);
        assert_eq!(index.list(Filter { limit: 1, ..all }), [(id(3), 3)]);
        assert_eq!(index.list(Filter { min: 4, ..all }), [(id(2), 4)]);
        assert_eq!(index.list(Filter { max: 2, ..all }), []);
        assert_eq!(index.list(Filter { min: 5, max: 4, limit: 1 }), []);
        index.set(id(2), 0);
        index.set(id(3), 0);
        index.set(id(3), 0);
        assert!(index.is_empty() && index.by_size.is_empty());
    }
}
