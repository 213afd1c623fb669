//! The query language of matchmaker tickets, and of listings to come.
//!
//! A query is a row of clauses, each about one field of a document: `+` in front of one demands it, `-`
//! forbids it, and without either it is welcome. What matches is scored by the clauses that it fits.
//!
//! ```text
//! properties.mode:ranked            a text, or a number, as it stands
//! properties.mode:"two words"       the same, with blanks in it
//! properties.rank:>=10              a number (also <, <=, >); a date where it is quoted and RFC 3339
//! properties.map:de_*  de_?         any letters; one letter
//! properties.map:/de_(dust|mill)/   a regular expression of the whole text
//! properties.name:kakera~2          up to two letters wrong
//! properties.region:eu^5            weighs five times as much
//! *                                 everything
//! ```
//!
//! `\` takes its meaning from the character behind it. Without a demand at least one welcome clause must
//! fit; with nothing but prohibitions, everything else does.
//!
//! *Bounds*: [`QUERY_LEN_MAX`], [`CLAUSES_MAX`], [`EXPRESSIONS_MAX`] and [`EXPRESSION_SIZE_MAX`] of a query,
//! and [`LOOKED_INTO_LEN_MAX`] of a text that is compared letter by letter. *On failure*: a text that is no
//! query is refused as a whole; an expression that does not compile makes a query that nothing matches, as
//! clients of the reference server know it. Matching never fails and never backtracks.

mod clause;
mod date;
mod document;
mod error;
mod glob;
mod lexer;
mod parser;
#[cfg(test)]
mod tests;

pub use clause::Term;
pub use document::Document;
pub use error::QueryError;

use clause::Clause;

/// Bytes of a query.
pub const QUERY_LEN_MAX: usize = 32 * 1024;

/// Clauses of a query.
pub const CLAUSES_MAX: usize = 512;

/// Regular expressions of a query.
pub const EXPRESSIONS_MAX: usize = 4;

/// Bytes that a compiled expression may take, and as much again for the states it has been in.
pub const EXPRESSION_SIZE_MAX: usize = 64 * 1024;

/// Bytes of a text that wildcards, expressions and fuzzy words look into. A longer one does not match them.
pub const LOOKED_INTO_LEN_MAX: usize = 1024;

/// A query that was understood.
#[derive(Clone, Debug)]
pub struct Query {
    demanded: Vec<Clause>,
    welcome: Vec<Clause>,
    forbidden: Vec<Clause>,
    scope: Scope,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// The clauses decide.
    Clauses,
    /// `*`: everything.
    All,
    /// A clause cannot be carried out: nothing.
    Nothing,
}

impl Query {
    /// Reads a query.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        if text.len() > QUERY_LEN_MAX {
            return Err(QueryError::TooLong);
        }
        if text == "*" {
            return Ok(Self::of(Scope::All));
        }
        parser::parse(text)
    }

    fn of(scope: Scope) -> Self {
        Self { demanded: Vec::new(), welcome: Vec::new(), forbidden: Vec::new(), scope }
    }

    /// How well a document matches, the more the better; `None` where it does not.
    pub fn score(&self, document: &Document) -> Option<f64> {
        match self.scope {
            Scope::All => return Some(1.0),
            Scope::Nothing => return None,
            Scope::Clauses => {}
        }
        if self.forbidden.iter().any(|clause| clause.score(document).is_some()) {
            return None;
        }
        let mut score = 0.0;
        for clause in &self.demanded {
            score += clause.score(document)?;
        }
        let mut welcomed = false;
        for fits in self.welcome.iter().filter_map(|clause| clause.score(document)) {
            welcomed = true;
            score += fits;
        }
        let needs_welcome = self.demanded.is_empty() && !self.welcome.is_empty();
        (welcomed || !needs_welcome).then_some(score)
    }

    pub fn matches(&self, document: &Document) -> bool {
        self.score(document).is_some()
    }

    /// Whether all that matches has the same score, so that nothing has to be compared.
    pub fn is_flat(&self) -> bool {
        let alone = self.demanded.is_empty() && self.welcome.len() == 1;
        let clauses = self.demanded.iter().chain(&self.welcome);
        (self.welcome.is_empty() || alone) && clauses.into_iter().all(Clause::is_flat)
    }

    /// What every document that matches holds, one of each: where an index may begin to look.
    pub fn terms(&self) -> impl Iterator<Item = Term<'_>> {
        let alone: &[Clause] = match self.welcome.as_slice() {
            only @ [_] if self.demanded.is_empty() => only,
            _ => &[],
        };
        self.demanded.iter().chain(alone).filter_map(Clause::term)
    }

    /// What it costs to look at a document, in clauses.
    pub fn cost(&self) -> usize {
        self.demanded.len() + self.welcome.len() + self.forbidden.len()
    }
}
