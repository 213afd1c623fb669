//! Wildcards: `*` is any letters, also none, and `?` is one.

/// Whether a pattern is the whole of a text. Takes time by the product of their lengths at worst, and no
/// memory.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    // Where the last star stands: what follows it, and the text from which that was tried last.
    let mut star: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    loop {
        let (mut after, mut rest) = (pattern.clone(), text.clone());
        match (after.next(), rest.next()) {
            (Some('*'), _) => {
                star = Some((after.clone(), text.clone()));
                pattern = after;
            }
            (Some('?'), Some(_)) => (pattern, text) = (after, rest),
            (Some(wanted), Some(found)) if wanted == found => (pattern, text) = (after, rest),
            (None, None) => return true,
            (Some(_) | None, _) => {
                // The star takes one letter more.
                let Some((after, from)) = &mut star else { return false };
                if from.next().is_none() {
                    return false;
                }
                (pattern, text) = (after.clone(), from.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same by its definition.
    fn by_definition(pattern: &[char], text: &[char]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            (['*', after @ ..], [_, rest @ ..]) => {
                by_definition(after, text) || by_definition(pattern, rest)
            }
            (['*', after @ ..], []) => by_definition(after, text),
            (['?', after @ ..], [_, rest @ ..]) => by_definition(after, rest),
            ([wanted, after @ ..], [found, rest @ ..]) => {
                wanted == found && by_definition(after, rest)
            }
            ([], _) | (_, []) => false,
        }
    }

    proptest! {
        #[test]
        fn wildcards_match_as_they_are_defined(pattern in "[ab*?é]{0,8}", text in "[abé]{0,8}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(
                matches(&pattern, &text),
                by_definition(&chars(&pattern), &chars(&text))
            );
        }
    }
}
