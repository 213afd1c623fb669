//! The differences between the two databases' SQL.
//!
//! A statement is written once, in what both understand (`on conflict .. do update .. returning`,
//! row values, windows, `nulls last`), with these words in braces where they differ:
//!
//! | word | PostgreSQL | SQLite |
//! |---|---|---|
//! | `$1` | `$1` | `?1`, for to SQLite `$1` is a name that is numbered by where it first stands |
//! | `{now}` | `now()` | the time at which the unit started |
//! | `{epoch}` | 1970-01-01 as a time | `0` |
//! | `{in $1}` | `= any($1)` | `in rarray($1)` |
//! | `{array X from ..}` | `array(select X from ..)` | the same as a JSON array |
//! | `{for update}` | `for update` | nothing: there is one writer |
//! | `{like}` | `ilike` | `like` (ASCII only) |
//! | `{escape}` | nothing: a backslash escapes | `escape '\'` |

use super::error::StoreError;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Postgres,
    Sqlite,
}

impl Dialect {
    /// The statement as this database reads it.
    pub(super) fn translate(self, sql: &str) -> Result<String, StoreError> {
        let mut out = String::with_capacity(sql.len() + 32);
        let mut rest = sql;
        while let Some(at) = rest.find(['{', '$']) {
            let (before, word) = rest.split_at(at);
            out.push_str(before);
            let next = word.chars().nth(1);
            if let Some(after) = word.strip_prefix('$') {
                let is_parameter = next.is_some_and(|c| c.is_ascii_digit());
                out.push(if is_parameter && self == Self::Sqlite { '?' } else { '$' });
                rest = after;
            } else if next.is_some_and(|c| c.is_ascii_lowercase()) {
                let close = word.find('}').ok_or_else(|| {
                    StoreError::statement(format_args!("no closing brace in: {sql}"))
                })?;
                self.word(&word[1..close], &mut out)?;
                rest = &word[close + 1..];
            } else {
                // `'{}'` is an empty JSON object, not a word.
                out.push('{');
                rest = &word[1..];
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    fn word(self, word: &str, out: &mut String) -> Result<(), StoreError> {
        let (name, argument) = word.split_once(' ').unwrap_or((word, ""));
        let parts: [&str; 3] = match (name, self) {
            ("now", Self::Postgres) => ["now()", "", ""],
            ("now", Self::Sqlite) => ["kakera_now()", "", ""],
            ("epoch", Self::Postgres) => ["'1970-01-01 00:00:00+00'::timestamptz", "", ""],
            ("epoch", Self::Sqlite) => ["0", "", ""],
            ("in", Self::Postgres) => ["= any(", argument, ")"],
            ("in", Self::Sqlite) => ["in rarray(?", argument.trim_start_matches('$'), ")"],
            ("array", Self::Postgres) => ["array(select ", argument, ")"],
            ("array", Self::Sqlite) => {
                let column = argument.split_once(" from ").map_or(argument, |(column, _)| column);
                out.push_str("(select json_group_array(");
                out.push_str(column);
                out.push_str(") from (select ");
                out.push_str(&self.translate(argument)?);
                ["))", "", ""]
            }
            ("for", Self::Postgres) => ["for ", argument, ""],
            ("for", Self::Sqlite) | ("escape", Self::Postgres) => [""; 3],
            ("like", Self::Postgres) => ["ilike", "", ""],
            ("like", Self::Sqlite) => ["like", "", ""],
            ("escape", Self::Sqlite) => ["escape '\\'", "", ""],
            _ => {
                return Err(StoreError::statement(format_args!("the dialect has no {{{word}}}")));
            }
        };
        out.extend(parts);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(sql: &str) -> [String; 2] {
        [Dialect::Postgres, Dialect::Sqlite].map(|d| d.translate(sql).unwrap())
    }

    #[test]
    fn a_statement_without_words_is_left_alone() {
        let sql = "insert into storage (value) values ('{}'), ('{\"a\":1}') returning key -> '$.a'";
        assert_eq!(both(sql), [sql, sql]);
    }

    #[test]
    fn words_become_what_each_database_reads() {
        assert_eq!(
            both("update users set update_time = {now} where id {in $1} {for update}"),
            [
                "update users set update_time = now() where id = any($1) for update",
                "update users set update_time = kakera_now() where id in rarray(?1) ",
            ]
        );
        assert_eq!(
            both("select {array id from user_device where user_id = u.id} from users u"),
            [
                "select array(select id from user_device where user_id = u.id) from users u",
                "select (select json_group_array(id) from (select id from user_device where user_id \
                 = u.id)) from users u",
            ]
        );
    }

    #[test]
    fn parameters_are_numbered_by_their_number() {
        assert_eq!(
            both("update users set a = $2 where id = $1 and b = $12"),
            [
                "update users set a = $2 where id = $1 and b = $12",
                "update users set a = ?2 where id = ?1 and b = ?12",
            ]
        );
    }

    #[test]
    fn an_unknown_word_is_an_error() {
        assert!(Dialect::Sqlite.translate("select {greatest 1, 2}").is_err());
        assert!(Dialect::Postgres.translate("select {now").is_err());
    }
}
