use std::path::PathBuf;
use std::time::Duration;

/// `[audit]`: where the record is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditConfig {
    pub dir: PathBuf,
    /// Bytes after which the next record starts a new file.
    pub segment_len_max: u64,
    /// Age after which it does.
    pub segment_age_max: Duration,
    /// Whether closed files are compressed.
    pub compress: bool,
    /// How long closed files are kept; None: for ever.
    pub retention: Option<Duration>,
    /// Longest time that a record waits for a signed checkpoint.
    pub checkpoint_every: Duration,
    /// What subjects shown raw are recorded under: made at the first start.
    pub subject_key_file: PathBuf,
    /// How many subjects of a table a statement's record names; more are counted.
    pub subjects_max: u32,
}
