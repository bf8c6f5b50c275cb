//! What the exit codes say. One table: the code goes by it, and `--help`, the manual and the
//! reference print it.

use std::process::ExitCode;

/// An exit code, and what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Exit {
    Done = 0,
    Wrong = 1,
    Failed = 2,
    Refused = 3,
    TimedOut = 4,
    Found = 5,
    Interrupted = 130,
}

impl Exit {
    const ALL: [Self; 7] = [
        Self::Done,
        Self::Wrong,
        Self::Failed,
        Self::Refused,
        Self::TimedOut,
        Self::Found,
        Self::Interrupted,
    ];

    fn words(self) -> &'static str {
        match self {
            Self::Done => "done; nothing is wrong with what was looked at",
            Self::Wrong => {
                "looked at, and the answer is no: a log that is not whole, a configuration with \
                 problems, a statement that would be refused"
            }
            Self::Failed => {
                "the command could not be carried out: wrong arguments, wrong configuration, \
                 wrong password, no answer"
            }
            Self::Refused => {
                "asked, and refused: by the proxy, a policy or an approver; or the request was \
                 taken back, or lapsed"
            }
            Self::TimedOut => "nobody decided within --timeout; the request was taken back",
            Self::Found => {
                "found what somebody has to decide: columns that look like personal data and are in \
                 no catalog; other warnings (`check --strict`); or, simulated, what would change \
                 for the worse: masked, refused, newly visible, slower, or no longer to be had by \
                 asking"
            }
            Self::Interrupted => {
                "Ctrl-C while it waited: the request was taken back; or while it scanned"
            }
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Shown behind what `--help` says of the commands.
pub(super) fn table() -> String {
    let mut text = String::from("Exit codes:\n");
    for exit in Exit::ALL {
        text.push_str(&format!("  {:<5}{}\n", exit as u8, exit.words()));
    }
    text.push_str(
        "What follows `--` in `keyhole request` takes the process over: its code is its own.",
    );
    text
}
