//! Memory in chunks, addressed by 32-bit links.
//!
//! A growing vector would copy everything it holds, and hold the shard up for as long; here nothing
//! moves once a chunk is full.

/// Bytes of a chunk, about.
const CHUNK_BYTES: usize = 128 << 10;

/// Elements that stay where they are. Freed ones are used again.
pub(super) struct Arena<T> {
    chunks: Vec<Vec<T>>,
    free: Vec<u32>,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), free: Vec::new() }
    }
}

impl<T: Copy> Arena<T> {
    /// Elements of a chunk: a power of two, so that a link is taken apart by shifts.
    const CHUNK: usize = (CHUNK_BYTES / size_of::<T>()).next_power_of_two();

    /// Puts an element in and yields its link.
    pub(super) fn add(&mut self, element: T) -> u32 {
        if let Some(link) = self.free.pop() {
            *self.get_mut(link) = element;
            return link;
        }
        if self.chunks.last().is_none_or(|chunk| chunk.len() == Self::CHUNK) {
            // The first one grows, as most boards are small.
            let room = if self.chunks.is_empty() { 0 } else { Self::CHUNK };
            self.chunks.push(Vec::with_capacity(room));
        }
        let before = (self.chunks.len() - 1) * Self::CHUNK;
        let mut place = 0;
        if let Some(chunk) = self.chunks.last_mut() {
            place = chunk.len();
            chunk.push(element);
        }
        (before + place) as u32
    }

    /// Takes the element out. The link must not be used again.
    pub(super) fn free(&mut self, link: u32) {
        self.free.push(link);
    }

    pub(super) fn get(&self, link: u32) -> &T {
        &self.chunks[link as usize / Self::CHUNK][link as usize % Self::CHUNK]
    }

    pub(super) fn get_mut(&mut self, link: u32) -> &mut T {
        &mut self.chunks[link as usize / Self::CHUNK][link as usize % Self::CHUNK]
    }

    /// Bytes that it has taken from the heap.
    pub(super) fn bytes(&self) -> usize {
        let elements: usize = self.chunks.iter().map(Vec::capacity).sum();
        elements * size_of::<T>()
            + self.chunks.capacity() * size_of::<Vec<T>>()
            + self.free.capacity() * size_of::<u32>()
    }
}
