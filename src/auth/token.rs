//! Session and refresh tokens: JWTs signed with HMAC-SHA256, with the protocol's claims.
//!
//! `tid` token id, `uid` user id, `usn` username, `vrs` variables, `exp` and `iat` in Unix seconds; empty
//! ones are left out. Tokens are interchangeable with those of any server that has the same keys.

use std::{borrow::Cow, collections::BTreeMap};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey,
    crypto::{JwtSigner, JwtVerifier, rust_crypto::DEFAULT_PROVIDER},
    errors::Error as JwtError,
};
use serde::{Deserialize, Serialize};

use crate::ids::UserId;

/// `{"alg":"HS256","typ":"JWT"}`, which every token of ours starts with.
const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

/// Longer than any token that fits the request head: refused before any work on it.
const TOKEN_LEN_MAX: usize = 16 * 1024;

pub type Vars = BTreeMap<String, String>;

/// What a valid token says of its bearer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub user_id: UserId,
    pub username: String,
    pub vars: Vars,
    /// Shared by a session token and the refresh token issued with it, and kept by refreshes.
    pub token_id: String,
    /// Unix seconds.
    pub expires_at: i64,
    /// Unix seconds of the sign-in; a refresh keeps it.
    pub issued_at: i64,
}

#[derive(Serialize)]
struct ClaimsOut<'a> {
    #[serde(rename = "tid", skip_serializing_if = "str::is_empty")]
    token_id: &'a str,
    #[serde(rename = "uid")]
    user_id: &'a str,
    #[serde(rename = "usn", skip_serializing_if = "str::is_empty")]
    username: &'a str,
    #[serde(rename = "vrs", skip_serializing_if = "BTreeMap::is_empty")]
    vars: &'a Vars,
    #[serde(rename = "exp")]
    expires_at: i64,
    #[serde(rename = "iat")]
    issued_at: i64,
}

#[derive(Deserialize)]
struct ClaimsIn<'a> {
    #[serde(rename = "tid", default)]
    token_id: String,
    #[serde(rename = "uid", borrow)]
    user_id: Cow<'a, str>,
    #[serde(rename = "usn", default)]
    username: String,
    #[serde(rename = "vrs", default)]
    vars: Option<Vars>,
    #[serde(rename = "exp")]
    expires_at: i64,
    #[serde(rename = "iat", default)]
    issued_at: i64,
}

/// One secret, keyed once: signing and verifying do not derive it again.
pub struct TokenKey {
    signer: Box<dyn JwtSigner>,
    verifier: Box<dyn JwtVerifier>,
}

impl TokenKey {
    /// # Errors
    /// Only when the JWT library has no HS256, which it always has: an error to stop at start-up for.
    pub fn new(secret: &str) -> Result<Self, JwtError> {
        let secret = secret.as_bytes();
        let sign = DEFAULT_PROVIDER.signer_factory;
        let verify = DEFAULT_PROVIDER.verifier_factory;
        Ok(Self {
            signer: sign(&Algorithm::HS256, &EncodingKey::from_secret(secret))?,
            verifier: verify(&Algorithm::HS256, &DecodingKey::from_secret(secret))?,
        })
    }

    /// The signed token.
    ///
    /// # Errors
    /// None that a caller can cause; the library's signature just allows for one.
    pub fn sign(&self, session: &Session) -> Result<String, JwtError> {
        let mut user_id = uuid::Uuid::encode_buffer();
        self.sign_claims(&ClaimsOut {
            token_id: &session.token_id,
            user_id: session.user_id.0.as_hyphenated().encode_lower(&mut user_id),
            username: &session.username,
            vars: &session.vars,
            expires_at: session.expires_at,
            issued_at: session.issued_at,
        })
    }

    /// Likewise for claims of another shape, such as the console's.
    pub fn sign_claims(&self, claims: &impl Serialize) -> Result<String, JwtError> {
        let claims = serde_json::to_vec(claims)?;
        let mut token = String::with_capacity(HEADER.len() + claims.len() * 4 / 3 + 48);
        token.push_str(HEADER);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(&claims, &mut token);
        let signature = self
            .signer
            .try_sign(token.as_bytes())
            .map_err(|error| jsonwebtoken::errors::ErrorKind::Provider(error.to_string()))?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(&signature, &mut token);
        Ok(token)
    }

