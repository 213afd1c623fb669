//! A counted B+ tree of links to records: every inner node knows how many records lie below each of its
//! children, so that a position is found, and a position is told, in one way from the root.
//!
//! Nodes hold links, not keys; two trees may order the same records in two ways.

use std::{cmp::Ordering, marker::PhantomData};

use super::arena::Arena;

/// Records of a leaf: with its length, it fills 512 bytes.
const LEAF_LEN: usize = 127;
/// Children of an inner node.
const INNER_LEN: usize = 64;

/// How a tree orders its records. Two records that are equal cannot both be in it.
pub(super) trait Order {
    type Record: Copy;

    fn order(a: &Self::Record, b: &Self::Record) -> Ordering;
}

#[derive(Clone, Copy)]
struct Leaf {
    len: u32,
    records: [u32; LEAF_LEN],
}

#[derive(Clone, Copy)]
struct Inner {
    len: u32,
    children: [u32; INNER_LEN],
    /// Records below each child.
    counts: [u32; INNER_LEN],
    /// The first record below each child.
    firsts: [u32; INNER_LEN],
}

/// A node as its parent knows it.
#[derive(Clone, Copy)]
struct Child {
    node: u32,
    count: u32,
    first: u32,
}

/// Links to records in order. Reading and writing take time that grows with the logarithm of the length.
pub(super) struct Tree<O> {
    root: u32,
    /// Inner nodes on the way to any leaf.
    height: u32,
    len: usize,
    leaves: Arena<Leaf>,
    inners: Arena<Inner>,
    order: PhantomData<O>,
}

impl<O: Order> Default for Tree<O> {
    fn default() -> Self {
        let mut leaves = Arena::default();
        let root = leaves.add(Leaf { len: 0, records: [0; LEAF_LEN] });
        let order = PhantomData;
        Self { root, height: 0, len: 0, leaves, inners: Arena::default(), order }
    }
}

