//! A directory: OpenLDAP's slapd with a few people and groups, over `ldap://` and `ldaps://`.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::certificates;
use super::keyhole::Process;
use super::postgres::free_port;
use super::wait::until;

pub(crate) const SERVICE_PASSWORD: &str = "service-secret";
const ADMIN: &str = "cn=admin,dc=example,dc=com";

const CONFIG: &str = r#"
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
TLSCACertificateFile DIR/ca.pem
TLSCertificateFile DIR/tls.pem
TLSCertificateKeyFile DIR/tls.key
database mdb
suffix "dc=example,dc=com"
directory DIR/db
rootdn "cn=admin,dc=example,dc=com"
rootpw admin-secret
overlay memberof
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="cn=keyhole,ou=services,dc=example,dc=com" read by self read
  by anonymous auth by * none
"#;

const PEOPLE: &str = r#"
dn: dc=example,dc=com
objectClass: domain
dc: example

dn: ou=people,dc=example,dc=com
objectClass: organizationalUnit
ou: people

dn: ou=guests,dc=example,dc=com
objectClass: organizationalUnit
ou: guests

dn: ou=groups,dc=example,dc=com
objectClass: organizationalUnit
ou: groups

dn: ou=clubs,dc=example,dc=com
objectClass: organizationalUnit
ou: clubs

dn: ou=services,dc=example,dc=com
objectClass: organizationalUnit
ou: services

dn: cn=keyhole,ou=services,dc=example,dc=com
objectClass: person
cn: keyhole
sn: keyhole
userPassword: service-secret

dn: uid=ada,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: ada
cn: Ada
sn: L
mail: twin@example.com
userPassword: ada-secret

dn: uid=ben,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: ben
cn: Ben
sn: M
mail: twin@example.com
userPassword: ben-secret

dn: uid=cleo,ou=guests,dc=example,dc=com
objectClass: inetOrgPerson
uid: cleo
uid: kleopatra
cn: Cleo
sn: N
userPassword: cleo-secret

dn: cn=dba,ou=groups,dc=example,dc=com
objectClass: groupOfNames
cn: dba
member: uid=ada,ou=people,dc=example,dc=com

dn: cn=staff,ou=groups,dc=example,dc=com
objectClass: groupOfNames
cn: staff
member: uid=ada,ou=people,dc=example,dc=com
member: uid=ben,ou=people,dc=example,dc=com

dn: cn=dba,ou=clubs,dc=example,dc=com
objectClass: groupOfNames
cn: dba
member: uid=ben,ou=people,dc=example,dc=com
"#;

/// A running slapd; ends when dropped and with the test process.
pub(crate) struct Directory {
    dir: TempDir,
    port: u16,
    tls_port: u16,
    process: Option<Process>,
}

impl Directory {
    #[track_caller]
    pub(crate) fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("keyhole-ldap-").tempdir().expect("a directory");
        certificates::make(dir.path());
        std::fs::create_dir(dir.path().join("db")).expect("a writable directory");
        let path = dir.path().to_str().expect("UTF-8");
        write(dir.path(), "slapd.conf", &CONFIG.replace("DIR", path));
        let mut directory = Self { port: free_port(), tls_port: free_port(), dir, process: None };
        directory.start_again();
        directory.change("ldapadd", PEOPLE);
        directory
    }

    pub(crate) fn start_again(&mut self) {
        let urls = format!("{} {}", self.url(), self.tls_url());
        let mut command = Command::new("/usr/sbin/slapd");
        command
            .args(["-d", "0", "-h", &urls, "-f"])
            .arg(self.dir.path().join("slapd.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.process = Some(Process::spawn(&mut command));
        until("slapd listens", || {
            let process = self.process.as_mut().expect("it was just started");
            if let Some(status) = process.ended() {
                panic!("slapd ended with {status}; run `make setup`");
            }
            [self.port, self.tls_port]
                .iter()
                .all(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok())
                .then_some(())
        });
    }

    pub(crate) fn stop(&mut self) {
        self.process = None;
    }

    pub(crate) fn url(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.port)
    }

    pub(crate) fn tls_url(&self) -> String {
        format!("ldaps://127.0.0.1:{}", self.tls_port)
    }

    /// The file of the authority behind its certificate.
    pub(crate) fn authority(&self) -> String {
        self.dir.path().join("ca.pem").to_str().expect("UTF-8").to_owned()
    }

    /// `ldapmodify` or `ldapadd` with LDIF.
    #[track_caller]
    pub(crate) fn change(&self, program: &str, ldif: &str) {
        write(self.dir.path(), "change.ldif", ldif);
        let changed = Command::new(program)
            .args(["-x", "-D", ADMIN, "-w", "admin-secret", "-H", &self.url(), "-f"])
            .arg(self.dir.path().join("change.ldif"))
            .output()
            .expect("ldap-utils are installed; run `make setup`");
        assert!(changed.status.success(), "{}", String::from_utf8_lossy(&changed.stderr));
    }

    #[track_caller]
    pub(crate) fn modify(&self, dn: &str, change: &str) {
        self.change("ldapmodify", &format!("dn: {dn},dc=example,dc=com\n{change}\n"));
    }
}

fn write(dir: &Path, name: &str, text: &str) {
    std::fs::write(dir.join(name), text).expect("a writable directory");
}
