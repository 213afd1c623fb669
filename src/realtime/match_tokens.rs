//! Tokens with which the matchmaker lets its players into a relayed match.

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;

/// Reads match tokens: JWTs signed with the session key (HMAC-SHA256), `mid` is the match's id.
pub(super) struct MatchTokens {
    key: DecodingKey,
    validation: Validation,
}

#[derive(Deserialize)]
struct Claims {
    mid: String,
}

impl MatchTokens {
    pub(super) fn new(secret: &str) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        // An expiry counts where there is one.
        validation.required_spec_claims.clear();
        validation.leeway = 0;
        Self { key: DecodingKey::from_secret(secret.as_bytes()), validation }
    }

    /// The id of the match, if the token is signed and unexpired.
    pub(super) fn match_id(&self, token: &str) -> Option<String> {
        let read = jsonwebtoken::decode::<Claims>(token, &self.key, &self.validation).ok()?;
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
    fn a_token_of_another_key_or_without_a_match_is_refused() {
        let tokens = MatchTokens::new("secret");
        assert_eq!(tokens.match_id(&token("other", &json!({"mid": "m."}))), None);
        assert_eq!(tokens.match_id(&token("secret", &json!({"uid": "u"}))), None);
        assert_eq!(tokens.match_id("no.token.at-all"), None);
    }
}
