//! Where a descriptor's number leads to what is known of it.
//!
//! The kernel gives numbers out densely, so this is an array; it grows in pieces, and nothing in it ever goes away: an event
//! that comes late finds a [`Desc`], if not the one it was for.
#![forbid(unsafe_code)]

use super::desc::Desc;
use std::io;
use std::os::fd::RawFd;
use std::sync::OnceLock;

const PIECE: usize = 256;
const PIECES: usize = 1 << 13;

/// Numbers beyond are refused: Linux allows a process 2^20 descriptors unless told otherwise.
const NUMBERS: usize = PIECE * PIECES;

static TABLE: [OnceLock<Box<[Desc]>>; PIECES] = [const { OnceLock::new() }; PIECES];

/// What is known of the descriptor of this number.
pub(crate) fn desc(fd: RawFd) -> io::Result<&'static Desc> {
    let number = usize::try_from(fd).ok().filter(|&number| number < NUMBERS).ok_or_else(|| {
        let what = format!("sixtyone waits for descriptors below {NUMBERS}, and this one is {fd}");
        io::Error::new(io::ErrorKind::Unsupported, what)
    })?;
    let piece = TABLE[number / PIECE].get_or_init(|| (0..PIECE).map(|_| Desc::new()).collect());
    Ok(&piece[number % PIECE])
}

/// The number of the descriptor with the side at this address: for reports.
pub(crate) fn number_of(side: usize) -> Option<usize> {
    let pieces = TABLE.iter().enumerate().filter_map(|(i, piece)| Some((i, piece.get()?)));
    for (i, piece) in pieces {
        if piece.as_ptr_range().contains(&std::ptr::without_provenance(side)) {
            let at = piece.iter().position(|desc| desc.has_side(side))?;
            return Some(i * PIECE + at);
        }
    }
    None
}
