//! How a session begins: the handshake is checked, and the session is announced.

use std::rc::Rc;

use crate::{
    auth,
    fanout::Format,
    ids::StreamId,
    presence::{Entry, JoinError, JoinOptions, Presences},
    session::{CloseCause, Identity, Session},
};

/// What the query of a handshake asks for.
#[derive(Debug, PartialEq, Eq)]
pub struct Query {
    pub format: Format,
    pub token: String,
    /// The user is to be shown as online.
    pub status: bool,
    pub lang: String,
}

/// The `format` parameter names no format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownFormat;

impl Query {
    /// Reads the query of a handshake's URI. The first of several parameters of a name counts.
    pub fn parse(query: &str) -> Result<Self, UnknownFormat> {
        let (mut format, mut token, mut status, mut lang) = (None, None, None, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let place = match &*name {
                "format" => &mut format,
                "token" => &mut token,
                "status" => &mut status,
                "lang" => &mut lang,
                _ => continue,
            };
            place.get_or_insert(value);
        }
        Ok(Self {
            format: match format.as_deref() {
                None | Some("" | "json") => Format::Json,
                Some("protobuf") => Format::Protobuf,
                Some(_) => return Err(UnknownFormat),
            },
            token: token.unwrap_or_default().into_owned(),
            status: matches!(status.as_deref(), Some("1" | "t" | "T" | "true" | "TRUE" | "True")),
            lang: lang.filter(|lang| !lang.is_empty()).unwrap_or("en".into()).into_owned(),
        })
    }
}

/// The identity of the bearer of a session token at a client's address.
pub fn identity(claims: auth::Session, lang: String, (ip, port): (String, String)) -> Identity {
    Identity {
        user: claims.user_id,
        username: claims.username.into(),
        vars: claims.vars,
        token_id: claims.token_id.into(),
        issued_at: claims.issued_at,
        expires_at: claims.expires_at,
        lang: lang.into(),
        client_ip: ip.into(),
        client_port: port.into(),
    }
}

/// Puts a new session where its user's notifications arrive, and with `status` where the user's friends
/// see it; then its envelopes are let through. They wait meanwhile, so that whoever sends a first
/// message is already there.
pub fn announce(presences: &Presences, session: &Rc<Session>, status: bool) {
    let user = session.identity().user;
    let hidden = JoinOptions { entry: Entry::Join, hidden: true, ..JoinOptions::default() };
    let notifications = StreamId::notifications(user);
    if !status {
        let session = Rc::clone(session);
        presences.join(session.slot, &notifications, hidden, move |joined| {
            finish(&session, joined.err());
        });
        return;
    }
    // Both streams have one owner, which answers in order: the second answer speaks for both unless
    // the first has closed the session.
    let first = Rc::clone(session);
    presences.join(session.slot, &notifications, hidden, move |joined| {
        if let Err(error) = joined {
            finish(&first, Some(error));
        }
    });
    let second = Rc::clone(session);
    let shown = JoinOptions { status: Some("".into()), ..JoinOptions::default() };
    presences.join(session.slot, &StreamId::status(user), shown, move |joined| {
        finish(&second, joined.err());
    });
}

fn finish(session: &Session, error: Option<JoinError>) {
    match error {
        None => session.announced(),
        Some(JoinError::Left) => {}
        Some(error) => {
            tracing::warn!(sid = %session.id, %error, "A session could not be announced.");
            session.close(CloseCause::Overloaded);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_without_parameters_asks_for_json_in_english_and_no_status() {
        let query = Query::parse("").unwrap();
        let token = String::new();
        let expected = Query { format: Format::Json, token, status: false, lang: "en".into() };
        assert_eq!(query, expected);
    }

    #[test]
    fn parameters_are_decoded_and_unknown_ones_are_passed_over() {
        let query = Query::parse("lang=de%2dAT&x=1&token=a.b%2Bc&status=true&format=protobuf");
        let expected = Query {
            format: Format::Protobuf,
            token: "a.b+c".into(),
            status: true,
            lang: "de-AT".into(),
        };
        assert_eq!(query, Ok(expected));
    }

    #[test]
    fn another_format_is_refused_and_another_status_is_no() {
        assert_eq!(Query::parse("format=xml"), Err(UnknownFormat));
        assert!(!Query::parse("status=yes").unwrap().status);
        assert!(!Query::parse("status=false&status=true").unwrap().status);
    }
}
