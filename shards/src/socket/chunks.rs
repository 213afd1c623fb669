//! Bytes on their way out: small frames copied together into pooled buffers, big ones as they are.

use std::collections::VecDeque;

use bytes::Bytes;

/// A frame up to this length is copied beside its neighbours; a longer one is sent from where it is.
pub(super) const COPY_MAX: usize = 2048;
/// The first buffer of a socket that was drained: most turns fit. One that overflows is exchanged for a
/// large one, so that a flight of small frames is one piece.
const SMALL: usize = 1024;
/// Further buffers of the same flight.
const LARGE: usize = 16 * 1024;

/// Buffers that wait for their next use.
pub(super) struct Pool {
    small: Vec<Vec<u8>>,
    large: Vec<Vec<u8>>,
    /// Bytes that each class keeps at most; the rest goes back to the allocator.
    class_bytes_max: usize,
}

impl Pool {
    pub(super) fn new(class_bytes_max: usize) -> Self {
        Self { small: Vec::new(), large: Vec::new(), class_bytes_max }
    }

    fn take(&mut self, large: bool) -> Vec<u8> {
        let (class, capacity) =
            if large { (&mut self.large, LARGE) } else { (&mut self.small, SMALL) };
        class.pop().unwrap_or_else(|| Vec::with_capacity(capacity))
    }

    fn give_back(&mut self, mut buffer: Vec<u8>) {
        let (class, capacity) = match buffer.capacity() {
            SMALL => (&mut self.small, SMALL),
            LARGE => (&mut self.large, LARGE),
            _ => return,
        };
        if (class.len() + 1) * capacity <= self.class_bytes_max {
            buffer.clear();
            class.push(buffer);
        }
    }
}

enum Chunk {
    Pooled(Vec<u8>),
    Shared(Bytes),
}

impl Chunk {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Pooled(buffer) => buffer,
            Self::Shared(bytes) => bytes,
        }
    }
}

/// A queue of bytes in order. The first chunk stands inline, so that the usual queue of one buffer
/// allocates nothing but that buffer.
#[derive(Default)]
pub(super) struct Chunks {
    head: Option<Chunk>,
    rest: VecDeque<Chunk>,
    /// Bytes of the head that were sent.
    sent: usize,
    len: usize,
    units: u32,
}

impl Chunks {
    /// Bytes to send.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Writes that were appended and not yet handed over.
    pub(super) fn units(&self) -> u32 {
        self.units
    }

    pub(super) fn count(&self) -> usize {
        usize::from(self.head.is_some()) + self.rest.len()
    }

    pub(super) fn copy(&mut self, bytes: &[u8], pool: &mut Pool) {
        self.units = self.units.saturating_add(1);
        if bytes.is_empty() {
            return;
        }
        self.len += bytes.len();
        let last = self.rest.back_mut().or(self.head.as_mut());
        if let Some(Chunk::Pooled(buffer)) = last {
            if buffer.capacity() == SMALL && buffer.len() + bytes.len() > SMALL {
                // A copy of little costs less than a send that has to gather.
                let small = std::mem::replace(buffer, pool.take(true));
                buffer.extend_from_slice(&small);
                pool.give_back(small);
            }
            if buffer.capacity() - buffer.len() >= bytes.len() {
                buffer.extend_from_slice(bytes);
                return;
            }
        }
        let chunk = if bytes.len() > LARGE {
            Chunk::Shared(Bytes::copy_from_slice(bytes))
        } else {
            let mut buffer = pool.take(self.head.is_some() || bytes.len() > SMALL);
            buffer.extend_from_slice(bytes);
            Chunk::Pooled(buffer)
        };
        self.push(chunk);
    }

    pub(super) fn share(&mut self, bytes: &Bytes, pool: &mut Pool) {
        if bytes.len() <= COPY_MAX {
            return self.copy(bytes, pool);
        }
        self.units = self.units.saturating_add(1);
        self.len += bytes.len();
        self.push(Chunk::Shared(bytes.clone()));
    }

    fn push(&mut self, chunk: Chunk) {
        if self.head.is_none() {
            self.head = Some(chunk);
        } else {
            self.rest.push_back(chunk);
        }
    }

    /// The unsent part of the first chunk.
    pub(super) fn first(&self) -> &[u8] {
        let head = self.head.as_ref().map_or(&[][..], Chunk::as_slice);
        head.get(self.sent..).unwrap_or_default()
    }

    pub(super) fn slices(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::once(self.first()).chain(self.rest.iter().map(Chunk::as_slice))
    }

    /// Drops the first `sent` bytes, giving emptied buffers back.
    pub(super) fn advance(&mut self, sent: usize, pool: &mut Pool) {
        let mut sent = sent.min(self.len);
        self.len -= sent;
        while sent > 0 {
            let first = self.first().len();
            if sent < first {
                self.sent += sent;
                return;
            }
            sent -= first;
            self.drop_head(pool);
        }
    }

    fn drop_head(&mut self, pool: &mut Pool) {
        if let Some(Chunk::Pooled(buffer)) = self.head.take() {
            pool.give_back(buffer);
        }
        self.head = self.rest.pop_front();
        self.sent = 0;
    }

    /// Gives every buffer back.
    pub(super) fn discard(&mut self, pool: &mut Pool) {
        while self.head.is_some() {
            self.drop_head(pool);
        }
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn drained(mut chunks: Chunks, step: usize, pool: &mut Pool) -> Vec<u8> {
        let mut out = Vec::new();
        while !chunks.is_empty() {
            assert_eq!(chunks.slices().map(<[u8]>::len).sum::<usize>(), chunks.len());
            let n = step.min(chunks.len());
            out.extend(chunks.slices().flatten().take(n));
            chunks.advance(n, pool);
        }
        assert_eq!(chunks.count(), 0);
        out
    }

    proptest! {
        #[test]
        fn bytes_leave_in_order_however_they_were_queued_and_cut(
            writes in prop::collection::vec((0usize..5000, any::<bool>(), any::<u8>()), 0..40),
            step in 50usize..9000,
        ) {
            let mut pool = Pool::new(64 * 1024);
            let mut chunks = Chunks::default();
            let mut expected = Vec::new();
            for (len, share, byte) in &writes {
                let bytes: Vec<u8> = (0..*len).map(|i| byte.wrapping_add(i as u8)).collect();
                expected.extend_from_slice(&bytes);
                if *share {
                    chunks.share(&Bytes::from(bytes), &mut pool);
                } else {
                    chunks.copy(&bytes, &mut pool);
                }
            }
            prop_assert_eq!(chunks.units() as usize, writes.len());
            prop_assert_eq!(drained(chunks, step, &mut pool), expected);
        }
    }

    #[test]
    fn small_frames_share_one_buffer_and_it_returns_to_the_pool() {
        let mut pool = Pool::new(64 * 1024);
        let mut chunks = Chunks::default();
        for _ in 0..20 {
            chunks.copy(&[7; 50], &mut pool);
        }
        assert_eq!(chunks.count(), 1);
        chunks.advance(1000, &mut pool);
        assert_eq!((chunks.count(), pool.small.len()), (0, 1));
    }

    #[test]
    fn the_pool_keeps_no_more_than_its_bound() {
        let mut pool = Pool::new(4 * SMALL);
        let buffers: Vec<_> = (0..10).map(|_| pool.take(false)).collect();
        for buffer in buffers {
            pool.give_back(buffer);
        }
        assert_eq!(pool.small.len(), 4);
    }
}
