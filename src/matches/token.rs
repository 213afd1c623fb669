//! Tokens with which the matchmaker lets its players into a relayed match.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

/// How long a token is good for, in seconds.
pub const TOKEN_LIFE_SEC: i64 = 30;

/// Writes and reads match tokens: JWTs signed with the session key (HMAC-SHA256); `mid` is the match's id
/// and `exp` when it is too late, in seconds.
pub struct MatchTokens {
    write: EncodingKey,
    read: DecodingKey,
    validation: Validation,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    mid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
}

impl MatchTokens {
    pub fn new(secret: &str) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        // An expiry counts where there is one.
        validation.required_spec_claims.clear();
        validation.leeway = 0;
        let (write, read) = (
            EncodingKey::from_secret(secret.as_bytes()),
            DecodingKey::from_secret(secret.as_bytes()),
        );
        Self { write, read, validation }
    }

    /// A token for a match, good for [`TOKEN_LIFE_SEC`]; `None` only where the JWT library cannot sign.
    pub fn sign(&self, match_id: &str, now_sec: i64) -> Option<String> {
        let claims = Claims { mid: match_id.to_owned(), exp: Some(now_sec + TOKEN_LIFE_SEC) };
        jsonwebtoken::encode(&Header::default(), &claims, &self.write).ok()
    }

    /// The id of the match, if the token is signed and unexpired.
    pub fn match_id(&self, token: &str) -> Option<String> {
        let read = jsonwebtoken::decode::<Claims>(token, &self.read, &self.validation).ok()?;
        Some(read.claims.mid)
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::json;

    use super::*;

    fn token(secret: &str, claims: &serde_json::Value) -> String {
        encode(&Header::default(), claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
    }

    #[test]
    fn a_token_names_its_match_until_it_expires() {
        let tokens = MatchTokens::new("secret");
        let match_id = "9cf7ac81-b6c1-4eb6-8b9a-2a3ec1dd8d0b.";
        let valid = token("secret", &json!({"mid": match_id, "exp": 4_000_000_000_u64}));
        assert_eq!(tokens.match_id(&valid).as_deref(), Some(match_id));
        let unlimited = token("secret", &json!({"mid": match_id}));
        assert_eq!(tokens.match_id(&unlimited).as_deref(), Some(match_id));
        let expired = token("secret", &json!({"mid": match_id, "exp": 1_000_000_000}));
        assert_eq!(tokens.match_id(&expired), None);
    }

    #[test]
    fn a_signed_token_is_good_for_half_a_minute() {
        let tokens = MatchTokens::new("secret");
        let now = jsonwebtoken::get_current_timestamp() as i64;
        let token = tokens.sign("m.", now).unwrap();
        assert_eq!(tokens.match_id(&token).as_deref(), Some("m."));
        let late = tokens.sign("m.", now - TOKEN_LIFE_SEC - 1).unwrap();
        assert_eq!(tokens.match_id(&late), None);
    }

    #[test]
    fn a_token_of_another_key_or_without_a_match_is_refused() {
        let tokens = MatchTokens::new("secret");
        assert_eq!(tokens.match_id(&token("other", &json!({"mid": "m."}))), None);
        assert_eq!(tokens.match_id(&token("secret", &json!({"uid": "u"}))), None);
        assert_eq!(tokens.match_id("no.token.at-all"), None);
    }
}
