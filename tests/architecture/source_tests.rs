//! The scan itself sees what it should: a rule that finds nothing must mean that there is nothing.

use crate::source::Source;

fn names(module: &[&str], text: &str) -> Vec<String> {
    let module = module.iter().map(ToString::to_string).collect();
    let source = Source::parse("test.rs".to_owned(), module, text).0;
    source.root_names().into_iter().map(|(name, _)| name).collect()
}

fn found(text: &str, pattern: &[&str]) -> Vec<usize> {
    Source::parse("test.rs".to_owned(), Vec::new(), text).0.find(pattern).collect()
}

#[test]
fn imports_are_found_in_every_spelling() {
    assert_eq!(names(&["a"], "use crate::b::C; fn f() { crate::d::e(); }"), ["b", "d"]);
    assert_eq!(names(&["a"], "use crate::{b::{C, D}, e, f::g};"), ["b", "e", "f"]);
    assert_eq!(names(&["a"], "pub(crate) use super::b;"), ["b"]);
    assert_eq!(names(&["a", "x"], "use super::{super::b, y}; use super::super::c::D;"), ["c"]);
    assert_eq!(names(&["a", "x"], "use super::sibling;"), [""; 0]);
    assert_eq!(names(&["a"], "macro_call!(crate::b::C);"), ["b"]);
}

#[test]
fn comments_strings_and_tests_are_not_code() {
    let text = "
        //! glommio
        /// `x.unwrap()`
        fn f() { let s = \"x.unwrap()\"; /* y.unwrap() */ }
        #[cfg(test)]
        mod tests { fn g() { z.unwrap(); } }
        #[cfg(test)]
        use a::{b, c};
        struct S { #[cfg(test)] field: Vec<u8>, other: u8 }
        fn h() { last.unwrap(); }
    ";
    assert_eq!(found(text, &[".", "unwrap", "(", ")"]), [10]);
    assert_eq!(found(text, &["glommio"]), [0; 0]);
    assert_eq!(found(text, &["other"]), [9]);
    assert_eq!(found(text, &["field"]), [0; 0]);
}

#[test]
fn calls_are_found_inside_macros_and_closures() {
    let text = "fn f() { println!(\"{}\", x.unwrap()); g(|| std::time::Instant::now()); }";
    assert_eq!(found(text, &[".", "unwrap", "(", ")"]), [1]);
    assert_eq!(found(text, &["Instant", "::", "now"]), [1]);
}

#[test]
fn modules_that_only_tests_compile_are_known() {
    let (_, test_modules) =
        Source::parse("a/mod.rs".to_owned(), Vec::new(), "mod a; #[cfg(test)] mod tests; mod b;");
    assert_eq!(test_modules, ["tests"]);
}
