//! A hierarchical timing wheel: six levels of 64 slots, a tick of one millisecond.
//!
//! Inserting and cancelling are O(1), advancing costs what has expired plus at most five moves over the
//! life of a timer. After Varghese and Lauck, "Hashed and hierarchical timing wheels" (1987).

const LEVELS: usize = 6;
const SLOT_BITS: u32 = 6;
const SLOTS: usize = 1 << SLOT_BITS;
/// What the wheel spans, in ms (about two years). Later deadlines wait in the last slot and move on.
/// The current slot of the last level is left out, or its next round would look like this one.
const SPAN_MS: u64 = (SLOTS as u64 - 1) << (SLOT_BITS * (LEVELS as u32 - 1));
/// The list of what has expired and was not taken yet.
const DUE: usize = LEVELS * SLOTS;
const NIL: u32 = u32::MAX;

/// Names a timer for as long as it has not fired; a stale key names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimerKey {
    index: u32,
    generation: u32,
}

struct Entry<T> {
    deadline_ms: u64,
    value: Option<T>,
    generation: u32,
    list: u32,
    prev: u32,
    next: u32,
}

#[derive(Clone, Copy)]
struct List {
    head: u32,
    tail: u32,
}

/// Timers with a payload, ordered by deadline and, within a slot, by insertion.
///
/// Its length is bounded by whoever inserts: a session, a call or a task has a handful each.
pub struct Wheel<T> {
    entries: Vec<Entry<T>>,
    free: u32,
    len: usize,
    now_ms: u64,
    occupied: [u64; LEVELS],
    lists: Box<[List; DUE + 1]>,
}

