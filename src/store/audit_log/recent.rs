//! The newest records first, for who looks at a log and does not wait for all of it.
//!
//! Nothing is verified: who has to know that the log is whole asks [`super::scan`].

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::segment::{list, name_compressed};
use crate::audit::seq_of_line;

/// So much of a file is read at a time, from its end.
const PIECE_BYTES: u64 = 1 << 20;

/// So much of a line has its number.
const HEAD_BYTES: u64 = 64;

/// No file of the log is longer once it is unpacked, unless somebody says so; what is, is not
/// looked at.
const UNPACKED_BYTES_MAX: u64 = 1 << 30;

/// Shows whole lines, without their line ends, the newest first, until `look` breaks. Answers
/// whether it came to the beginning of the log. Files that begin with the record `before`, or
/// behind it, are passed over. Blocks.
///
/// May run while a proxy writes there: a last line without its end is left out.
///
/// # Errors
/// A file is missing between two others, or cannot be read.
pub fn look_back(
    dir: &Path,
    before: Option<u64>,
    mut look: impl FnMut(&[u8]) -> ControlFlow<()>,
) -> io::Result<ControlFlow<()>> {
    let files = list(dir).map_err(io::Error::other)?;
    for file in files.iter().rev() {
        let packed = dir.join(name_compressed(file.number));
        let is_behind = |before| first_seq(&file.path).is_some_and(|seq| seq >= before);
        if before.is_some_and(is_behind) {
            continue;
        }
        let opened = match File::open(&file.path) {
            Ok(plain) if file.path != packed => Ok(Either::Plain(plain)),
            Ok(packed) => unpack(packed).map(Either::Unpacked),
            // It was compressed since.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                File::open(&packed).and_then(unpack).map(Either::Unpacked)
            }
            Err(error) => Err(error),
        };
        let looked = match opened {
            Ok(Either::Plain(file)) => backwards(file, &mut look)?,
            Ok(Either::Unpacked(bytes)) => backwards(Cursor::new(bytes), &mut look)?,
            // Its time was over, and that of all before it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(error) => return Err(error),
        };
        if looked.is_break() {
            return Ok(looked);
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// The number that the first line of a file says; None where it says none.
fn first_seq(path: &Path) -> Option<u64> {
    let file = File::open(path).ok()?;
    let mut head = Vec::new();
    let read = match path.extension().is_some_and(|extension| extension == "gz") {
        true => MultiGzDecoder::new(BufReader::new(file)).take(HEAD_BYTES).read_to_end(&mut head),
        false => file.take(HEAD_BYTES).read_to_end(&mut head),
    };
    read.ok().and_then(|_| seq_of_line(&head))
}

enum Either {
    Plain(File),
    Unpacked(Vec<u8>),
}

fn unpack(file: File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    MultiGzDecoder::new(BufReader::new(file)).take(UNPACKED_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn backwards(
    mut from: impl Read + Seek,
    look: &mut impl FnMut(&[u8]) -> ControlFlow<()>,
) -> io::Result<ControlFlow<()>> {
    let mut end = from.seek(SeekFrom::End(0))?;
    // The beginning of what was read, which may be the end of a line.
    let mut rest: Vec<u8> = Vec::new();
    let mut is_last = true;
    while end > 0 {
        let begin = end.saturating_sub(PIECE_BYTES);
        from.seek(SeekFrom::Start(begin))?;
        let mut piece = Vec::new();
        from.by_ref().take(end - begin).read_to_end(&mut piece)?;
        piece.append(&mut rest);
        end = begin;
        if is_last {
            // What has no line end is being written.
            piece.truncate(piece.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1));
            is_last = piece.is_empty();
        }
        let whole = match piece.iter().position(|byte| *byte == b'\n') {
            _ if begin == 0 => 0,
            Some(first) => first + 1,
            None => piece.len(),
        };
        let lines = piece[whole..].strip_suffix(b"\n").filter(|lines| !lines.is_empty());
        for line in lines.into_iter().flat_map(|lines| lines.rsplit(|byte| *byte == b'\n')) {
            if look(line).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        piece.truncate(whole);
        rest = piece;
    }
    Ok(ControlFlow::Continue(()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::super::segment::name;
    use super::*;

    fn all(dir: &Path) -> Vec<String> {
        let mut seen = Vec::new();
        let looked = look_back(dir, None, |line| {
            seen.push(String::from_utf8(line.to_vec()).unwrap());
            ControlFlow::Continue(())
        });
        assert!(looked.unwrap().is_continue());
        seen
    }

    #[test]
    fn lines_come_newest_first_from_files_of_either_form() {
        let dir = tempfile::tempdir().unwrap();
        let packed = File::create(dir.path().join(name_compressed(1))).unwrap();
        let mut packer = GzEncoder::new(packed, Compression::default());
        packer.write_all(b"one\ntwo\n").unwrap();
        packer.finish().unwrap();
        fs::write(dir.path().join(name(2)), "three\nfour\nfi").unwrap();
        assert_eq!(all(dir.path()), ["four", "three", "two", "one"]);
        let mut seen = 0;
        let looked = look_back(dir.path(), None, |_| {
            seen += 1;
            if seen == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert!(looked.unwrap().is_break());
        assert_eq!(seen, 3);
    }

    #[test]
    fn files_behind_where_it_begins_are_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let line = |seq: u64| format!("{{\"seq\":{seq},\"time\":\"t\"}}\n");
        fs::write(dir.path().join(name(1)), line(1) + &line(2)).unwrap();
        let packed = File::create(dir.path().join(name_compressed(2))).unwrap();
        let mut packer = GzEncoder::new(packed, Compression::default());
        packer.write_all((line(3) + &line(4)).as_bytes()).unwrap();
        packer.finish().unwrap();
        fs::write(dir.path().join(name(3)), line(5) + &line(6)).unwrap();
        let seqs = |before| {
            let mut seqs = Vec::new();
            let looked = look_back(dir.path(), before, |line| {
                seqs.extend(seq_of_line(line));
                ControlFlow::Continue(())
            });
            assert!(looked.unwrap().is_continue());
            seqs
        };
        assert_eq!(seqs(None), [6, 5, 4, 3, 2, 1]);
        assert_eq!(seqs(Some(6)), [6, 5, 4, 3, 2, 1], "the file has one before it");
        assert_eq!(seqs(Some(5)), [4, 3, 2, 1]);
        assert_eq!(seqs(Some(3)), [2, 1]);
    }

    #[test]
    fn lines_lie_across_the_pieces_that_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let long = "x".repeat(usize::try_from(PIECE_BYTES).unwrap() + 7);
        let lines: Vec<String> = (0..40_000)
            .map(|n| if n == 20_000 { long.clone() } else { format!("{n} {}", "y".repeat(n % 90)) })
            .collect();
        fs::write(dir.path().join(name(1)), lines.join("\n") + "\n").unwrap();
        let seen = all(dir.path());
        assert!(seen.iter().rev().eq(lines.iter()), "every line, once, whole");
        fs::write(dir.path().join(name(1)), "").unwrap();
        assert_eq!(all(dir.path()), [""; 0]);
        fs::write(dir.path().join(name(1)), "cut").unwrap();
        assert_eq!(all(dir.path()), [""; 0]);
    }
}
