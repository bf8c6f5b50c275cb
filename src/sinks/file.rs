//! A file elsewhere, to which JSON lines are appended. Nobody rotates it here: who moves it away
//! finds a new one in its place.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::task::spawn_blocking;

use super::{Delivered, Failure, Shipment, Sink};
use crate::model::Timestamp;

/// Bytes that are looked through at a time for the last line's end.
const LOOK_LEN: u64 = 64 << 10;

#[derive(Clone, Debug)]
pub struct File {
    path: PathBuf,
    /// As it was opened; None before, and after any failure.
    open: Arc<Mutex<Option<fs::File>>>,
}

impl File {
    pub fn new(path: PathBuf) -> Self {
        Self { path, open: Arc::default() }
    }
}

#[async_trait]
impl Sink for File {
    async fn deliver(&mut self, shipment: &Shipment, _: Timestamp) -> Result<Delivered, Failure> {
        let (lines, path, open) = (shipment.lines(), self.path.clone(), Arc::clone(&self.open));
        let append = move || {
            let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
            let file = match open.take().filter(|file| is_at(file, &path)) {
                Some(file) => file,
                None => open_whole(&path)?,
            };
            // A line that was written in part goes when the file is opened again.
            (&file).write_all(&lines)?;
            file.sync_data()?;
            *open = Some(file);
            Ok::<_, io::Error>(())
        };
        let for_now = |why: String| Failure::ForNow { why, wait: None };
        match spawn_blocking(append).await {
            Ok(Ok(())) => Ok(Delivered::default()),
            Ok(Err(error)) => Err(for_now(format!("{}: {error}", self.path.display()))),
            Err(_) => Err(for_now(format!("{}: writing panicked", self.path.display()))),
        }
    }
}

/// Whether the path still leads to this file.
fn is_at(file: &fs::File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(own), Ok(there)) => (own.dev(), own.ino()) == (there.dev(), there.ino()),
        (Ok(_) | Err(_), Ok(_) | Err(_)) => false,
    }
}

/// Opens or makes it, and sees that it ends with a whole line: what a crash left of one comes
/// again.
fn open_whole(path: &Path) -> io::Result<fs::File> {
    let mut options = OpenOptions::new();
    let file = options.read(true).append(true).create(true).mode(0o600).open(path)?;
    let len = file.metadata()?.len();
    if len == 0 {
        // Made just now, perhaps: its name has to be durable, too.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        return Ok(file);
    }
    let whole = whole_len(&file, len)?;
    if whole < len && file.set_len(whole).is_err() {
        // On a volume that only appends.
        (&file).write_all(b"\n")?;
    }
    Ok(file)
}

/// Up to behind the last line's end.
fn whole_len(mut file: &fs::File, len: u64) -> io::Result<u64> {
    let mut end = len;
    while end > 0 {
        let start = end.saturating_sub(LOOK_LEN);
        let mut bytes = vec![0; usize::try_from(end - start).unwrap_or(0)];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut bytes)?;
        if let Some(at) = bytes.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::super::shipment::tests::shipment;
    use super::*;

    async fn deliver(file: &mut File, line: &str) -> Result<Delivered, Failure> {
        file.deliver(&shipment(&[line], None), Timestamp::UNIX_EPOCH).await
    }

    #[tokio::test]
    async fn a_file_that_was_moved_away_gets_a_successor() {
        let dir = tempfile::tempdir().unwrap();
        let (path, moved) = (dir.path().join("a.jsonl"), dir.path().join("a.1.jsonl"));
        let mut file = File::new(path.clone());
        deliver(&mut file, "{\"seq\":1}").await.unwrap();
        deliver(&mut file, "{\"seq\":2}").await.unwrap();
        fs::rename(&path, &moved).unwrap();
        deliver(&mut file, "{\"seq\":3}").await.unwrap();
        assert_eq!(fs::read_to_string(&moved).unwrap(), "{\"seq\":1}\n{\"seq\":2}\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"seq\":3}\n");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }

    #[tokio::test]
    async fn half_a_line_of_a_crash_is_taken_away() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.jsonl");
        let long = "x".repeat(3 * LOOK_LEN as usize);
        for (before, after) in [
            ("{\"seq\":1}\n{\"se".to_owned(), "{\"seq\":1}\n".to_owned()),
            ("{\"se".to_owned(), String::new()),
            (format!("{{}}\n{long}"), "{}\n".to_owned()),
            ("{}\n".to_owned(), "{}\n".to_owned()),
        ] {
            fs::write(&path, before).unwrap();
            deliver(&mut File::new(path.clone()), "{\"seq\":2}").await.unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), format!("{after}{{\"seq\":2}}\n"));
        }
    }

    #[tokio::test]
    async fn a_folder_that_is_gone_is_trouble_for_now() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("not/there.jsonl");
        let mut file = File::new(path.clone());
        let failed = deliver(&mut file, "{}").await;
        assert!(matches!(failed, Err(Failure::ForNow { .. })), "{failed:?}");
        fs::create_dir(path.parent().unwrap()).unwrap();
        deliver(&mut file, "{}").await.unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{}\n");
    }
}
