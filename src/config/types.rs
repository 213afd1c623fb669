//! Types of settings that are more than text: secrets, choices, addresses with passwords, pairs.

use std::{collections::BTreeMap, fmt};

use super::value::{Kind, Misfit, Setting, Value, list, text};

/// What stands where a secret would.
pub const HIDDEN: &str = "<hidden>";

/// A text that no log, error or dump may show. Only [`Secret::expose`] gives it away.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl Setting for Secret {
    const KIND: Kind = Kind::Text;
    const SECRET: bool = true;

    fn take(&mut self, value: Value) -> Result<(), Misfit> {
        self.0 = text(value)?;
        Ok(())
    }

    fn value(&self) -> Value {
        Value::Text(self.0.clone())
    }

    fn shown(&self) -> Value {
        Value::Text(if self.0.is_empty() { String::new() } else { HIDDEN.to_owned() })
    }
}

/// A database address: `user:password@host:port/name`, or the same as a URL. Shown without password.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseAddress(String);

impl DatabaseAddress {
    /// The address with its password.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for DatabaseAddress {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for DatabaseAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = match self.0.split_once("://") {
            Some((scheme, rest)) => (Some(scheme), rest),
            None => (None, self.0.as_str()),
        };
        if let Some(scheme) = scheme {
            write!(f, "{scheme}://")?;
        }
        let (address, query) = match rest.split_once('?') {
            Some((address, query)) => (address, Some(query)),
            None => (rest, None),
        };
        match address.rsplit_once('@') {
            Some((login, place)) => match login.split_once(':') {
                Some((user, _)) => write!(f, "{user}:{HIDDEN}@{place}")?,
                None => write!(f, "{login}@{place}")?,
            },
            None => f.write_str(address)?,
        }
        match query {
            // A URL's query may carry `password=` too.
            Some(query) if query.to_ascii_lowercase().contains("password") => {
                write!(f, "?{HIDDEN}")
            }
            Some(query) => write!(f, "?{query}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for DatabaseAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Setting for Vec<DatabaseAddress> {
    const KIND: Kind = Kind::TextList;
    const SECRET: bool = true;

    fn take(&mut self, value: Value) -> Result<(), Misfit> {
        *self = list(value)?.into_iter().map(DatabaseAddress).collect();
        Ok(())
    }

    fn value(&self) -> Value {
        Value::List(self.iter().map(|address| address.0.clone()).collect())
    }

    fn shown(&self) -> Value {
        Value::List(self.iter().map(ToString::to_string).collect())
    }
}

/// `KEY=VALUE` entries for scripts, merged by key over all sources. The values may be secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<String, Secret>);

impl Environment {
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.expose()))
    }

    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(Secret::expose)
    }

    fn entries(&self, show: impl Fn(&Secret) -> &str) -> Value {
        Value::List(self.0.iter().map(|(key, value)| format!("{key}={}", show(value))).collect())
    }
}

impl Setting for Environment {
    const KIND: Kind = Kind::TextList;
    const SECRET: bool = true;

    fn take(&mut self, value: Value) -> Result<(), Misfit> {
        for entry in list(value)? {
            // The entry itself stays out of the error: it may be a secret without its key.
            let (key, value) = entry
                .split_once('=')
                .ok_or_else(|| Misfit::new("entries of the form KEY=VALUE", HIDDEN))?;
            self.0.insert(key.to_owned(), value.into());
        }
        Ok(())
    }

    fn value(&self) -> Value {
        self.entries(Secret::expose)
    }

    fn shown(&self) -> Value {
        self.entries(|_| HIDDEN)
    }
}

/// `NAME=VALUE` headers to add to responses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtraHeaders(pub Vec<(String, String)>);

impl Setting for ExtraHeaders {
    const KIND: Kind = Kind::TextList;

