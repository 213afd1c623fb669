use std::{cell::RefCell, rc::Rc};

use kakera_proto::realtime::{Envelope, envelope::Message};
use kakera_shards::{Clock, Rng};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::{
    error::RealtimeCode,
    fanout::{Format, Slot},
    ids::{GroupId, SessionId, StreamId, UserId},
    presence::tests::net::{Faults, Net},
    presence::wire::channel_id,
};

const ROOM: i32 = 1;
const DIRECT: i32 = 2;
const GROUP: i32 = 3;

fn user(number: u128) -> UserId {
    UserId(Uuid::from_u128(number))
}

fn refused(target: &str, kind: i32) -> ChatError {
    Target::read(user(1), target, kind).expect_err("refused")
}

#[test]
fn a_channel_without_a_type_is_a_room() {
    let target = Target::read(user(1), "lobby", 0).expect("a room");
    assert_eq!(target, Target::read(user(1), "lobby", ROOM).expect("a room"));
    assert_eq!(target.access, Access::Open);
    assert_eq!(channel_id(&target.stream), "2...lobby");
}

#[test]
fn a_room_has_a_name_of_1_to_64_bytes_without_control_characters() {
    assert_eq!(refused("", ROOM), ChatError::TargetMissing);
    assert!(Target::read(user(1), &"x".repeat(64), ROOM).is_ok());
    assert_eq!(refused(&"x".repeat(65), ROOM), ChatError::RoomNameLength);
    // Bytes, not characters.
    assert_eq!(refused(&"é".repeat(33), ROOM), ChatError::RoomNameLength);
    assert_eq!(refused("a\nb", ROOM), ChatError::RoomNameControl);
    assert_eq!(refused("a\u{7f}b", ROOM), ChatError::RoomNameControl);
    assert_eq!(refused("lobby", 9), ChatError::ChannelType);
}

#[test]
fn a_direct_channel_has_one_id_from_both_sides_and_asks_for_the_other() {
    let (one, two) = (user(1), user(2));
    let from_one = Target::read(one, &two.to_string(), DIRECT).expect("a channel");
    let from_two = Target::read(two, &one.to_string(), DIRECT).expect("a channel");
    assert_eq!(channel_id(&from_one.stream), format!("4.{one}.{two}."));
    assert_eq!(from_one.stream, from_two.stream);
    assert_eq!((from_one.access, from_two.access), (Access::User(two), Access::User(one)));
    assert!(Target::read(one, &one.to_string(), DIRECT).is_ok(), "one may write to oneself");
    assert_eq!(refused("nobody", DIRECT), ChatError::DirectTarget);
    assert_eq!(refused(&Uuid::nil().to_string(), DIRECT), ChatError::DirectTarget);
}

#[test]
fn a_group_channel_asks_for_membership() {
    let group = GroupId(Uuid::from_u128(5));
    let target = Target::read(user(1), &group.to_string(), GROUP).expect("a channel");
    assert_eq!(channel_id(&target.stream), format!("3.{group}.."));
    assert_eq!(target.access, Access::Group(group));
    assert_eq!(refused("mine", GROUP), ChatError::GroupTarget);
}

#[test]
fn a_channel_id_that_no_channel_has_is_refused() {
    let id = Uuid::from_u128(5);
    for wrong in [
        String::new(),
        "2".to_owned(),
        "2..".to_owned(),
        "2...".to_owned(),
        format!("2...{}", "x".repeat(65)),
        format!("2.{id}..lobby"),
        "3.mine..".to_owned(),
        format!("3.{id}..label"),
        format!("4.{id}.{id}.label"),
        format!("5.{id}.."),
        "-2...lobby".to_owned(),
    ] {
        assert_eq!(stream_of(&wrong), Err(ChatError::ChannelId), "{wrong}");
    }
    assert_eq!(stream_of("2...a.b.c"), Ok(StreamId::room("a.b.c")));
}

proptest! {
    #[test]
    fn a_channel_id_reads_back_as_its_stream(name in "[^\\x00-\\x1f\\x7f]{1,16}", one: u128, two: u128) {
        prop_assume!(name.len() <= ROOM_NAME_LEN_MAX && one > 0 && two > 0);
        for stream in [
            StreamId::room(&name),
            StreamId::group(GroupId(Uuid::from_u128(one))),
            StreamId::direct(user(one), user(two)),
        ] {
            prop_assert_eq!(stream_of(&channel_id(&stream)), Ok(stream));
        }
    }

    #[test]
    fn no_channel_id_panics(text in ".{0,80}") {
        let _ = stream_of(&text);
    }
}

