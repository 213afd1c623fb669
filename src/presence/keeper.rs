//! What the keeper of a stream's subject does to the members: at once, and in order with all else that
//! they are told of the stream. It runs on the shard that owns the stream.

use std::sync::Arc;

use kakera_proto::realtime::Envelope;
use kakera_shards::Address;

use super::{Presences, Request, Untrack};
use crate::{
    fanout::{Delivery, Formats, Outgoing, Targeted},
    ids::{SessionId, StreamId},
};

impl Presences {
    /// Sends to everybody on an owned stream. Unlike what members send, it is never dropped.
    pub fn announce_to_all(&self, stream: &StreamId, envelope: &Envelope) {
        let owner = self.0.owner.borrow();
        let formats = owner.formats(stream);
        if !formats.any() {
            return;
        }
        let frames = Outgoing::encode(envelope, formats);
        let delivery = Arc::new(Delivery { stream: stream.clone(), frames, except: None });
        for home in owner.homes(stream) {
            let request = Request::Deliver(Arc::clone(&delivery));
            self.0.post.deliver(home.address, request, false);
        }
    }

    /// Likewise to one session, if it is on the stream.
    pub fn announce_to(&self, stream: &StreamId, session: SessionId, envelope: &Envelope) {
        let format = self.0.owner.borrow_mut().find(stream, session).map(|found| found.format);
        let Some(format) = format else { return };
        let frames = Outgoing::encode(envelope, Formats::from(format));
        let delivery = Arc::new(Delivery { stream: stream.clone(), frames, except: None });
        let targeted = Targeted { delivery, sessions: vec![session] };
        let home: Address = session.home();
        self.0.post.deliver(home, Request::DeliverTo(Box::new(targeted)), false);
    }

    /// Takes a session off an owned stream, after what it has been sent of it.
    pub fn cast_off(&self, stream: &StreamId, session: SessionId) {
        let untrack = Box::new(Untrack { user: None, session, stream: stream.clone() });
        self.0.post.deliver(session.home(), Request::Untrack(untrack), false);
    }

    /// Takes everybody off an owned stream, without an event, after what they have been sent of it.
    pub fn dissolve(&self, stream: StreamId) {
        self.handle(Request::Close(Box::new(stream)), |_| ());
    }
}
