//! The few HTTP calls that tests need, over a plain connection.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::Value;

/// A reply: its status and its body, or `Null` when the body is no JSON.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub body: Value,
}

/// One request on a connection of its own.
pub fn request(
    server: SocketAddr,
    method: &str,
    path: &str,
    authorization: &str,
    body: &str,
) -> std::io::Result<Reply> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nAuthorization: {authorization}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    Ok(Reply { status, body: serde_json::from_str(body).unwrap_or(Value::Null) })
}

/// The basic authorization of the default server key.
pub const SERVER_KEY: &str = "Basic ZGVmYXVsdGtleTo=";

/// Signs a device in, creating the account; answers the session token.
pub fn sign_in(server: SocketAddr, device: &str) -> String {
    let path = "/v2/account/authenticate/device?create=true";
    let body = format!("{{\"id\":\"{device}\"}}");
    let reply = request(server, "POST", path, SERVER_KEY, &body).expect("the server answers");
    assert_eq!(reply.status, 200, "sign-in of {device}: {:?}", reply.body);
    reply.body["token"].as_str().expect("a session has a token").to_owned()
}

/// The id of the user whose session token this is.
pub fn user_id(server: SocketAddr, token: &str) -> String {
    let reply = request(server, "GET", "/v2/account", &format!("Bearer {token}"), "")
        .expect("the server answers");
    reply.body["user"]["id"].as_str().expect("an account has a user with an id").to_owned()
}
