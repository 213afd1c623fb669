//! What the home of a party can be asked, and the homes of its members.

use bytes::Bytes;
use kakera_proto::{api, realtime::UserPresence};
use serde::{Deserialize, Serialize};

use super::{Named, PartyError, PartyRef, Player, Query};
use crate::{
    ids::{PartyId, SessionId, StreamId, TicketId},
    matchmaker::Wanted,
};

/// Between shards. What is boxed keeps the lanes' messages small.
pub enum Request {
    /// To the party's home, answered with [`Reply::Answer`].
    Ask(Box<Asked>),
    /// To the party's home, answered with [`Reply::Answer`].
    Seek(Box<Sought>),
    /// To every shard, answered with [`Reply::Page`].
    List(Box<Filter>),
    /// To the party's home, without an answer: the session does not come after all.
    Release(Box<(PartyId, SessionId)>),
    /// To the home of a session, without an answer: the party has taken it in, so that it may have to
    /// leave its other parties.
    TakenIn(Box<(SessionId, StreamId)>),
}

/// What [`Request`]s are answered with.
pub enum Reply {
    Answer(Result<Answer, PartyError>),
    Page(Box<Page>),
    /// Nobody waits for it.
    None,
}

/// One question to a party.
#[derive(Clone, Debug)]
pub struct Asked {
    pub party: PartyRef,
    pub caller: Player,
    pub ask: Ask,
}

/// A leader's wish for the party to be matched, or no longer.
#[derive(Clone, Debug)]
pub struct Sought {
    pub party: PartyRef,
    pub caller: Player,
    pub seek: Seek,
}

/// What leaders ask of the matchmaker for their parties.
#[derive(Clone, Debug)]
pub enum Seek {
    /// Look for others to play with; the members are told of the ticket.
    Add(Wanted),
    /// Take this ticket back.
    Remove(Box<str>),
}

/// What sessions ask of parties.
#[derive(Clone, Debug)]
pub enum Ask {
    /// May I join?
    Join,
    /// Leader: let somebody else lead.
    Promote(Named),
    /// Leader: take in somebody who has asked.
    Accept(Named),
    /// Leader: put a member out, or refuse somebody who has asked.
    Remove(Named),
    /// Leader: end it.
    Close,
    /// Leader: who has asked to join?
    Requests,
    /// Member: send to the others.
    Data { op_code: i64, data: Bytes },
    /// Leader: change what the party says of itself.
    Update { label: Box<str>, open: bool, hidden: bool },
}

/// What a party answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Done,
    /// A place is held for the caller, who is to enter the party's stream by itself.
    Enter,
    /// A place is held for this session, which is to be put on the stream before the caller is answered.
    /// It does not leave the party's home.
    TakeIn(SessionId),
    Requests(Vec<UserPresence>),
    /// The party looks for others with it.
    Ticket(TicketId),
}

/// The order of a listing: parties by age. Times are in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    pub created_micros: i64,
    pub id: u128,
}

/// Which parties are asked for.
#[derive(Clone, Debug)]
pub struct Filter {
    pub open: Option<bool>,
    pub hidden: bool,
    pub query: Query,
    pub after: Option<Place>,
    pub limit: usize,
}

/// The parties of one shard, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    pub parties: Vec<(Place, api::Party)>,
    /// Where the shard stopped looking; `None` if nothing follows.
    pub looked_up_to: Option<Place>,
}

const _: () = assert!(size_of::<Request>() <= 32 && size_of::<Reply>() <= 32);
