//! What the compiler says about a `select!` that is wrong: what is wrong, and what to write.
//!
//! `TRYBUILD=overwrite cargo test --test select_ui` writes the texts anew.

#[test]
fn wrong_grammar_is_explained() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/select_ui/*.rs");
}
