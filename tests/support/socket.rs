//! Realtime clients over tungstenite: one speaks JSON, one protobuf.

use std::{
    collections::VecDeque,
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use kakera::ids::SessionId;
use kakera_proto::realtime::{Envelope, envelope::Message as Payload};
use prost::Message as _;
use serde_json::{Value, json};
use tungstenite::{
    Message, WebSocket,
    client::IntoClientRequest as _,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

/// How long a client waits for what it expects.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Opens a WebSocket at `/ws` with this query.
pub fn open(server: SocketAddr, query: &str) -> tungstenite::Result<WebSocket<TcpStream>> {
    let stream = TcpStream::connect(server)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let request = format!("ws://{server}/ws?{query}").into_client_request()?;
    match tungstenite::client(request, stream) {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::HandshakeError::Failure(error)) => Err(error),
        Err(tungstenite::HandshakeError::Interrupted(_)) => panic!("the handshake timed out"),
    }
}

/// Reads until the close frame; answers its code, or `None` when the connection just ends.
pub fn read_close(socket: &mut WebSocket<TcpStream>) -> Option<CloseFrame> {
    loop {
        match socket.read() {
            Ok(Message::Close(frame)) => {
                let _ = socket.flush(); // tungstenite queues the answer to the close itself
                return frame;
            }
            Ok(_) => {}
            Err(_) => return None,
        }
    }
}

/// Asserts that the server closes with this code.
pub fn expect_close(socket: &mut WebSocket<TcpStream>, code: CloseCode) {
    let frame = read_close(socket).expect("the server sends a close frame");
    assert_eq!(frame.code, code, "closed with {frame:?}");
}

/// A client that speaks JSON.
pub struct JsonClient {
    pub socket: WebSocket<TcpStream>,
    seen: VecDeque<Value>,
    cid: u32,
}

impl JsonClient {
    pub fn connect(server: SocketAddr, token: &str, more: &str) -> Self {
        let socket =
            open(server, &format!("token={token}&format=json{more}")).expect("the socket opens");
        Self { socket, seen: VecDeque::new(), cid: 0 }
    }

    /// Sends without waiting for the reply; answers the `cid`.
    pub fn send(&mut self, mut envelope: Value) -> String {
        self.cid += 1;
        let cid = self.cid.to_string();
        envelope["cid"] = json!(cid);
        self.socket.send(Message::text(envelope.to_string())).expect("the frame is sent");
        cid
    }

    /// Sends and waits for the reply that carries the `cid`.
    pub fn call(&mut self, envelope: Value) -> Value {
        let cid = self.send(envelope);
        self.reply(&cid)
    }

    /// Waits for the reply to `cid`.
    pub fn reply(&mut self, cid: &str) -> Value {
        self.wait(&format!("the reply to cid {cid}"), |seen| seen["cid"] == cid)
    }

    /// Waits for an envelope that holds the message `name`; answers that message.
    pub fn expect(&mut self, name: &str) -> Value {
        self.wait(name, |seen| seen.get(name).is_some())[name].take()
    }

    /// Waits for an envelope that `wanted` recognises; the others are kept for later waits.
    pub fn wait(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.seen.iter().position(&wanted) {
            return self.seen.remove(at).expect("just found");
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let message = match self.socket.read() {
                Ok(message) => message,
                Err(error) => panic!("waiting for {what}: {error}; seen {:?}", self.seen),
            };
            if let Message::Text(text) = &message {
                let envelope: Value = serde_json::from_str(text).expect("the server sends JSON");
                if wanted(&envelope) {
                    return envelope;
                }
                self.seen.push_back(envelope);
            }
            assert!(Instant::now() < deadline, "no {what}; seen {:?}", self.seen);
        }
    }

    /// Everything that arrived so far and was not waited for. A ping marks the end of it.
    pub fn drain(&mut self) -> Vec<Value> {
        self.call(json!({"ping": {}}));
        self.seen.drain(..).collect()
    }

    /// The id of this session, as the server tells it in a throw-away match.
    pub fn session_id(&mut self) -> SessionId {
        let created = self.call(json!({"match_create": {}}));
        let match_id = created["match"]["match_id"].clone();
        self.call(json!({"match_leave": {"match_id": match_id}}));
        let id = created["match"]["self"]["session_id"].as_str().expect("a match tells who we are");
        id.parse().expect("a session id is a UUID")
    }
}

/// A client that speaks protobuf.
pub struct ProtoClient {
    pub socket: WebSocket<TcpStream>,
    seen: VecDeque<Envelope>,
    cid: u32,
    id: Option<SessionId>,
}

impl ProtoClient {
    pub fn connect(server: SocketAddr, token: &str, more: &str) -> Self {
        let socket = open(server, &format!("token={token}&format=protobuf{more}"))
            .expect("the socket opens");
        Self { socket, seen: VecDeque::new(), cid: 0, id: None }
    }

    /// Sends without waiting for the reply; answers the `cid`.
    pub fn send(&mut self, message: Payload) -> String {
        self.cid += 1;
        let envelope = Envelope { cid: self.cid.to_string(), message: Some(message) };
        self.socket.send(Message::binary(envelope.encode_to_vec())).expect("the frame is sent");
        envelope.cid
    }

    /// Sends and waits for the reply that carries the `cid`.
    pub fn call(&mut self, message: Payload) -> Option<Payload> {
        let cid = self.send(message);
        self.wait(&format!("the reply to cid {cid}"), |seen| seen.cid == cid).message
    }

    /// Waits for an envelope that `wanted` recognises; the others are kept for later waits.
    pub fn wait(&mut self, what: &str, wanted: impl Fn(&Envelope) -> bool) -> Envelope {
        if let Some(at) = self.seen.iter().position(&wanted) {
            return self.seen.remove(at).expect("just found");
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let message = match self.socket.read() {
                Ok(message) => message,
                Err(error) => panic!("waiting for {what}: {error}; seen {:?}", self.seen),
            };
            if let Message::Binary(bytes) = &message {
                let envelope = Envelope::decode(&bytes[..]).expect("the server sends envelopes");
                if wanted(&envelope) {
                    return envelope;
                }
                self.seen.push_back(envelope);
            }
            assert!(Instant::now() < deadline, "no {what}; seen {:?}", self.seen);
        }
    }

    /// The id of this session, as the server tells it in a throw-away match.
    pub fn session_id(&mut self) -> SessionId {
        use kakera_proto::realtime::{MatchCreate, MatchLeave};
        let created = self.call(Payload::MatchCreate(MatchCreate::default()));
        let Some(Payload::Match(created)) = created else { panic!("no match, but {created:?}") };
        self.call(Payload::MatchLeave(MatchLeave { match_id: created.match_id }));
        let own = created.self_.expect("a match tells who we are");
        let id = own.session_id.parse().expect("a session id is a UUID");
        self.id = Some(id);
        id
    }

    /// The id that [`Self::session_id`] learnt, as text.
    pub fn own_id(&self) -> String {
        self.id.expect("the session was asked for its id").to_string()
    }
}
