//! A stream and an executor as hyper wants them.

use std::{
    future::Future,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use hyper::rt::{Executor, Read, ReadBufCursor, Write};
use kakera_shards::{runtime, socket::Stream};

use super::{
    link::Link,
    watch::{Owed, Watch},
};

pub(super) struct HttpIo {
    pub(super) stream: Stream<Link>,
    pub(super) watch: Rc<Watch>,
}

impl Read for HttpIo {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let room = buffer.remaining();
        self.stream.poll_read_into(cx, room, |bytes| {
            self.watch.received();
            buffer.put_slice(bytes);
        })
    }
}

impl Write for HttpIo {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream.poll_write_from(cx, bytes)
    }

    /// The socket engine sends what was written at the end of the turn.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.close();
        Poll::Ready(Ok(()))
    }
}

/// Runs the requests of an HTTP/2 connection on the shard.
#[derive(Clone)]
pub(super) struct ShardExecutor;

impl<F: Future<Output = ()> + 'static> Executor<F> for ShardExecutor {
    fn execute(&self, future: F) {
        runtime::spawn("http2 request", future);
    }
}

/// A body that is there at once, and what follows it.
pub(super) struct WholeBody {
    data: Option<Chunk>,
    trailers: Option<HeaderMap>,
}

/// A response's bytes. hyper keeps them until the client has taken them.
pub(super) struct Chunk {
    bytes: Bytes,
    /// Dropped with the last of them.
    _owed: Option<Owed>,
}

impl Buf for Chunk {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }

    fn copy_to_bytes(&mut self, len: usize) -> Bytes {
        self.bytes.copy_to_bytes(len)
    }
}

impl WholeBody {
    pub(super) fn new(bytes: Bytes, trailers: Option<HeaderMap>, watch: &Watch) -> Self {
        let data = (!bytes.is_empty()).then(|| Chunk { bytes, _owed: watch.owe() });
        Self { data, trailers }
    }
}

impl Body for WholeBody {
    type Data = Chunk;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Chunk>, Self::Error>>> {
        if let Some(data) = self.data.take() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.data.as_ref().map_or(0, |data| data.remaining() as u64))
    }
}
