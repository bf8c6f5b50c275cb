//! Certificates of the tests' own, made by openssl.

use std::path::Path;
use std::process::{Command, Stdio};

/// Makes `ca.pem`, and `tls.pem` with `tls.key` that it signed for 127.0.0.1.
pub(crate) fn make(dir: &Path) {
    const SCRIPT: &str = r#"
set -e
key='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
openssl req -x509 $key -keyout ca.key -out ca.pem -subj '/CN=Keyhole test CA' -days 2
openssl req $key -keyout tls.key -out tls.csr -subj /CN=127.0.0.1
printf 'subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=CA:FALSE\n' >tls.ext
openssl x509 -req -in tls.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
    -extfile tls.ext -out tls.pem
"#;
    let made = Command::new("sh")
        .args(["-c", SCRIPT])
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .expect("a shell");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}
