//! What somebody looks for.

use std::collections::BTreeMap;

use kakera_proto::realtime::{MatchmakerAdd, PartyMatchmakerAdd};

use super::CountError;

/// Players of one match. A larger maximum is taken for this one.
pub const PLAYERS_MAX: usize = 1024;

/// A request to be matched, with counts that make sense.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// Fewest players of the match, 2 at least.
    pub min: usize,
    /// Most players of the match.
    pub max: usize,
    /// What their number is a multiple of.
    pub multiple: usize,
    /// Whom: a text in the language of queries.
    pub query: String,
    /// What others may ask for.
    pub strings: BTreeMap<String, String>,
    pub numbers: BTreeMap<String, f64>,
}

impl Wanted {
    /// Reads what a client asks for itself.
    pub fn read(add: MatchmakerAdd) -> Result<Self, CountError> {
        let counts = (add.min_count, add.max_count, add.count_multiple);
        Self::of(counts, add.query, (add.string_properties, add.numeric_properties))
    }

    /// Reads what a client asks for its party.
    pub fn read_party(add: PartyMatchmakerAdd) -> Result<Self, CountError> {
        let counts = (add.min_count, add.max_count, add.count_multiple);
        Self::of(counts, add.query, (add.string_properties, add.numeric_properties))
    }

    fn of(
        (min, max, multiple): (i32, i32, Option<i32>),
        query: String,
        (strings, numbers): (BTreeMap<String, String>, BTreeMap<String, f64>),
    ) -> Result<Self, CountError> {
        if min < 2 {
            return Err(CountError::Min);
        }
        if max < min {
            return Err(CountError::Max);
        }
        let multiple = multiple.unwrap_or(1);
        if multiple < 1 {
            return Err(CountError::Multiple);
        }
        if min % multiple != 0 {
            return Err(CountError::MinMultiple);
        }
        if max % multiple != 0 {
            return Err(CountError::MaxMultiple);
        }
        let query = if query.is_empty() { "*".to_owned() } else { query };
        let (min, max, multiple) = (min as usize, max as usize, multiple as usize);
        Ok(Self { min, max, multiple, query, strings, numbers })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(
        min_count: i32,
        max_count: i32,
        count_multiple: Option<i32>,
    ) -> Result<Wanted, CountError> {
        Wanted::read(MatchmakerAdd {
            min_count,
            max_count,
            count_multiple,
            ..MatchmakerAdd::default()
        })
    }

    #[test]
    fn counts_that_no_match_can_have_are_refused() {
        for (min, max, multiple, why) in [
            (0, 0, None, CountError::Min),
            (1, 4, None, CountError::Min),
            (i32::MIN, 4, None, CountError::Min),
            (3, 2, None, CountError::Max),
            (2, 4, Some(0), CountError::Multiple),
            (2, 4, Some(-2), CountError::Multiple),
            (3, 4, Some(2), CountError::MinMultiple),
            (4, 5, Some(2), CountError::MaxMultiple),
        ] {
            assert_eq!(read(min, max, multiple), Err(why), "{min} {max} {multiple:?}");
        }
    }

    #[test]
    fn without_a_multiple_it_is_one_and_without_a_query_everybody_is_wanted() {
        let wanted = read(2, i32::MAX, None).unwrap();
        assert_eq!((wanted.min, wanted.max, wanted.multiple), (2, i32::MAX as usize, 1));
        assert_eq!(wanted.query, "*");
        assert_eq!(read(4, 8, Some(4)).unwrap().multiple, 4);
    }
}
