//! A tar archive (POSIX ustar) of a few short texts.

use std::io::{self, Write};

const BLOCK_LEN: usize = 512;

/// Where each field of a header stands.
const NAME_LEN: usize = 100;
const MODE: usize = 100;
const SIZE: usize = 124;
const TIME: usize = 136;
const CHECKSUM: usize = 148;
const KIND: usize = 156;
const MAGIC: usize = 257;

pub(super) struct Archive<W> {
    to: W,
}

impl<W: Write> Archive<W> {
    pub(super) fn new(to: W) -> Self {
        Self { to }
    }

    /// Adds a file that its owner may read; the time is 1970, as there is none to tell.
    ///
    /// # Errors
    /// A name of more than 100 bytes; whatever the writer says.
    pub(super) fn add(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        if name.len() > NAME_LEN {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the name is too long"));
        }
        let mut header = [0; BLOCK_LEN];
        let mut put = |at: usize, text: &str| {
            header[at..at + text.len()].copy_from_slice(text.as_bytes());
        };
        put(0, name);
        put(MODE, "0000400");
        put(SIZE, &format!("{:011o}", content.len()));
        put(TIME, "00000000000");
        put(CHECKSUM, "        ");
        put(KIND, "0");
        put(MAGIC, "ustar\x0000");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[CHECKSUM..CHECKSUM + 7].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        self.to.write_all(&header)?;
        self.to.write_all(content)?;
        let rest = content.len().next_multiple_of(BLOCK_LEN) - content.len();
        self.to.write_all(&[0; BLOCK_LEN][..rest])
    }

    /// # Errors
    /// Whatever the writer says.
    pub(super) fn end(mut self) -> io::Result<W> {
        self.to.write_all(&[0; 2 * BLOCK_LEN])?;
        Ok(self.to)
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn what_was_put_in_comes_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("it.tar");
        let mut archive = Archive::new(std::fs::File::create(&path).unwrap());
        let long = "x".repeat(1500);
        archive.add("a.txt", b"one\n").unwrap();
        archive.add("b.txt", long.as_bytes()).unwrap();
        archive.end().unwrap();
        let unpacked =
            Command::new("tar").arg("-xf").arg(&path).arg("-C").arg(folder.path()).status();
        assert!(unpacked.unwrap().success());
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!((read("a.txt"), read("b.txt")), ("one\n".to_owned(), long));
        assert!(Archive::new(Vec::new()).add(&"n".repeat(101), b"").is_err());
    }
}
