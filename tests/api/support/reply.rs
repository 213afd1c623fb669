//! What came back, and what a test expects of it.

use http::StatusCode;
use kakera::net::Response;
use serde_json::Value;

#[derive(Debug)]
pub struct Reply(pub Response);

impl Reply {
    pub fn body(&self) -> Value {
        serde_json::from_slice(&self.0.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The body of a success.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert_eq!(self.0.status, StatusCode::OK, "{self:?}");
        self.body()
    }

    /// Expects a failure of this status and code, and yields its sentence.
    #[track_caller]
    pub fn refused(&self, status: u16, code: u8) -> String {
        let body = self.body();
        assert_eq!((self.0.status.as_u16(), &body["code"]), (status, &code.into()), "{body}");
        body["message"].as_str().unwrap().to_owned()
    }

    /// The status, code and sentence of a failure.
    #[track_caller]
    pub fn error(&self) -> (u16, u8, String) {
        let body = self.body();
        let code = body["code"].as_u64().unwrap_or_default() as u8;
        let message = body["message"].as_str().unwrap_or_default().to_owned();
        (self.0.status.as_u16(), code, message)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.0.headers.get(name).map(|value| value.to_str().unwrap())
    }
}