    /// What the token says, when its signature is ours and `now_sec` is before its expiry.
    pub fn verify(&self, token: &str, now_sec: i64) -> Option<Session> {
        let claims = self.verify_claims(token)?;
        let claims: ClaimsIn<'_> = serde_json::from_slice(&claims).ok()?;
        if now_sec >= claims.expires_at {
            return None;
        }
        Some(Session {
            user_id: claims.user_id.parse().ok()?,
            username: claims.username,
            vars: claims.vars.unwrap_or_default(),
            token_id: claims.token_id,
            expires_at: claims.expires_at,
            issued_at: claims.issued_at,
        })
    }

    /// The JSON of the claims, when the signature is ours. Whether they have expired is not looked at.
    pub fn verify_claims(&self, token: &str) -> Option<Vec<u8>> {
        if token.len() > TOKEN_LEN_MAX {
            return None;
        }
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        if header != HEADER && !is_hs256(token) {
            return None;
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        self.verifier.verify(message.as_bytes(), &signature).ok()?;
        URL_SAFE_NO_PAD.decode(claims).ok()
    }
}

/// Whether a header that is not written like ours still names HS256, as other libraries order it.
fn is_hs256(token: &str) -> bool {
    jsonwebtoken::decode_header(token).is_ok_and(|header| header.alg == Algorithm::HS256)
}

/// A session token and the refresh token that goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenPair {
    pub session: String,
    pub refresh: String,
    /// What the session token says.
    pub claims: Session,
}

/// Both keys and how long their tokens live.
pub struct Tokens {
    session: TokenKey,
    refresh: TokenKey,
    /// Seconds a session token lives.
    pub session_expiry_sec: i64,
    /// Seconds a refresh token lives.
    pub refresh_expiry_sec: i64,
}

impl Tokens {
    pub fn new(
        (session_secret, session_expiry_sec): (&str, i64),
        (refresh_secret, refresh_expiry_sec): (&str, i64),
    ) -> Result<Self, JwtError> {
        Ok(Self {
            session: TokenKey::new(session_secret)?,
            refresh: TokenKey::new(refresh_secret)?,
            session_expiry_sec,
            refresh_expiry_sec,
        })
    }

    /// Both tokens for `session`, whose expiry is set anew from `now_sec`; everything else is kept.
    pub fn issue(&self, mut session: Session, now_sec: i64) -> Result<TokenPair, JwtError> {
        session.expires_at = now_sec.saturating_add(self.refresh_expiry_sec);
        let refresh = self.refresh.sign(&session)?;
        session.expires_at = now_sec.saturating_add(self.session_expiry_sec);
        Ok(TokenPair { session: self.session.sign(&session)?, refresh, claims: session })
    }

    /// What a session token says, when it is signed and unexpired. Revocation is checked apart.
    pub fn verify_session(&self, token: &str, now_sec: i64) -> Option<Session> {
        self.session.verify(token, now_sec)
    }

    /// Likewise for a refresh token.
    pub fn verify_refresh(&self, token: &str, now_sec: i64) -> Option<Session> {
        self.refresh.verify(token, now_sec)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

    fn session() -> Session {
        Session {
            user_id: UserId(Uuid::from_u128(0x1234_5678)),
            username: "someone".into(),
            vars: Vars::new(),
            token_id: "7c9e6679-7425-40de-944b-e07fc1f90ae7".into(),
            expires_at: 1_700_000_060,
            issued_at: 1_700_000_000,
        }
    }

    #[test]
    fn a_token_reads_back_until_the_second_it_expires() {
        let key = TokenKey::new("secret").unwrap();
        let token = key.sign(&session()).unwrap();
        assert_eq!(key.verify(&token, 1_700_000_059), Some(session()));
        assert_eq!(key.verify(&token, 1_700_000_060), None);
    }

    #[test]
    fn a_token_of_another_key_or_with_a_changed_letter_is_refused() {
        let key = TokenKey::new("secret").unwrap();
        let token = key.sign(&session()).unwrap();
        assert_eq!(TokenKey::new("secrets").unwrap().verify(&token, 0), None);
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(key.verify(&String::from_utf8(bytes).unwrap(), 0), None, "letter {at}");
        }
    }