    fn take(&mut self, value: Value) -> Result<(), Misfit> {
        self.0 = list(value)?
            .into_iter()
            .map(|entry| match entry.split_once('=') {
                Some((name, value))
                    if http::HeaderName::try_from(name).is_ok()
                        && http::HeaderValue::try_from(value).is_ok() =>
                {
                    Ok((name.to_owned(), value.to_owned()))
                }
                _ => Err(Misfit::new("headers of the form name=value", entry)),
            })
            .collect::<Result<_, _>>()?;
        Ok(())
    }

    fn value(&self) -> Value {
        Value::List(self.0.iter().map(|(name, value)| format!("{name}={value}")).collect())
    }
}

/// Declares an enum that is written as one of a few words, in any letter case.
macro_rules! choice {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $word:literal $(| $alias:literal)*),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$vmeta])* $variant),+ }

        impl $name {
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl Setting for $name {
            const KIND: Kind = Kind::Text;
            const CHOICES: &'static [&'static str] = &[$($word),+];

            fn take(&mut self, value: Value) -> Result<(), Misfit> {
                let word = text(value)?;
                *self = match word.to_ascii_lowercase().as_str() {
                    $($word $(| $alias)* => Self::$variant,)+
                    _ => return Err(Misfit::new(format!("one of {}", Self::CHOICES.join(", ")), word)),
                };
                Ok(())
            }

            fn value(&self) -> Value {
                Value::Text(self.as_str().to_owned())
            }
        }
    };
}

choice! {
    /// The least severe events that are logged.
    LogLevel { Debug = "debug", Info = "info", Warn = "warn" | "warning", Error = "error" }
}

choice! {
    /// Shape of log lines.
    LogFormat {
        Json = "json" | "",
        /// JSON with Google Cloud's keys.
        Stackdriver = "stackdriver",
        /// For people at a terminal.
        Text = "text",
    }
}

choice! {
    /// Which IP versions to listen on.
    SocketProtocol { Both = "tcp", V4 = "tcp4", V6 = "tcp6" }
}

choice! {
    /// Where data is kept.
    DatabaseDriver { Sqlite = "sqlite", Postgres = "postgres" }
}

choice! {
    /// How long Satori's answers are cached.
    SatoriCacheMode { Context = "context", Time = "time" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_address_is_shown_without_its_password() {
        for (address, shown) in [
            ("root@localhost:26257", "root@localhost:26257"),
            ("u:p@h:5432/db", "u:<hidden>@h:5432/db"),
            ("u:p@ss:w@h:5432/db?sslmode=require", "u:<hidden>@h:5432/db?sslmode=require"),
            ("postgres://u:p@h/db", "postgres://u:<hidden>@h/db"),
            ("postgres://h/db?user=u&Password=p", "postgres://h/db?<hidden>"),
            ("/run/db", "/run/db"),
        ] {
            assert_eq!(DatabaseAddress::from(address).to_string(), shown);
            assert_eq!(format!("{:?}", DatabaseAddress::from(address)), shown);
        }
    }

    #[test]
    fn script_environment_merges_by_key_and_hides_values() {
        let mut env = Environment::default();
        env.take(Value::List(vec!["A=1".into(), "B=x=y".into()])).unwrap();
        env.take(Value::List(vec!["A=2".into(), "C=".into()])).unwrap();
        assert_eq!(env.iter().collect::<Vec<_>>(), [("A", "2"), ("B", "x=y"), ("C", "")]);
        assert_eq!(
            env.shown(),
            Value::List(vec!["A=<hidden>".into(), "B=<hidden>".into(), "C=<hidden>".into()])
        );
        assert!(env.take(Value::List(vec!["no equals sign".into()])).is_err());
        assert!(!format!("{env:?}").contains('2'));
    }

    #[test]
    fn a_choice_is_read_in_any_letter_case_and_only_from_its_words() {
        let mut level = LogLevel::Info;
        level.take(Value::Text("DEBUG".into())).unwrap();
        assert_eq!(level, LogLevel::Debug);
        assert!(level.take(Value::Text("verbose".into())).is_err());
    }
}