/// Two users on two shards, with chat on each.
struct Talk {
    net: Net,
    chats: Vec<Chat>,
}

type Got<T> = Rc<RefCell<Option<T>>>;

fn into<T: 'static>() -> (Got<T>, impl FnOnce(T) + 'static) {
    let got: Got<T> = Rc::default();
    let put = Rc::clone(&got);
    (got, move |value| *put.borrow_mut() = Some(value))
}

fn taken<T>(got: &Got<T>) -> T {
    got.borrow_mut().take().expect("was answered")
}

impl Talk {
    fn new() -> Self {
        let net = Net::new(2, 11, Faults::default());
        let chats = net.shards.iter().enumerate().map(|(seed, shard)| {
            Chat::new(shard.presences.clone(), Clock::system(), Rng::from_seed(seed as u64))
        });
        Self { chats: chats.collect(), net }
    }

    /// User n of shard n - 1.
    fn open(&self, number: u128) -> Slot {
        let shard = &self.net.shards[number as usize - 1];
        let session = SessionId::at(shard.address, number << 64);
        let format = if number == 1 { Format::Json } else { Format::Protobuf };
        shard.clients.open(session, user(number), format)
    }

    fn join(&self, number: usize, slot: Slot, target: &Target, persistence: bool) -> ChannelJoined {
        let (got, put) = into();
        let clients = Rc::clone(&self.net.shards[number - 1].clients);
        let id = channel_id(&target.stream);
        self.chats[number - 1].join(slot, target, false, persistence, move |joined| {
            let joined: ChannelJoined = joined.expect("joins");
            clients.with(slot, |client| {
                let view = joined.channel.presences.iter();
                let view = view.map(|p| (p.session_id.clone(), String::new())).collect();
                client.views.insert(id, view);
            });
            put(joined);
        });
        self.net.settle();
        taken(&got)
    }

    fn received(&self, number: usize, slot: Slot) -> Vec<Envelope> {
        let clients = &self.net.shards[number - 1].clients;
        clients.with(slot, |client| std::mem::take(&mut client.received))
    }
}

