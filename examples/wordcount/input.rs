//! Walking folders and packing files into texts.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::iter;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use crate::count::is_space;
use crate::report::Event;

/// Files that go to a reader at a time: most are small.
const BATCH: usize = 64;

/// Bytes a text holds before it is passed on, unless one word is longer. Small enough that the texts on their
/// way from core to core stay in the caches.
const TEXT_SIZE: usize = 128 << 10;

/// A file to read, or a message about a path that cannot be walked.
pub(crate) type Found = Result<PathBuf, String>;

/// The regular files among `roots` and under them, in batches. Links are followed only where a root is one.
/// In folders, `extension` is the ending that a file's name must have.
pub(crate) fn walk(roots: &[PathBuf], extension: Option<&OsStr>) -> impl Iterator<Item = Vec<Found>> {
    let ending = extension.map(|extension| [b".", extension.as_bytes()].concat());
    let mut files = roots.iter().flat_map(WalkDir::new).filter_map(move |entry| match entry {
        Ok(entry) if entry.depth() == 0 => root(&entry),
        Ok(entry) => {
            let wanted = ending.as_ref().is_none_or(|ending| entry.file_name().as_bytes().ends_with(ending));
            (wanted && entry.file_type().is_file()).then(|| Ok(entry.into_path()))
        }
        Err(error) => Some(Err(error.to_string())),
    });
    iter::from_fn(move || {
        let batch: Vec<Found> = files.by_ref().take(BATCH).collect();
        (!batch.is_empty()).then_some(batch)
    })
}

/// A path from the command line: a folder's contents follow, a file counts whatever its name.
fn root(entry: &DirEntry) -> Option<Found> {
    let path = entry.path();
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => None,
        Ok(meta) if meta.is_file() => Some(Ok(path.to_owned())),
        Ok(_) => Some(Err(format!("{}: neither a file nor a folder", path.display()))),
        Err(error) => Some(Err(format!("{}: {error}", path.display()))),
    }
}

/// Appends the files of a batch to `text` and tells `note` what came of it; for `pass_on` see
/// [`Text::append_file`].
pub(crate) fn read(
    batch: &[Found],
    text: &mut Text,
    mut pass_on: impl FnMut(&mut Text),
    mut note: impl FnMut(Event),
) {
    let (mut files, mut bytes) = (0, 0);
    for found in batch {
        let appended = found.as_ref().map_err(String::clone).and_then(|path| {
            text.append_file(path, &mut pass_on).map_err(|error| format!("{}: {error}", path.display()))
        });
        match appended {
            Ok(n) => {
                files += 1;
                bytes += n;
            }
            Err(message) => note(Event::Failed(message)),
        }
    }
    note(Event::Read { files, bytes });
}

/// Whole words from one or more files, with white space between the files. The buffer is made once and goes
/// round.
#[derive(Debug, Default)]
pub(crate) struct Text {
    /// The text, then room for more.
    buffer: Vec<u8>,
    len: usize,
}

impl Text {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    /// Appends the file's bytes and returns their number. As often as the text is full it goes to `pass_on`,
    /// which may put another in its place, and is then written over. So the longest word bounds the memory,
    /// not the longest file.
    ///
    /// # Errors
    /// What opening or reading reports; the bytes read before that stay in the text.
    pub(crate) fn append_file(&mut self, path: &Path, mut pass_on: impl FnMut(&mut Text)) -> io::Result<u64> {
        let mut file = File::open(path)?;
        let mut bytes = 0;
        let result = loop {
            if self.room().is_empty() {
                self.make_room(&mut pass_on);
            }
            match file.read(self.room()) {
                Ok(0) => break Ok(bytes),
                Ok(n) => {
                    self.len += n;
                    bytes += n as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        // A word never spans two files. There was room for the last `read`, which brought nothing.
        self.buffer[self.len] = b'\n';
        self.len += 1;
        result
    }

    /// The free part of the buffer.
    fn room(&mut self) -> &mut [u8] {
        &mut self.buffer[self.len..]
    }

    /// Passes the text on up to its last white space and keeps what follows; grows if that is one long word.
    fn make_room(&mut self, pass_on: &mut impl FnMut(&mut Text)) {
        if let Some(space) = self.as_bytes().iter().rposition(|&byte| is_space(byte)) {
            let tail = self.as_bytes()[space + 1..].to_vec();
            self.len = space + 1;
            pass_on(self);
            self.reserve(tail.len());
            self.buffer[..tail.len()].copy_from_slice(&tail);
            self.len = tail.len();
        } else {
            self.reserve(self.len);
        }
    }

    /// Makes the buffer at least [`TEXT_SIZE`] and twice `used`.
    fn reserve(&mut self, used: usize) {
        let size = TEXT_SIZE.max(2 * used);
        if self.buffer.len() < size {
            self.buffer.resize(size, 0);
        }
    }
}