impl<O: Order> Tree<O> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Bytes that the nodes take.
    pub(super) fn bytes(&self) -> usize {
        self.leaves.bytes() + self.inners.bytes()
    }

    /// Adds a record that is not there yet.
    pub(super) fn insert(&mut self, records: &Arena<O::Record>, link: u32) {
        let (root, height) = (self.root, self.height);
        if let Some(right) = self.insert_below(root, height, records, link) {
            let left = self.child(root, height);
            let mut top = Inner {
                len: 0,
                children: [0; INNER_LEN],
                counts: [0; INNER_LEN],
                firsts: [0; INNER_LEN],
            };
            top.insert(0, left);
            top.insert(1, right);
            self.root = self.inners.add(top);
            self.height += 1;
        }
        self.len += 1;
    }

    /// Takes the record that equals `key` out.
    pub(super) fn remove(&mut self, records: &Arena<O::Record>, key: &O::Record) -> bool {
        let (root, height) = (self.root, self.height);
        if !self.remove_below(root, height, records, key) {
            return false;
        }
        self.len -= 1;
        while self.height > 0 && self.inners.get(self.root).len == 1 {
            let above = self.root;
            self.root = self.inners.get(above).children[0];
            self.inners.free(above);
            self.height -= 1;
        }
        true
    }

    /// The position of the record that equals `key`, from 0, and its link; or the position that it
    /// would have.
    pub(super) fn find(
        &self,
        records: &Arena<O::Record>,
        key: &O::Record,
    ) -> Result<(usize, u32), usize> {
        let (mut node, mut before) = (self.root, 0);
        for _ in 0..self.height {
            let inner = self.inners.get(node);
            let at = inner.child_of::<O>(records, key);
            before += inner.counts[..at].iter().map(|count| *count as usize).sum::<usize>();
            node = inner.children[at];
        }
        let leaf = self.leaves.get(node);
        let at = leaf.place_of::<O>(records, key);
        match leaf.used().get(at) {
            Some(link) if O::order(records.get(*link), key).is_eq() => Ok((before + at, *link)),
            Some(_) | None => Err(before + at),
        }
    }

    /// The links from a position on, at most `len` of them.
    pub(super) fn range(&self, start: usize, len: usize) -> Vec<u32> {
        let len = len.min(self.len.saturating_sub(start));
        let mut found = Vec::with_capacity(len);
        if len > 0 {
            self.collect(self.root, self.height, start, len, &mut found);
        }
        found
    }

    fn collect(&self, node: u32, height: u32, mut skip: usize, len: usize, found: &mut Vec<u32>) {
        if height == 0 {
            let left = len - found.len();
            found.extend(self.leaves.get(node).used().iter().skip(skip).take(left));
            return;
        }
        let inner = self.inners.get(node);
        for at in 0..inner.len as usize {
            let count = inner.counts[at] as usize;
            if skip >= count {
                skip -= count;
                continue;
            }
            self.collect(inner.children[at], height - 1, skip, len, found);
            skip = 0;
            if found.len() == len {
                return;
            }
        }
    }

    /// What the parent of a node is to know of it.
    fn child(&self, node: u32, height: u32) -> Child {
        if height == 0 {
            let leaf = self.leaves.get(node);
            return Child { node, count: leaf.len, first: leaf.records[0] };
        }
        let inner = self.inners.get(node);
        let count = inner.counts[..inner.len as usize].iter().sum();
        Child { node, count, first: inner.firsts[0] }
    }

    fn node_len(&self, node: u32, height: u32) -> usize {
        let len = if height == 0 { self.leaves.get(node).len } else { self.inners.get(node).len };
        len as usize
    }

    /// Inserts below a node. A node that overflows keeps its left part and yields the right one.
    fn insert_below(
        &mut self,
        node: u32,
        height: u32,
        records: &Arena<O::Record>,
        link: u32,
    ) -> Option<Child> {
        if height == 0 {
            let leaf = self.leaves.get_mut(node);
            let at = leaf.place_of::<O>(records, records.get(link));
            if (leaf.len as usize) < LEAF_LEN {
                leaf.insert(at, link);
                return None;
            }
            let mut right = leaf.split(at);
            let left_len = leaf.len as usize;
            if at > left_len || right.len == 0 {
                right.insert(at - left_len, link);
            } else {
                leaf.insert(at, link);
            }
            let right = self.leaves.add(right);
            return Some(self.child(right, 0));
        }
        let inner = self.inners.get(node);
        let at = inner.child_of::<O>(records, records.get(link));
        let below = inner.children[at];
        let split = self.insert_below(below, height - 1, records, link);
        let changed = self.child(below, height - 1);
        let inner = self.inners.get_mut(node);
        inner.put(at, changed);
        let right = split?;
        let at = at + 1;
        if (inner.len as usize) < INNER_LEN {
            inner.insert(at, right);
            return None;
        }
        let mut upper = inner.split(at);
        let left_len = inner.len as usize;
        if at > left_len || upper.len == 0 {
            upper.insert(at - left_len, right);
        } else {
            inner.insert(at, right);
        }
        let upper = self.inners.add(upper);
        Some(self.child(upper, height))
    }

    fn remove_below(
        &mut self,
        node: u32,
        height: u32,
        records: &Arena<O::Record>,
        key: &O::Record,
    ) -> bool {
        if height == 0 {
            let leaf = self.leaves.get_mut(node);
            let at = leaf.place_of::<O>(records, key);
            let found = leaf.used().get(at).is_some_and(|link| {
                // By identity of the key, not of the link: the caller may not know it.
                O::order(records.get(*link), key).is_eq()
            });
            if found {
                leaf.remove(at);
            }
            return found;
        }
        let inner = self.inners.get(node);
        let at = inner.child_of::<O>(records, key);
        let below = inner.children[at];
        if !self.remove_below(below, height - 1, records, key) {
            return false;
        }
        let len = self.node_len(below, height - 1);
        if len == 0 {
            self.free(below, height - 1);
            self.inners.get_mut(node).remove(at);
            return true;
        }
        let changed = self.child(below, height - 1);
        self.inners.get_mut(node).put(at, changed);
        let capacity = if height == 1 { LEAF_LEN } else { INNER_LEN };
        if len < capacity / 2 {
            self.merge_around(node, at, height - 1, capacity);
        }
        true
    }

    /// Merges a child with a neighbour where both fit in one node.
    fn merge_around(&mut self, node: u32, at: usize, height: u32, capacity: usize) {
        let inner = *self.inners.get(node);
        for left in [Some(at), at.checked_sub(1)].into_iter().flatten() {
            let right = left + 1;
            if right >= inner.len as usize {
                continue;
            }
            let (to, from) = (inner.children[left], inner.children[right]);
            if self.node_len(to, height) + self.node_len(from, height) > capacity {
                continue;
            }
            if height == 0 {
                let moved = *self.leaves.get(from);
                let leaf = self.leaves.get_mut(to);
                moved.used().iter().for_each(|link| leaf.insert(leaf.len as usize, *link));
            } else {
                let moved = *self.inners.get(from);
                let into = self.inners.get_mut(to);
                for child in 0..moved.len as usize {
                    into.insert(into.len as usize, moved.child(child));
                }
            }
            self.free(from, height);
            let merged = self.child(to, height);
            let inner = self.inners.get_mut(node);
            inner.remove(right);
            inner.put(left, merged);
            return;
        }
    }

    fn free(&mut self, node: u32, height: u32) {
        if height == 0 { self.leaves.free(node) } else { self.inners.free(node) }
    }
}

