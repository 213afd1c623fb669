//! From words and signs to clauses.

use std::slice::Iter;

use super::{
    CLAUSES_MAX, EXPRESSIONS_MAX, Query, QueryError, Scope,
    clause::{Clause, Test, expression, side},
    date,
    document::place,
    lexer::{Token, tokens},
};

/// The most letters that may be wrong in a word.
const DISTANCE_MAX: f64 = 2.0;

pub(super) fn parse(text: &str) -> Result<Query, QueryError> {
    let tokens = tokens(text)?;
    let mut parser = Parser { rest: tokens.iter(), expressions: 0, broken: false };
    let mut query = Query::of(Scope::Clauses);
    while !parser.rest.as_slice().is_empty() {
        let clauses = if parser.skip(&Token::Plus) {
            &mut query.demanded
        } else if parser.skip(&Token::Minus) {
            &mut query.forbidden
        } else {
            &mut query.welcome
        };
        clauses.push(parser.clause()?);
        if query.cost() > CLAUSES_MAX {
            return Err(QueryError::TooManyClauses);
        }
    }
    if query.cost() == 0 {
        return Err(QueryError::Empty);
    }
    if parser.broken {
        query.scope = Scope::Nothing;
    }
    Ok(query)
}

struct Parser<'a> {
    rest: Iter<'a, Token>,
    expressions: usize,
    /// A clause cannot be carried out.
    broken: bool,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Token> {
        self.rest.as_slice().first()
    }

    fn next(&mut self) -> Result<&'a Token, QueryError> {
        self.rest.next().ok_or(QueryError::Incomplete)
    }

    fn skip(&mut self, token: &Token) -> bool {
        let is_next = self.peek() == Some(token);
        if is_next {
            self.rest.next();
        }
        is_next
    }

    fn clause(&mut self) -> Result<Clause, QueryError> {
        let (field, test) = match self.next()? {
            Token::Word(word) if self.skip(&Token::Colon) => (word.as_str(), self.value()?),
            // Without a field, which no document has.
            Token::Word(word) => ("", self.word(word)?),
            Token::Number(text) => ("", number_test(text)?),
            Token::Phrase(text) => ("", Test::Text(text.as_str().into())),
            Token::Boost(_)
            | Token::Tilde(_)
            | Token::Plus
            | Token::Minus
            | Token::Colon
            | Token::Greater
            | Token::Less
            | Token::Equal => return Err(QueryError::Incomplete),
        };
        let boost = match self.peek() {
            Some(Token::Boost(text)) => {
                self.rest.next();
                number(text)?
            }
            Some(_) | None => 1.0,
        };
        Ok(Clause { field: field.into(), test, boost })
    }

    /// What stands behind a field.
    fn value(&mut self) -> Result<Test, QueryError> {
        match self.next()? {
            Token::Word(word) => self.word(word),
            Token::Phrase(text) => Ok(Test::Text(text.as_str().into())),
            Token::Number(text) => number_test(text),
            Token::Minus => match self.next()? {
                Token::Number(text) => number_test(&format!("-{text}")),
                _ => Err(QueryError::Incomplete),
            },
            Token::Greater => self.side(true),
            Token::Less => self.side(false),
            Token::Boost(_) | Token::Tilde(_) | Token::Plus | Token::Colon | Token::Equal => {
                Err(QueryError::Incomplete)
            }
        }
    }

    /// A word that may be a pattern.
    fn word(&mut self, word: &str) -> Result<Test, QueryError> {
        if let Some(Token::Tilde(amount)) = self.peek() {
            self.rest.next();
            return Ok(self.like(word, number(amount)?.trunc()));
        }
        if let Some(pattern) = word.strip_prefix('/').and_then(|word| word.strip_suffix('/')) {
            self.expressions += 1;
            if self.expressions > EXPRESSIONS_MAX {
                return Err(QueryError::TooManyExpressions);
            }
            let Some(expression) = expression(pattern) else {
                self.broken = true;
                return Ok(Test::Present);
            };
            return Ok(Test::Expression(expression));
        }
        Ok(if word.bytes().all(|byte| byte == b'*') {
            Test::Present
        } else if word.contains(['*', '?']) {
            Test::Glob(word.into())
        } else {
            Test::Text(word.into())
        })
    }

    fn like(&mut self, word: &str, distance: f64) -> Test {
        let text = word.into();
        if distance == 0.0 {
            return Test::Text(text);
        }
        self.broken |= !(0.0..=DISTANCE_MAX).contains(&distance);
        Test::Like { text, distance_max: distance.clamp(0.0, DISTANCE_MAX) as usize }
    }

    /// What stands behind `<` or `>`.
    fn side(&mut self, above: bool) -> Result<Test, QueryError> {
        let included = self.skip(&Token::Equal);
        let of = match self.next()? {
            Token::Number(text) => place(number(text)?),
            Token::Minus => match self.next()? {
                Token::Number(text) => place(-number(text)?),
                _ => return Err(QueryError::Incomplete),
            },
            Token::Phrase(text) => date::rfc3339(text).ok_or(QueryError::Date)?,
            _ => return Err(QueryError::Incomplete),
        };
        Ok(Test::Between(side(of, above, included)))
    }
}

fn number_test(text: &str) -> Result<Test, QueryError> {
    Ok(Test::Number { text: text.into(), place: place(number(text)?) })
}

fn number(text: &str) -> Result<f64, QueryError> {
    let number: f64 = text.parse().map_err(|_| QueryError::Number)?;
    if number.is_finite() { Ok(number) } else { Err(QueryError::Number) }
}
