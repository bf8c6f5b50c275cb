//! `listen`: one address or a list, TCP or directories of Unix sockets.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;

use super::builder::Builder;
use super::one_or_many::OneOrMany;
use super::raw::Text;
use super::values;

/// Who may connect to a Unix socket: its owner and group.
const UNIX_MODE: u32 = 0o770;

/// Where clients connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// At least one; port 0 lets the system choose.
    pub tcp: Vec<SocketAddr>,
    /// Directories. The socket in each is named by the port of the first TCP address.
    pub unix: Vec<PathBuf>,
    /// Permissions of the Unix sockets.
    pub unix_mode: u32,
}

impl Builder<'_> {
    pub(super) fn listen(&mut self, raw: Spanned<OneOrMany>, unix_mode: Option<Text>) -> Listen {
        let key = "listen in [data]";
        let span = raw.span();
        let mut listen = Listen { tcp: Vec::new(), unix: Vec::new(), unix_mode: UNIX_MODE };
        for text in raw.into_inner().into_texts(span.clone()) {
            match text.get_ref().strip_prefix("unix:") {
                Some("") => self.wrong(text.span(), format!("{key}: unix: takes a directory")),
                Some(dir) => listen.unix.push(self.beside(Path::new(dir))),
                None => match values::address(text.get_ref()) {
                    Ok(address) => listen.tcp.push(address),
                    Err(message) => self.wrong(text.span(), format!("{key}: {message}")),
                },
            }
        }
        self.distinct(&listen, span.clone());
        if listen.tcp.is_empty() && self.problems.0.is_empty() {
            let message = "an IP:port is needed, whose port the Unix sockets are named by";
            self.wrong(span, format!("{key}: {message}"));
        }
        listen.unix_mode = self.parsed("unix_mode in [data]", unix_mode, UNIX_MODE, mode);
        listen
    }

    fn distinct(&mut self, listen: &Listen, span: Range<usize>) {
        let fixed = |address: &&SocketAddr| address.port() != 0;
        let tcp = listen.tcp.iter().filter(fixed).map(ToString::to_string);
        let mut names: Vec<_> =
            tcp.chain(listen.unix.iter().map(|dir| format!("unix:{}", dir.display()))).collect();
        names.sort();
        if let Some([twice, _]) = names.array_windows().find(|[a, b]| a == b) {
            self.wrong(span, format!("listen in [data]: \"{twice}\" is named twice"));
        }
    }
}

/// Permissions in octal digits.
fn mode(text: &str) -> Result<u32, String> {
    u32::from_str_radix(text, 8)
        .ok()
        .filter(|mode| *mode <= 0o777 && text.bytes().all(|byte| byte.is_ascii_digit()))
        .ok_or_else(|| "permissions are octal digits, such as \"0770\"".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_octal() {
        assert_eq!(mode("0770"), Ok(0o770));
        assert_eq!(mode("700"), Ok(0o700));
        for wrong in ["", "0o770", "+770", "1777", "0888", "rwx"] {
            assert!(mode(wrong).is_err(), "{wrong}");
        }
    }
}