    #[test]
    fn a_token_of_a_running_nakama_server_is_read_and_ours_has_the_same_claims() {
        // Header and claims as Go's JWT library orders them, signed with the default session key.
        let key = TokenKey::new("defaultencryptionkey").unwrap();
        let claims = r#"{"tid":"7c9e6679-7425-40de-944b-e07fc1f90ae7","uid":"00000000-0000-0000-0000-000012345678","usn":"someone","exp":1700000060,"iat":1700000000}"#;
        let message = format!("{HEADER}.{}", URL_SAFE_NO_PAD.encode(claims));
        let ours = key.sign(&session()).unwrap();
        assert_eq!(ours.rsplit_once('.').unwrap().0, message);
        // An independent implementation verifies ours and its token is accepted by us.
        let mut validation = jsonwebtoken::Validation::new(Algorithm::HS256);
        validation.validate_exp = false;
        validation.required_spec_claims.clear();
        let secret = b"defaultencryptionkey";
        let read: jsonwebtoken::TokenData<serde_json::Value> =
            jsonwebtoken::decode(&ours, &DecodingKey::from_secret(secret), &validation).unwrap();
        assert_eq!(read.claims["usn"], "someone");
        let theirs = jsonwebtoken::encode(
            &jsonwebtoken::Header::default(),
            &read.claims,
            &EncodingKey::from_secret(secret),
        )
        .unwrap();
        assert!(!theirs.starts_with(HEADER), "it orders the header otherwise");
        assert_eq!(key.verify(&theirs, 1_700_000_000), Some(session()));
    }

    #[test]
    fn other_algorithms_and_unsigned_tokens_are_refused() {
        let key = TokenKey::new("secret").unwrap();
        let claims = serde_json::json!({"uid": NOBODY, "exp": 2_000_000_000});
        let hs512 = jsonwebtoken::encode(
            &jsonwebtoken::Header::new(Algorithm::HS512),
            &claims,
            &EncodingKey::from_secret(b"secret"),
        )
        .unwrap();
        assert_eq!(key.verify(&hs512, 0), None);
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        let body = URL_SAFE_NO_PAD.encode(claims.to_string());
        assert_eq!(key.verify(&format!("{none}.{body}."), 0), None);
    }

    #[test]
    fn claims_without_expiry_or_user_are_refused_and_null_variables_are_none() {
        let key = TokenKey::new("secret").unwrap();
        let sign = |claims: serde_json::Value| {
            jsonwebtoken::encode(
                &jsonwebtoken::Header::default(),
                &claims,
                &EncodingKey::from_secret(b"secret"),
            )
            .unwrap()
        };
        assert_eq!(key.verify(&sign(serde_json::json!({"uid": NOBODY})), 0), None);
        assert_eq!(key.verify(&sign(serde_json::json!({"exp": 9})), 0), None);
        assert_eq!(key.verify(&sign(serde_json::json!({"exp": 9, "uid": "me"})), 0), None);
        let bare = sign(serde_json::json!({"exp": 9, "uid": NOBODY, "vrs": null}));
        assert!(key.verify(&bare, 0).unwrap().vars.is_empty());
    }

    #[test]
    fn a_refresh_keeps_id_and_issue_time_and_extends_only_the_expiry() {
        let tokens = Tokens::new(("one", 60), ("two", 3600)).unwrap();
        let first = tokens.issue(session(), 1_700_000_000).unwrap();
        let refresh = tokens.verify_refresh(&first.refresh, 1_700_000_100).unwrap();
        assert_eq!(refresh.expires_at, 1_700_003_600);
        assert_eq!(tokens.verify_session(&first.refresh, 1_700_000_000), None, "keys differ");
        let second = tokens.issue(refresh, 1_700_000_100).unwrap();
        assert_eq!(second.claims.expires_at, 1_700_000_160);
        assert_eq!(second.claims.issued_at, first.claims.issued_at);
        assert_eq!(second.claims.token_id, first.claims.token_id);
    }

    proptest! {
        #[test]
        fn any_name_and_variables_survive(name in ".*", vars in proptest::collection::btree_map(".*", ".*", 0..4)) {
            let key = TokenKey::new("secret").unwrap();
            let session = Session { username: name, vars, ..session() };
            let token = key.sign(&session).unwrap();
            prop_assert_eq!(key.verify(&token, 0), Some(session));
        }

        #[test]
        fn no_text_is_taken_for_a_token_or_panics(text in "\\PC{0,200}") {
            let key = TokenKey::new("secret").unwrap();
            prop_assert_eq!(key.verify(&text, 0), None);
            let framed = format!("{HEADER}.{text}.");
            prop_assert_eq!(key.verify(&framed, 0), None);
        }
    }
}
