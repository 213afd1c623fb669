//! Which tickets hold a value, so that a search begins with those that can match.

use std::{
    collections::{BTreeSet, hash_map::RandomState},
    hash::BuildHasher,
};

use hashbrown::{HashMap, hash_map::Entry};

use super::state::Seq;
use crate::search::query::{Document, Query, Term};

/// By the hash of a field and its value; tickets that share one by chance are only looked at in vain.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    hasher: RandomState,
    holders: HashMap<u64, BTreeSet<Seq>, RandomState>,
}

/// Where the tickets stand that a query may match.
pub(super) type Keys = Vec<u64>;

impl Index {
    pub(super) fn insert(&mut self, seq: Seq, document: &Document) {
        for term in document.terms() {
            for key in self.keys(term) {
                self.holders.entry(key).or_default().insert(seq);
            }
        }
    }

    pub(super) fn remove(&mut self, seq: Seq, document: &Document) {
        for term in document.terms() {
            for key in self.keys(term) {
                if let Entry::Occupied(mut holders) = self.holders.entry(key) {
                    holders.get_mut().remove(&seq);
                    if holders.get().is_empty() {
                        holders.remove();
                    }
                }
            }
        }
    }

    /// The smallest part of the pool that holds all that a query can match; `None` is the whole pool.
    pub(super) fn narrow(&self, query: &Query) -> Option<Keys> {
        let parts = query.terms().map(|term| self.keys(term));
        parts.min_by_key(|keys| keys.iter().map(|key| self.holders_len(*key)).sum::<usize>())
    }

    /// The tickets at these keys behind `after`, oldest first and each once.
    pub(super) fn holders<'a>(
        &'a self,
        keys: &[u64],
        after: Seq,
    ) -> Box<dyn Iterator<Item = Seq> + 'a> {
        let part = |key: &u64| {
            let holders = self.holders.get(key);
            holders.into_iter().flat_map(move |holders| holders.range(after.next()..)).copied()
        };
        match keys {
            [one] => Box::new(part(one)),
            [one, other] => Box::new(merged(part(one), part(other))),
            _ => Box::new(std::iter::empty()),
        }
    }

    fn holders_len(&self, key: u64) -> usize {
        self.holders.get(&key).map_or(0, BTreeSet::len)
    }

    fn keys(&self, Term { field, text, place }: Term<'_>) -> Keys {
        let text = text.map(|text| self.hasher.hash_one((field, text)));
        let place = place.map(|place| self.hasher.hash_one((field, place)));
        text.into_iter().chain(place).collect()
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.holders.is_empty()
    }
}

/// Two ascending rows as one, without what both have twice.
fn merged(
    one: impl Iterator<Item = Seq>,
    other: impl Iterator<Item = Seq>,
) -> impl Iterator<Item = Seq> {
    let (mut one, mut other) = (one.peekable(), other.peekable());
    std::iter::from_fn(move || match (one.peek(), other.peek()) {
        (Some(a), Some(b)) if a > b => other.next(),
        (Some(a), Some(b)) if a == b => {
            other.next();
            one.next()
        }
        (Some(_), _) => one.next(),
        (None, _) => other.next(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_begins_where_the_rarest_value_is() {
        let mut index = Index::default();
        let mut documents = Vec::new();
        for at in 0..10_u64 {
            let mut document = Document::default();
            document.put_text("mode", "ranked");
            document.put_text("map", if at % 5 == 0 { "5" } else { "mill" });
            // The fifth has both: the number, and the text that it is written as.
            if at == 3 || at == 5 {
                document.put_number("map", 5.0);
            }
            index.insert(Seq(at), &document);
            documents.push(document);
        }
        let found = |query: &str, after: u64| {
            let keys = index.narrow(&Query::parse(query).unwrap())?;
            Some(index.holders(&keys, Seq(after)).map(|seq| seq.0).collect::<Vec<_>>())
        };
        assert_eq!(found("+mode:ranked +map:5", 0), Some(vec![3, 5]));
        assert_eq!(found("map:5", 3), Some(vec![5]));
        assert_eq!(found("+mode:casual", 0), Some(vec![]));
        assert_eq!(found("+map:>1", 0), None);
        for (at, document) in documents.iter().enumerate() {
            index.remove(Seq(at as u64), document);
        }
        assert!(index.is_empty());
    }
}