impl<T> Wheel<T> {
    pub fn new(now_ms: u64) -> Self {
        Self {
            entries: Vec::new(),
            free: NIL,
            len: 0,
            now_ms,
            occupied: [0; LEVELS],
            lists: Box::new([List { head: NIL, tail: NIL }; DUE + 1]),
        }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a timer. A deadline that has passed is due at once.
    pub fn insert(&mut self, deadline_ms: u64, value: T) -> TimerKey {
        let index = self.allocate(deadline_ms, value);
        self.place(index);
        self.len += 1;
        TimerKey { index, generation: self.entries[index as usize].generation }
    }

    /// Takes a timer out before it was popped. None where it has fired or was cancelled.
    pub fn cancel(&mut self, key: TimerKey) -> Option<T> {
        self.get_mut(key)?;
        self.unlink(key.index);
        self.release(key.index)
    }

    /// The payload of a timer that has not been popped yet.
    pub fn get_mut(&mut self, key: TimerKey) -> Option<&mut T> {
        let entry = self.entries.get_mut(key.index as usize)?;
        if entry.generation == key.generation { entry.value.as_mut() } else { None }
    }

    /// Takes one timer whose deadline is at or before `now_ms`, earliest first; None when none is left.
    pub fn pop_due(&mut self, now_ms: u64) -> Option<T> {
        if self.lists[DUE].head == NIL {
            self.advance(now_ms);
        }
        let index = self.lists[DUE].head;
        if index == NIL {
            return None;
        }
        self.unlink(index);
        self.release(index)
    }

    /// When to look again: at or before the earliest deadline. None when there is no timer.
    pub fn next_wake_ms(&self) -> Option<u64> {
        if self.lists[DUE].head != NIL {
            return Some(self.now_ms);
        }
        self.next_slot().map(|(_, _, at_ms)| at_ms)
    }

    /// Moves what expires up to `now_ms` to the due list, a slot at a time and in order.
    fn advance(&mut self, now_ms: u64) {
        while let Some((level, slot, at_ms)) = self.next_slot() {
            if at_ms > now_ms {
                break;
            }
            self.now_ms = at_ms;
            self.occupied[level] &= !(1 << slot);
            let list = &mut self.lists[level * SLOTS + slot];
            let mut index = list.head;
            *list = List { head: NIL, tail: NIL };
            while index != NIL {
                let next = self.entries[index as usize].next;
                self.place(index);
                index = next;
            }
        }
        self.now_ms = self.now_ms.max(now_ms);
    }

    /// The next slot to open, and when. A slot above level 0 opens where its span begins, and its timers
    /// move down.
    fn next_slot(&self) -> Option<(usize, usize, u64)> {
        for level in 0..LEVELS {
            if self.occupied[level] == 0 {
                continue;
            }
            let shift = SLOT_BITS * level as u32;
            let current = (self.now_ms >> shift) as u32 % SLOTS as u32;
            let ahead = self.occupied[level].rotate_right(current).trailing_zeros();
            let slot = (current + ahead) as usize % SLOTS;
            let round_ms = 1u64 << (shift + SLOT_BITS);
            let mut at_ms = (self.now_ms & !(round_ms - 1)) + ((slot as u64) << shift);
            // Only the last level wraps: below it, a slot behind the current one belongs to a round
            // that the level above still holds.
            if at_ms <= self.now_ms {
                at_ms += round_ms;
            }
            return Some((level, slot, at_ms));
        }
        None
    }

    fn place(&mut self, index: u32) {
        let deadline_ms = self.entries[index as usize].deadline_ms;
        let list = if deadline_ms <= self.now_ms {
            DUE
        } else {
            let at_ms = deadline_ms.min(self.now_ms + SPAN_MS);
            let differing = (at_ms ^ self.now_ms) | (SLOTS as u64 - 1);
            let level = ((u64::BITS - 1 - differing.leading_zeros()) / SLOT_BITS) as usize;
            let level = level.min(LEVELS - 1);
            let slot = (at_ms >> (SLOT_BITS * level as u32)) as usize % SLOTS;
            self.occupied[level] |= 1 << slot;
            level * SLOTS + slot
        };
        self.push_back(list, index);
    }

    fn push_back(&mut self, list: usize, index: u32) {
        let tail = self.lists[list].tail;
        let entry = &mut self.entries[index as usize];
        entry.list = list as u32;
        entry.prev = tail;
        entry.next = NIL;
        match tail {
            NIL => self.lists[list].head = index,
            tail => self.entries[tail as usize].next = index,
        }
        self.lists[list].tail = index;
    }

    fn unlink(&mut self, index: u32) {
        let Entry { list, prev, next, .. } = self.entries[index as usize];
        let list = list as usize;
        match prev {
            NIL => self.lists[list].head = next,
            prev => self.entries[prev as usize].next = next,
        }
        match next {
            NIL => self.lists[list].tail = prev,
            next => self.entries[next as usize].prev = prev,
        }
        if list != DUE && self.lists[list].head == NIL {
            self.occupied[list / SLOTS] &= !(1 << (list % SLOTS));
        }
    }

    fn allocate(&mut self, deadline_ms: u64, value: T) -> u32 {
        if self.free == NIL {
            let index = u32::try_from(self.entries.len()).unwrap_or(NIL);
            assert!(index != NIL, "a timer wheel holds fewer than 2^32 - 1 timers");
            self.entries.push(Entry {
                deadline_ms,
                value: Some(value),
                generation: 0,
                list: 0,
                prev: NIL,
                next: NIL,
            });
            return index;
        }
        let index = self.free;
        let entry = &mut self.entries[index as usize];
        self.free = entry.next;
        entry.deadline_ms = deadline_ms;
        entry.value = Some(value);
        index
    }

    fn release(&mut self, index: u32) -> Option<T> {
        let entry = &mut self.entries[index as usize];
        entry.generation = entry.generation.wrapping_add(1);
        entry.next = self.free;
        self.free = index;
        self.len -= 1;
        entry.value.take()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn drain<T>(wheel: &mut Wheel<T>, now_ms: u64) -> Vec<T> {
        std::iter::from_fn(|| wheel.pop_due(now_ms)).collect()
    }

    #[test]
    fn a_timer_is_due_at_its_millisecond_and_not_before() {
        let mut wheel = Wheel::new(5);
        wheel.insert(1000, "late");
        assert_eq!(drain(&mut wheel, 999), Vec::<&str>::new());
        assert_eq!(drain(&mut wheel, 1000), ["late"]);
        assert!(wheel.is_empty());
    }

    #[test]
    fn a_deadline_that_has_passed_is_due_at_once() {
        let mut wheel = Wheel::new(100);
        wheel.insert(3, ());
        assert_eq!(wheel.next_wake_ms(), Some(100));
        assert_eq!(drain(&mut wheel, 100).len(), 1);
    }

    #[test]
    fn a_due_timer_can_still_be_cancelled_by_the_one_before_it() {
        let mut wheel = Wheel::new(0);
        wheel.insert(10, 1);
        let second = wheel.insert(10, 2);
        assert_eq!(wheel.pop_due(10), Some(1));
        assert_eq!(wheel.cancel(second), Some(2));
        assert_eq!(wheel.pop_due(10), None);
    }

    #[test]
    fn a_key_is_worthless_once_its_timer_fired_and_the_place_was_reused() {
        let mut wheel = Wheel::new(0);
        let old = wheel.insert(1, 'a');
        assert_eq!(drain(&mut wheel, 1), ['a']);
        wheel.insert(9, 'b');
        assert_eq!(wheel.cancel(old), None);
        assert_eq!(drain(&mut wheel, 9), ['b']);
    }

    #[test]
    fn a_deadline_beyond_the_span_waits_for_its_time() {
        let mut wheel = Wheel::new(0);
        let far = SPAN_MS * 3 + 17;
        wheel.insert(far, ());
        assert!(drain(&mut wheel, far - 1).is_empty());
        assert_eq!(drain(&mut wheel, far).len(), 1);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u64),
        Cancel(usize),
        Advance(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        let delay = prop_oneof![0u64..5, 0u64..200, 0u64..100_000, 0u64..(SPAN_MS * 2)];
        prop_oneof![
            4 => delay.clone().prop_map(Step::Insert),
            1 => any::<usize>().prop_map(Step::Cancel),
            3 => delay.prop_map(Step::Advance),
        ]
    }

    proptest! {
        /// The model is a sorted map: the wheel pops the same timers, in the order of their deadlines.
        #[test]
        fn the_wheel_pops_what_a_sorted_map_would(start in 0u64..1_000_000, steps in prop::collection::vec(step(), 1..200)) {
            let mut now = start;
            let mut wheel = Wheel::new(now);
            let mut model: BTreeSet<(u64, u64)> = BTreeSet::new();
            let mut keys = Vec::new();
            let mut serial = 0;
            for step in steps {
                match step {
                    Step::Insert(delay) => {
                        let id = (now + delay, serial);
                        serial += 1;
                        keys.push((wheel.insert(id.0, id), id));
                        model.insert(id);
                    }
                    Step::Cancel(which) if !keys.is_empty() => {
                        let (key, id) = keys.swap_remove(which % keys.len());
                        prop_assert_eq!(wheel.cancel(key), model.take(&id));
                    }
                    Step::Cancel(_) => {}
                    Step::Advance(by) => {
                        now += by;
                        let popped = drain(&mut wheel, now);
                        let mut expected: Vec<_> = model.iter().copied().filter(|id| id.0 <= now).collect();
                        model.retain(|id| id.0 > now);
                        prop_assert!(popped.windows(2).all(|pair| pair[0].0 <= pair[1].0));
                        let mut sorted = popped;
                        sorted.sort_unstable();
                        expected.sort_unstable();
                        prop_assert_eq!(sorted, expected);
                    }
                }
                prop_assert_eq!(wheel.len(), model.len());
                let earliest = model.first().map(|id| id.0);
                match (wheel.next_wake_ms(), earliest) {
                    (None, None) => {}
                    (Some(wake), Some(earliest)) => prop_assert!(wake <= earliest.max(now)),
                    other => prop_assert!(false, "wake and earliest disagree: {:?}", other),
                }
            }
        }
    }
}
