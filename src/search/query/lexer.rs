//! The words and signs of a query.

use super::QueryError;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Word(String),
    /// Digits with at most one point, which a text may consist of as well.
    Number(String),
    /// What stood between quotes.
    Phrase(String),
    /// What stood behind `^`.
    Boost(String),
    /// What stood behind `~`.
    Tilde(String),
    Plus,
    Minus,
    Colon,
    Greater,
    Less,
    Equal,
}

/// What `\` may take its meaning from.
const RESERVED: &str = "+-=&|><!(){}[]^\"~*?:\\/ ";

/// Splits a query. Takes time by its length.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, QueryError> {
    let mut lexer = Lexer { rest: text.chars().peekable() };
    let mut tokens = Vec::new();
    while let Some(token) = lexer.next()? {
        tokens.push(token);
    }
    Ok(tokens)
}

struct Lexer<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
}

impl Lexer<'_> {
    fn next(&mut self) -> Result<Option<Token>, QueryError> {
        while self.rest.next_if(|next| next.is_whitespace()).is_some() {}
        let Some(first) = self.rest.peek().copied() else { return Ok(None) };
        let sign = match first {
            '+' => Token::Plus,
            '-' => Token::Minus,
            ':' => Token::Colon,
            '>' => Token::Greater,
            '<' => Token::Less,
            '=' => Token::Equal,
            '"' => {
                self.rest.next();
                return self.phrase().map(Some);
            }
            '^' => {
                self.rest.next();
                return Ok(Some(Token::Boost(self.amount())));
            }
            '~' => {
                self.rest.next();
                return Ok(Some(Token::Tilde(self.amount())));
            }
            _ => return Ok(self.word()),
        };
        self.rest.next();
        Ok(Some(sign))
    }

    fn phrase(&mut self) -> Result<Token, QueryError> {
        let mut phrase = String::new();
        loop {
            match self.rest.next().ok_or(QueryError::Quote)? {
                '"' => return Ok(Token::Phrase(phrase)),
                '\\' => self.escaped(&mut phrase),
                other => phrase.push(other),
            }
        }
    }

    /// What stands behind a boost or a tilde, up to a blank; without anything, 1.
    fn amount(&mut self) -> String {
        let mut amount = String::new();
        while let Some(next) = self.rest.next_if(|next| *next != ' ') {
            match next {
                '\\' => self.escaped(&mut amount),
                other => amount.push(other),
            }
        }
        if amount.is_empty() { "1".to_owned() } else { amount }
    }

    /// A word, or a number. `None` where nothing is left but a lone backslash.
    fn word(&mut self) -> Option<Token> {
        let mut word = String::new();
        let (mut is_number, mut points) = (true, 0);
        while let Some(next) = self.rest.next_if(|next| !matches!(next, ' ' | ':' | '^' | '~')) {
            if next == '\\' {
                is_number = false;
                self.escaped(&mut word);
                continue;
            }
            points += usize::from(next == '.');
            is_number &= next.is_ascii_digit() || (next == '.' && points == 1 && !word.is_empty());
            word.push(next);
        }
        match (word.is_empty(), is_number) {
            (true, _) => None,
            (false, true) => Some(Token::Number(word)),
            (false, false) => Some(Token::Word(word)),
        }
    }

    fn escaped(&mut self, into: &mut String) {
        let Some(escaped) = self.rest.next() else { return };
        if !RESERVED.contains(escaped) {
            into.push('\\');
        }
        into.push(escaped);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str) -> Token {
        Token::Word(text.to_owned())
    }

    #[test]
    fn a_query_is_split_into_words_and_signs() {
        let split = tokens(r#" +a.b:"c \" d"^2.5  -e:>=-10 f~ 1.2.3 4. "#).unwrap();
        let expected = [
            Token::Plus,
            word("a.b"),
            Token::Colon,
            Token::Phrase("c \" d".to_owned()),
            Token::Boost("2.5".to_owned()),
            Token::Minus,
            word("e"),
            Token::Colon,
            Token::Greater,
            Token::Equal,
            Token::Minus,
            Token::Number("10".to_owned()),
            word("f"),
            Token::Tilde("1".to_owned()),
            word("1.2.3"),
            Token::Number("4.".to_owned()),
        ];
        assert_eq!(split, expected);
    }

    #[test]
    fn a_backslash_makes_letters_of_signs_and_stays_before_others() {
        assert_eq!(tokens(r"a\:b\ c").unwrap(), [word("a:b c")]);
        assert_eq!(tokens(r"\+a \d").unwrap(), [word("+a"), word(r"\d")]);
        assert_eq!(tokens(r"\5").unwrap(), [word(r"\5")]);
        assert_eq!(tokens(r"5\").unwrap(), [word("5")]);
        assert_eq!(tokens(r"\").unwrap(), []);
    }

    #[test]
    fn only_a_blank_ends_a_word_and_a_quote_must_be_closed() {
        assert_eq!(tokens("a\tb-c>d").unwrap(), [word("a\tb-c>d")]);
        assert_eq!(tokens(r#"a:"b"#), Err(QueryError::Quote));
    }
}
