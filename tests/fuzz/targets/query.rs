//! A query of any content: understood or refused, and asked about a document that its own words fill.
#![no_main]

use kakera::search::query::{Document, Query};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(query) = Query::parse(text) else { return };
    let mut document = Document::default();
    document.put_text("properties.mode", "ranked");
    document.put_number("properties.rank", 10.0);
    for word in text.split([' ', ':', '^', '~']) {
        document.put_text("a", word);
        document.put_text(word, "b");
    }
    if query.matches(&document) {
        // An index that looks for one of the terms finds the document.
        for term in query.terms() {
            let held = document.terms().any(|has| {
                has.field == term.field
                    && (has.text.is_some() && has.text == term.text
                        || has.place.is_some() && has.place == term.place)
            });
            assert!(held, "{text:?} matches without {term:?}");
        }
    }
});
