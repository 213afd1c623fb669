//! Why a text is no query.

use thiserror::Error;

/// Whatever the variant, there is no query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum QueryError {
    #[error("the query is too long")]
    TooLong,
    #[error("the query has too many clauses")]
    TooManyClauses,
    #[error("the query has too many regular expressions")]
    TooManyExpressions,
    #[error("the query is empty")]
    Empty,
    #[error("a quote is not closed")]
    Quote,
    #[error("a clause is incomplete")]
    Incomplete,
    #[error("a number is none")]
    Number,
    #[error("a date is none")]
    Date,
}
