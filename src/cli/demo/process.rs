//! Child processes that end with the demo, whatever ends it.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const POLL: Duration = Duration::from_millis(20);

/// Somebody of this machine, for servers that refuse to run as root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// A child; ended when dropped, if it was not stopped before.
pub(super) struct Process {
    child: Child,
    in_a_hurry: Signal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    Interrupt,
    Quit,
    Terminate,
}

impl Account {
    /// An account to step down to: None when this process is not root.
    pub(super) fn to_step_down_to() -> Result<Option<Self>, String> {
        let id = Command::new("id").arg("-u").output().map_err(|error| error.to_string())?;
        if String::from_utf8_lossy(&id.stdout).trim() != "0" {
            return Ok(None);
        }
        let passwd = std::fs::read_to_string("/etc/passwd").map_err(|error| error.to_string())?;
        ["postgres", "nobody"]
            .into_iter()
            .find_map(|name| Self::in_passwd(&passwd, name))
            .map(Some)
            .ok_or_else(|| "PostgreSQL refuses to run as root, and there is no other user".into())
    }

    fn in_passwd(passwd: &str, name: &str) -> Option<Self> {
        let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        let uid = fields.next()?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(Self { name: name.to_owned(), uid, gid })
    }
}

/// A command that runs as `account`, and is told to end if this process dies unexpectedly, where
/// the system has a `setpriv` that can say so. It must be spawned by the main thread: the kernel
/// takes the end of the spawning thread for the parent's.
pub(super) fn command(program: &Path, account: Option<&Account>, on_death: Signal) -> Command {
    let can_setpriv = Command::new("setpriv")
        .arg("--help")
        .output()
        .is_ok_and(|help| String::from_utf8_lossy(&help.stdout).contains("--pdeathsig"));
    let mut command = if can_setpriv {
        let mut command = Command::new("setpriv");
        command.arg(format!("--pdeathsig={}", on_death.name()));
        if let Some(account) = account {
            command
                .arg(format!("--reuid={}", account.uid))
                .arg(format!("--regid={}", account.gid))
                .arg("--clear-groups");
        }
        command.arg("--").arg(program);
        command
    } else {
        let mut command = Command::new(program);
        if let Some(account) = account {
            command.uid(account.uid).gid(account.gid);
        }
        command
    };
    // A group of its own: Ctrl-C is for the demo, which then ends its children in order.
    command.process_group(0).stdin(Stdio::null());
    command
}

impl Process {
    /// `in_a_hurry` is what makes it end without finishing its work.
    pub(super) fn spawn(command: &mut Command, in_a_hurry: Signal) -> io::Result<Self> {
        command.spawn().map(|child| Self { child, in_a_hurry })
    }

    pub(super) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Comes back when the process has ended.
    pub(super) async fn ended(&mut self) {
        while !self.has_ended() {
            tokio::time::sleep(POLL).await;
        }
    }

    pub(super) fn signal(&self, signal: Signal) {
        let _ = Command::new("kill")
            .arg(format!("-{}", signal.name()))
            .arg(self.child.id().to_string())
            .status();
    }

    /// Asks the process to end; says whether it did so with success within `patience`.
    pub(super) async fn stop(&mut self, signal: Signal, patience: Duration) -> Result<(), String> {
        self.signal(signal);
        if tokio::time::timeout(patience, self.ended()).await.is_err() {
            return Err(format!("did not end within {patience:?}"));
        }
        match self.child.wait() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("ended with {status}")),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.has_ended() {
            return;
        }
        self.signal(self.in_a_hurry);
        for _ in 0..100 {
            if self.has_ended() {
                return;
            }
            std::thread::sleep(POLL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "INT",
            Self::Quit => "QUIT",
            Self::Terminate => "TERM",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let passwd = "postgresql:x:1:1::/:/bin/sh\npostgres:x:106:112:PostgreSQL,,,:/var:/bin/sh\n";
        let account = Account::in_passwd(passwd, "postgres").expect("it is there");
        assert_eq!((account.uid, account.gid), (106, 112));
        assert_eq!(Account::in_passwd(passwd, "nobody"), None);
    }
}
