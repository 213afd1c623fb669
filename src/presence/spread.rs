//! From the owner of a stream to the shards of its members.

use std::sync::Arc;

use kakera_proto::realtime::Envelope;
use kakera_shards::Address;

use super::{HomeCount, Owner, Presences, Reply, Request, Send, StreamEvent, wire};
use crate::{
    fanout::{Audience, Delivery, Formats, Outgoing, Targeted},
    ids::{SessionId, StreamId, StreamMode, UserId},
};

impl Presences {
    /// Owner: sends a message on to the members' shards.
    pub(super) fn forward(&self, send: Send) -> Reply {
        self.0.counters.sends.increment();
        let Send { stream, audience, envelope } = send;
        self.owned(&stream.clone(), |owner| {
            Reply::Sent(match audience {
                Audience::All => self.broadcast(owner, stream, None, &envelope),
                Audience::Except(session) => {
                    self.broadcast(owner, stream, Some(session), &envelope)
                }
                Audience::Only(sessions) => self.narrowcast(owner, stream, sessions, &envelope),
            })
        })
    }

    /// Owner: one message to each shard with members other than `except`, encoded for their formats.
    fn broadcast(
        &self,
        owner: &mut Owner,
        stream: StreamId,
        except: Option<SessionId>,
        envelope: &Envelope,
    ) -> u32 {
        let left_out = except.and_then(|session| {
            owner.find(&stream, session).map(|presence| (session.home(), presence.format))
        });
        let homes = owner.homes(&stream).iter().map(|home| match left_out {
            Some((address, format)) if address == home.address => home.without(format),
            Some(_) | None => *home,
        });
        let homes: Vec<_> = homes.filter(|home| home.members() > 0).collect();
        let formats = homes.iter().fold(Formats::default(), |all, home| all.with(home.formats()));
        if !formats.any() {
            return 0;
        }
        let frames = Outgoing::encode(envelope, formats);
        let delivery = Arc::new(Delivery { stream, frames, except });
        for home in &homes {
            let request = Request::Deliver(Arc::clone(&delivery));
            self.pass_on(home.address, request);
        }
        homes.iter().map(HomeCount::members).sum()
    }

    /// Owner: one message to each shard that has some of the chosen sessions.
    fn narrowcast(
        &self,
        owner: &mut Owner,
        stream: StreamId,
        sessions: Vec<SessionId>,
        envelope: &Envelope,
    ) -> u32 {
        let mut formats = Formats::default();
        let mut by_home: Vec<(Address, Vec<SessionId>)> = Vec::new();
        let mut recipients = 0;
        for session in sessions {
            let Some(presence) = owner.find(&stream, session) else { continue };
            formats = formats.with(presence.format.into());
            match by_home.iter_mut().find(|(address, _)| *address == session.home()) {
                Some((_, chosen)) if chosen.contains(&session) => continue,
                Some((_, chosen)) => chosen.push(session),
                None => by_home.push((session.home(), vec![session])),
            }
            recipients += 1;
        }
        if recipients == 0 {
            return 0;
        }
        let frames = Outgoing::encode(envelope, formats);
        let delivery = Arc::new(Delivery { stream, frames, except: None });
        for (home, sessions) in by_home {
            let targeted = Targeted { delivery: Arc::clone(&delivery), sessions };
            self.pass_on(home, Request::DeliverTo(Box::new(targeted)));
        }
        recipients
    }

    /// A message of members: best effort, so that a shard that does not keep up costs no memory here.
    pub(super) fn pass_on(&self, to: Address, request: Request) {
        if self.0.post.deliver(to, request, true) {
            self.0.counters.deliveries.increment();
        } else {
            self.0.counters.deliveries_dropped.increment();
        }
    }

    /// Owner: tells of a stream's joins and leaves.
    pub(super) fn announce(&self, event: &StreamEvent) {
        let mode = event.stream.mode;
        if matches!(mode, StreamMode::MATCH_AUTHORITATIVE | StreamMode::PARTY) {
            self.0.sessions.changed(event);
        }
        // A user's status is for the followers and for the user's own sessions, not for the status stream.
        let (to, also) = if mode == StreamMode::STATUS {
            let user = UserId(event.stream.subject);
            (StreamId::followers(user), Some(StreamId::notifications(user)))
        } else {
            (event.stream.clone(), None)
        };
        let owner = self.0.owner.borrow();
        let formats = also.iter().fold(owner.formats(&to), |all, s| all.with(owner.formats(s)));
        if !formats.any() {
            return;
        }
        let frames = Outgoing::encode(&wire::presence_event(event), formats);
        for stream in std::iter::once(to).chain(also) {
            let frames = frames.clone();
            let homes = owner.homes(&stream);
            let delivery = Arc::new(Delivery { stream: stream.clone(), frames, except: None });
            for home in homes {
                let request = Request::Deliver(Arc::clone(&delivery));
                self.0.post.deliver(home.address, request, false);
            }
        }
    }
}