#[test]
fn two_users_chat_in_a_room_across_shards() {
    let talk = Talk::new();
    let (ann, bob) = (talk.open(1), talk.open(2));
    let lobby = Target::read(user(1), "lobby", ROOM).expect("a room");
    let first = talk.join(1, ann, &lobby, false).channel;
    assert_eq!((first.id.as_str(), first.room_name.as_str()), ("2...lobby", "lobby"));
    assert!(first.presences.is_empty());
    assert_eq!(first.self_.as_ref().map(|me| me.username.as_str()), Some("user-1"));
    let second = talk.join(2, bob, &lobby, true).channel;
    assert_eq!(second.presences.len(), 1);
    assert_eq!(Some(&second.presences[0]), first.self_.as_ref());
    assert!(second.self_.is_some_and(|me| me.persistence));
    talk.received(1, ann);
    talk.received(2, bob);

    let draft = talk.chats[1].draft_send(bob, "2...lobby", r#"{"say":"hi"}"#.into());
    let (got, put) = into();
    talk.chats[1].publish(draft.expect("is fine"), put);
    talk.net.settle();
    let ack = taken(&got).expect("sent");
    assert_eq!((ack.code, ack.persistent), (Some(0), Some(true)));
    assert_eq!((ack.username.as_str(), ack.room_name.as_str()), ("user-2", "lobby"));
    for (number, slot) in [(1, ann), (2, bob)] {
        let received = talk.received(number, slot);
        let [Envelope { message: Some(Message::ChannelMessage(message)), .. }] = &received[..]
        else {
            panic!("one message: {received:?}");
        };
        assert_eq!(message.message_id, ack.message_id);
        assert_eq!(message.content, r#"{"say":"hi"}"#);
        assert_eq!(message.sender_id, user(2).to_string());
        assert_eq!(message.create_time, ack.create_time);
        assert_eq!(message.channel_id, "2...lobby");
    }
}

#[test]
fn a_direct_channel_invites_who_is_not_there() {
    let talk = Talk::new();
    let (ann, bob) = (talk.open(1), talk.open(2));
    let to_bob = Target::read(user(1), &user(2).to_string(), DIRECT).expect("a channel");
    let joined = talk.join(1, ann, &to_bob, true);
    let (to, notice) = joined.invite.expect("bob is not there");
    assert_eq!((to, notice.code, notice.persistent), (user(2), -1, true));
    assert_eq!((notice.subject.as_str(), notice.sender), ("user-1 wants to chat", Some(user(1))));
    assert_eq!(notice.content, r#"{"username":"user-1"}"#);
    assert_eq!(joined.channel.user_id_one, user(1).to_string());
    assert_eq!(joined.channel.user_id_two, user(2).to_string());
    assert_eq!(talk.join(1, ann, &to_bob, true).invite, None, "only once");
    assert_eq!(talk.join(2, bob, &to_bob, true).invite, None, "the other is there");
    let to_self = Target::read(user(1), &user(1).to_string(), DIRECT).expect("a channel");
    assert_eq!(talk.join(1, ann, &to_self, true).invite, None, "nobody invites oneself");
}

#[test]
fn what_is_wrong_with_a_message_is_told_in_the_order_of_the_protocol() {
    let talk = Talk::new();
    let ann = talk.open(1);
    let chat = &talk.chats[0];
    let id = Uuid::from_u128(1).to_string();
    let send = |channel: &str, content: &str| chat.draft_send(ann, channel, content.into());
    assert_eq!(send("nowhere", "[]").unwrap_err(), ChatError::ChannelId);
    assert_eq!(send("2...lobby", "[]").unwrap_err(), ChatError::Content);
    assert_eq!(send("2...lobby", "{}").unwrap_err(), ChatError::NotJoined(Deed::Send));
    let update = |id: &str, content: &str| chat.draft_update(ann, "2...lobby", id, content.into());
    assert_eq!(update("x", "[]").unwrap_err(), ChatError::MessageId);
    assert_eq!(update(&id, "").unwrap_err(), ChatError::Content);
    assert_eq!(update(&id, "{}").unwrap_err(), ChatError::NotJoined(Deed::Update));
    let remove = chat.draft_remove(ann, "2...lobby", &id);
    assert_eq!(remove.unwrap_err(), ChatError::NotJoined(Deed::Remove));
    assert_eq!(ChatError::Content.code(), RealtimeCode::BadInput);
    for (error, code, sentence) in [
        (
            ChatError::NotJoined(Deed::Send),
            RealtimeCode::BadInput,
            "Must join channel before sending messages",
        ),
        (
            ChatError::NoMessage(Deed::Update),
            RealtimeCode::BadInput,
            "Could not find message to update in channel history",
        ),
        (
            ChatError::NotKept(Deed::Remove),
            RealtimeCode::RuntimeException,
            "Could not persist message remove to channel history",
        ),
        (
            ChatError::NotChecked("user ID"),
            RealtimeCode::RuntimeException,
            "Failed to look up user ID",
        ),
    ] {
        assert_eq!((error.code(), error.to_string().as_str()), (code, sentence));
    }
}

#[test]
fn content_is_a_json_object_of_any_depth() {
    let talk = Talk::new();
    let ann = talk.open(1);
    let lobby = Target::read(user(1), "lobby", ROOM).expect("a room");
    talk.join(1, ann, &lobby, false);
    let deep = format!("{}1{}", r#"{"a":"#.repeat(5000), "}".repeat(5000));
    for content in ["{}", " \t\n{\"a\": [1, null]} ", deep.as_str()] {
        assert!(talk.chats[0].draft_send(ann, "2...lobby", content.into()).is_ok());
    }
    for content in ["", " ", "null", "\"{}\"", "{", "{}{}", "{\"a\":}", "[{}]"] {
        let draft = talk.chats[0].draft_send(ann, "2...lobby", content.into());
        assert_eq!(draft.unwrap_err(), ChatError::Content, "{content}");
    }
}

#[test]
fn the_join_says_whether_messages_are_kept_and_groups_always_ask_the_store() {
    let talk = Talk::new();
    let ann = talk.open(1);
    let id = Uuid::from_u128(77).to_string();
    let group = GroupId(Uuid::from_u128(5));
    for (target, kind, persistence) in
        [("live", ROOM, false), ("stored", ROOM, true), (&*group.to_string(), GROUP, false)]
    {
        let target = Target::read(user(1), target, kind).expect("a channel");
        talk.join(1, ann, &target, persistence);
    }
    talk.received(1, ann);
    let chat = &talk.chats[0];
    let draft = chat.draft_update(ann, "2...live", &id, "{}".into()).expect("is fine");
    assert_eq!((draft.deed, draft.message.id.to_string()), (Deed::Update, id.clone()));
    assert!(!draft.persistent && !History::concerns(&draft));
    let removal = chat.draft_remove(ann, "2...stored", &id).expect("is fine");
    assert_eq!((removal.deed, removal.message.content.as_str()), (Deed::Remove, "{}"));
    assert_eq!(removal.message.code, Code::ChatRemove as i32);
    assert!(removal.persistent && History::concerns(&removal));
    let to_group = chat.draft_send(ann, &format!("3.{group}.."), "{}".into()).expect("is fine");
    assert!(!to_group.persistent && History::concerns(&to_group));
}

#[test]
fn no_two_messages_of_a_shard_have_the_same_time() {
    let talk = Talk::new();
    let ann = talk.open(1);
    let lobby = Target::read(user(1), "lobby", ROOM).expect("a room");
    talk.join(1, ann, &lobby, true);
    let times: Vec<_> = (0..100)
        .map(|_| talk.chats[0].draft_send(ann, "2...lobby", "{}".into()).expect("is fine"))
        .map(|draft| draft.message.create_time)
        .collect();
    assert!(times.is_sorted_by(|earlier, later| earlier < later), "{times:?}");
}

#[test]
fn a_group_is_told_of_its_members() {
    let talk = Talk::new();
    let (ann, bob) = (talk.open(1), talk.open(2));
    let group = GroupId(Uuid::from_u128(5));
    let target = Target::read(user(1), &group.to_string(), GROUP).expect("a channel");
    talk.join(1, ann, &target, true);
    talk.join(2, bob, &target, true);
    talk.received(1, ann);
    talk.received(2, bob);
    for (event, code) in [
        (GroupEvent::Join, 3),
        (GroupEvent::Add, 4),
        (GroupEvent::Leave, 5),
        (GroupEvent::Kick, 6),
        (GroupEvent::Promote, 7),
        (GroupEvent::Ban, 8),
        (GroupEvent::Demote, 9),
    ] {
        let note = talk.chats[1].group_event(group, event, user(3));
        assert_eq!((i32::from(note.code), note.group, note.user), (code, group, user(3)));
        talk.chats[1].announce(&note, "cat".to_owned());
        talk.net.settle();
        for (number, slot) in [(1, ann), (2, bob)] {
            let received = talk.received(number, slot);
            let [Envelope { message: Some(Message::ChannelMessage(message)), .. }] = &received[..]
            else {
                panic!("one message: {received:?}");
            };
            assert_eq!((message.code, message.content.as_str()), (Some(code), "{}"));
            assert_eq!(message.sender_id, user(3).to_string());
            assert_eq!((message.username.as_str(), message.persistent), ("cat", Some(true)));
            assert_eq!(
                (&message.group_id, &message.message_id),
                (&group.to_string(), &note.id.to_string())
            );
        }
    }
}

#[test]
fn leaving_a_channel_ends_its_messages() {
    let talk = Talk::new();
    let (ann, bob) = (talk.open(1), talk.open(2));
    let lobby = Target::read(user(1), "lobby", ROOM).expect("a room");
    talk.join(1, ann, &lobby, false);
    talk.join(2, bob, &lobby, false);
    let (got, put) = into();
    talk.chats[0].leave(ann, "2...lobby", move || put(())).expect("a channel");
    talk.net.settle();
    taken(&got);
    talk.received(1, ann);
    let draft = talk.chats[1].draft_send(bob, "2...lobby", "{}".into()).expect("is fine");
    talk.chats[1].publish(draft, |_| ());
    talk.net.settle();
    assert!(talk.received(1, ann).is_empty());
    assert!(talk.chats[0].leave(ann, "nowhere", || ()).is_err());
}