impl Leaf {
    fn used(&self) -> &[u32] {
        &self.records[..self.len as usize]
    }

    fn place_of<O: Order>(&self, records: &Arena<O::Record>, key: &O::Record) -> usize {
        self.used().partition_point(|link| O::order(records.get(*link), key).is_lt())
    }

    fn insert(&mut self, at: usize, link: u32) {
        let len = self.len as usize;
        self.records.copy_within(at..len, at + 1);
        self.records[at] = link;
        self.len += 1;
    }

    fn remove(&mut self, at: usize) {
        let len = self.len as usize;
        self.records.copy_within(at + 1..len, at);
        self.len -= 1;
    }

    /// The right part of a full leaf into which something goes at `at`. What comes in order, as when a
    /// board is loaded, leaves full leaves behind.
    fn split(&mut self, at: usize) -> Self {
        let keep = if at == LEAF_LEN { LEAF_LEN } else { LEAF_LEN / 2 };
        let mut right = Self { len: (LEAF_LEN - keep) as u32, records: [0; LEAF_LEN] };
        right.records[..LEAF_LEN - keep].copy_from_slice(&self.records[keep..]);
        self.len = keep as u32;
        right
    }
}

impl Inner {
    /// Below which child the key is or belongs.
    fn child_of<O: Order>(&self, records: &Arena<O::Record>, key: &O::Record) -> usize {
        self.firsts[..self.len as usize]
            .partition_point(|first| O::order(records.get(*first), key).is_le())
            .saturating_sub(1)
    }

    fn child(&self, at: usize) -> Child {
        Child { node: self.children[at], count: self.counts[at], first: self.firsts[at] }
    }

    fn put(&mut self, at: usize, child: Child) {
        self.children[at] = child.node;
        self.counts[at] = child.count;
        self.firsts[at] = child.first;
    }

    fn insert(&mut self, at: usize, child: Child) {
        let len = self.len as usize;
        for list in [&mut self.children, &mut self.counts, &mut self.firsts] {
            list.copy_within(at..len, at + 1);
        }
        self.put(at, child);
        self.len += 1;
    }

    fn remove(&mut self, at: usize) {
        let len = self.len as usize;
        for list in [&mut self.children, &mut self.counts, &mut self.firsts] {
            list.copy_within(at + 1..len, at);
        }
        self.len -= 1;
    }

    fn split(&mut self, at: usize) -> Self {
        let keep = if at == INNER_LEN { INNER_LEN } else { INNER_LEN / 2 };
        let mut right = *self;
        for list in [&mut right.children, &mut right.counts, &mut right.firsts] {
            list.copy_within(keep.., 0);
        }
        right.len = (INNER_LEN - keep) as u32;
        self.len = keep as u32;
        right
    }
}
