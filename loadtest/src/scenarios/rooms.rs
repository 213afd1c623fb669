//! Chat rooms: what fan-out costs. One member of each room sends, all members hear it.

use std::{
    cell::RefCell,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use kakera_proto::realtime::{ChannelJoin, ChannelMessageSend, channel_join, envelope};
use tokio::task::JoinSet;

use super::{Clock, Story, finish, open_sockets};
use crate::{
    measure::Measure,
    options::{Format, Options},
    pace::Pace,
    socket::{Reader, Socket, Writer},
};

/// This thread's rooms.
#[derive(Clone, Copy)]
pub struct Shape {
    pub rooms: usize,
    pub members: usize,
    pub size: usize,
    /// Deliveries a second in all of them.
    pub rate: Option<f64>,
}

pub struct Rooms {
    /// Channel id and members of each.
    filled: Vec<(String, Vec<Socket>)>,
    shape: Shape,
    format: Format,
}

impl Rooms {
    pub async fn set_up(options: &Options, thread: usize, shape: Shape) -> Result<Self> {
        let mut rooms = Vec::with_capacity(shape.rooms);
        for room in 0..shape.rooms {
            let mut sockets = open_sockets(options, shape.members).await?;
            let mut channel = String::new();
            for socket in &mut sockets {
                channel = join(socket, format!("load-{thread}-{room}")).await?;
            }
            rooms.push((channel, sockets));
        }
        Ok(Self { filled: rooms, shape, format: options.format })
    }
}

async fn join(socket: &mut Socket, target: String) -> Result<String> {
    let join = ChannelJoin {
        target,
        r#type: channel_join::Type::Room as i32,
        persistence: Some(false),
        hidden: Some(false),
    };
    match socket.ask("join", envelope::Message::ChannelJoin(join)).await? {
        envelope::Message::Channel(channel) => Ok(channel.id),
        other => bail!("joining a room answered {other:?}"),
    }
}

impl Story for Rooms {
    async fn tell(self, clock: Clock, measure: Rc<RefCell<Measure>>) {
        let mut tasks = JoinSet::new();
        let count = self.filled.len();
        for (index, (channel, sockets)) in self.filled.into_iter().enumerate() {
            let pace = self.shape.rate.map(|rate| {
                let sends = rate / (count * self.shape.members) as f64;
                Pace::new(clock.start, sends, index as f64 / count as f64)
            });
            let room =
                Room { channel, size: self.shape.size, format: self.format, origin: clock.start };
            for (seat, Socket { reader, writer }) in sockets.into_iter().enumerate() {
                let (measure, room) = (Rc::clone(&measure), room.clone());
                if seat > 0 {
                    tasks.spawn_local(listen(reader, writer, room, clock, measure));
                } else {
                    tasks.spawn_local(speak(Socket { reader, writer }, room, pace, clock, measure));
                }
            }
        }
        finish(tasks, clock).await;
    }
}

#[derive(Clone)]
struct Room {
    channel: String,
    size: usize,
    format: Format,
    origin: Instant,
}

/// Marks the moment a message was due in its content, as fixed digits that are found without decoding.
const STAMP: &[u8] = b"due:";
const STAMP_DIGITS: usize = 14;

impl Room {
    fn message(&self, due: Instant) -> Vec<u8> {
        let nanos = due.saturating_duration_since(self.origin).as_nanos();
        let mut content = format!("{{\"t\":\"due:{nanos:0STAMP_DIGITS$}");
        // `"}` ends the content.
        while content.len() + 2 < self.size {
            content.push('x');
        }
        content.push_str("\"}");
        let send = ChannelMessageSend { channel_id: self.channel.clone(), content };
        self.format.encode("", envelope::Message::ChannelMessageSend(send))
    }

    /// When the message of this payload was due; nothing for acknowledgements and presence events.
    fn due(&self, payload: &[u8]) -> Option<Instant> {
        let at = payload.windows(STAMP.len()).position(|window| window == STAMP)? + STAMP.len();
        let digits = std::str::from_utf8(payload.get(at..at + STAMP_DIGITS)?).ok()?;
        Some(self.origin + Duration::from_nanos(digits.parse().ok()?))
    }

    fn heard(&self, payload: &[u8], measure: &RefCell<Measure>) -> bool {
        let due = self.due(payload);
        if let Some(due) = due {
            measure.borrow_mut().done(due.elapsed());
        }
        due.is_some()
    }
}

async fn listen(
    mut reader: Reader,
    mut writer: Writer,
    room: Room,
    clock: Clock,
    measure: Rc<RefCell<Measure>>,
) {
    let read = async {
        loop {
            let heard = |payload: &[u8]| {
                room.heard(payload, &measure);
            };
            if let Err(error) = reader.drain(&mut writer, heard).await {
                return error;
            }
        }
    };
    if let Ok(error) = tokio::time::timeout_at(clock.end.into(), read).await {
        measure.borrow_mut().error(error.to_string());
    }
}

/// Sends by the clock, or the next message as soon as it hears the last one.
async fn speak(
    mut socket: Socket,
    room: Room,
    pace: Option<Pace>,
    clock: Clock,
    measure: Rc<RefCell<Measure>>,
) {
    let result = match pace {
        Some(pace) => speak_by_the_clock(socket, &room, pace, clock, &measure).await,
        None => speak_when_heard(&mut socket, &room, clock, &measure).await,
    };
    if let Err(error) = result {
        measure.borrow_mut().error(error.to_string());
    }
}

async fn speak_when_heard(
    socket: &mut Socket,
    room: &Room,
    clock: Clock,
    measure: &RefCell<Measure>,
) -> Result<()> {
    while !clock.over() {
        socket.writer.send_payload(&room.message(Instant::now())).await?;
        let mut heard = false;
        while !heard {
            socket
                .reader
                .drain(&mut socket.writer, |payload| heard |= room.heard(payload, measure))
                .await?;
        }
    }
    Ok(())
}

async fn speak_by_the_clock(
    socket: Socket,
    room: &Room,
    mut pace: Pace,
    clock: Clock,
    measure: &RefCell<Measure>,
) -> Result<()> {
    let Socket { mut reader, mut writer } = socket;
    while !clock.over() {
        let due = pace.due().await;
        writer.send_payload(&room.message(due)).await?;
        // What has come meanwhile is taken in without waiting for more.
        let _ = tokio::time::timeout(
            Duration::ZERO,
            reader.drain(&mut writer, |payload| {
                room.heard(payload, measure);
            }),
        )
        .await;
    }
    Ok(())
}
