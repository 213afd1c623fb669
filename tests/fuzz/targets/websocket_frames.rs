//! Frames from a stranger: however they are cut, the same messages come out, or the same kind of end.
#![no_main]

use std::ops::ControlFlow;

use kakera::net::Assembly;
use libfuzzer_sys::fuzz_target;

const MESSAGE_BYTES_MAX: usize = 4096;

/// What came out, and whether it ended in a fault.
fn feed(bytes: &[u8], piece: usize) -> (Vec<String>, bool) {
    let mut assembly = Assembly::default();
    let mut seen = Vec::new();
    for piece in bytes.chunks(piece) {
        let mut piece = piece.to_vec();
        let fed = assembly.feed(&mut piece, MESSAGE_BYTES_MAX, |incoming| {
            seen.push(format!("{incoming:?}"));
            ControlFlow::Continue(())
        });
        match fed {
            Ok(used) => assert_eq!(used, piece.len()),
            Err(fault) => {
                assert!(matches!(fault.code, 1002 | 1007 | 1009));
                return (seen, true);
            }
        }
    }
    (seen, false)
}

fuzz_target!(|input: &[u8]| {
    let Some((cut, bytes)) = input.split_first() else { return };
    let (whole, ended) = feed(bytes, bytes.len().max(1));
    let (pieces, also_ended) = feed(bytes, usize::from(*cut).max(1));
    // Text is checked as it comes, so that pieces may end earlier than the whole, never later.
    assert_eq!(whole, pieces);
    assert!(also_ended || !ended);
});
