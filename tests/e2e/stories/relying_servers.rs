//! Web servers of the world let the right people in: nginx and Apache ask our responder about client certificates.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::applicant::{Application, SubjectType};
use crate::command::{self, run};
use crate::janitor;
use crate::key::text;
use crate::officer::Officer;
use crate::postgres::free_port;
use crate::relying_party::RelyingParty;
use crate::stack::{Database, eventually};

on_both_databases!(nginx_lets_in_whose_certificate_is_good, apache_lets_in_whose_certificate_is_good,);

/// How soon a change must be seen: as soon as OCSP knows it, and the server asks anew every time.
const SEEN: Duration = Duration::from_secs(3);

fn nginx_lets_in_whose_certificate_is_good(database: Database) {
    lets_in_whose_certificate_is_good(database, |folder, port| {
        let configuration = format!(
            "daemon off; master_process off; pid nginx.pid; error_log stderr info; events {{}}
             http {{
               access_log off; client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
               server {{
                 listen 127.0.0.1:{port} ssl; ssl_certificate server.pem; ssl_certificate_key server.key;
                 ssl_client_certificate authorities.pem; ssl_verify_client on; ssl_verify_depth 3;
                 ssl_ocsp leaf; ssl_ocsp_cache off;
                 location / {{ return 200 'come in'; }}
               }}
             }}"
        );
        fs::write(folder.join("nginx.conf"), configuration).expect("our folder");
        let mut nginx = Command::new(command::find("nginx"));
        nginx.arg("-p").arg(folder).arg("-c").arg(folder.join("nginx.conf"));
        nginx
    });
}

fn apache_lets_in_whose_certificate_is_good(database: Database) {
    lets_in_whose_certificate_is_good(database, |folder, port| {
        let modules: String = ["mpm_event", "authz_core", "dir", "ssl"]
            .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"))
            .concat();
        let place = folder.display();
        let configuration = format!(
            "{modules}ServerRoot {place}\nServerName 127.0.0.1\nPidFile apache.pid\nErrorLog {place}/error.log\n\
             LogLevel info\nListen 127.0.0.1:{port}\nUser www-data\nGroup www-data\nDocumentRoot {place}/www\n\
             <Directory {place}/www>\nRequire all granted\n</Directory>\n\
             SSLEngine on\nSSLCertificateFile {place}/server.pem\nSSLCertificateKeyFile {place}/server.key\n\
             SSLCACertificateFile {place}/authorities.pem\nSSLVerifyClient require\nSSLVerifyDepth 3\n\
             SSLOCSPEnable leaf\nSSLSessionCache none\n"
        );
        fs::write(folder.join("apache.conf"), configuration).expect("our folder");
        fs::create_dir(folder.join("www")).expect("our folder");
        fs::write(folder.join("www/index.html"), "come in").expect("our folder");
        let mut apache = Command::new(command::find("apache2"));
        apache.arg("-D").arg("FOREGROUND").arg("-f").arg(folder.join("apache.conf"));
        apache
    });
}

/// Good, on hold, restored, revoked: the server follows.
fn lets_in_whose_certificate_is_good(database: Database, server: impl FnOnce(&Path, u16) -> Command) {
    let stack = database.shared();
    let application = Application::issued(&stack, SubjectType::NaturalPerson);
    let relying_party = RelyingParty::receiving(&stack, &application.certificate());
    let server = Server::start(&relying_party, server);
    let client = || server.answers(&relying_party.file("leaf.pem"), &text(&application.key.file()));
    assert_eq!(client(), "200", "{}", server.log());
    let officer = Officer::revocation(&stack);
    let serial = application.serial();
    let sees = |is_let_in: bool| {
        let what = format!("the server sees a change: {is_let_in}");
        eventually(&what, SEEN, || ((client() == "200") == is_let_in).then_some(()));
    };
    officer.suspend(&serial).json_or_empty();
    sees(false);
    officer.restore(&serial).json_or_empty();
    sees(true);
    officer.revoke(&serial, "keyCompromise").json_or_empty();
    sees(false);
    // It is the certificate that is refused, not everybody.
    let another = Application::issued(&stack, SubjectType::NaturalPerson);
    let good = RelyingParty::receiving(&stack, &another.certificate());
    assert_eq!(server.answers(&good.file("leaf.pem"), &text(&another.key.file())), "200", "{}", server.log());
}

struct Server {
    folder: TempDir,
    port: u16,
    child: Child,
}

impl Server {
    /// A TLS server with a certificate of its own that demands one of ours.
    fn start(relying_party: &RelyingParty, command: impl FnOnce(&Path, u16) -> Command) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        // Apache's workers give up their rights.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("our folder");
        fs::copy(relying_party.file("authorities.pem"), folder.path().join("authorities.pem"))
            .expect("our folder");
        let [key, certificate] = ["server.key", "server.pem"].map(|name| text(&folder.path().join(name)));
        let request =
            ["req", "-x509", "-newkey", "rsa:2048", "-noenc", "-days", "2", "-subj", "/CN=127.0.0.1"];
        let more = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", &key, "-out", &certificate];
        run("openssl", request.into_iter().chain(more)).well();
        let port = free_port();
        let mut command = command(folder.path(), port);
        let log = fs::File::create(folder.path().join("output.log")).expect("our folder");
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a second handle")).stderr(log);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        janitor::will_end(child.id(), "TERM");
        let server = Self { folder, port, child };
        eventually("the server listens", Duration::from_secs(10), || {
            TcpStream::connect(("127.0.0.1", port)).ok().map(drop)
        });
        server
    }

    /// The HTTP status that a client with this certificate gets; 000 if the server ends the handshake.
    fn answers(&self, certificate: &str, key: &str) -> String {
        let trusted = text(&self.folder.path().join("server.pem"));
        let url = format!("https://127.0.0.1:{}/", self.port);
        let fixed = ["--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--max-time", "10"];
        let more = ["--cacert", &trusted, "--cert", certificate, "--key", key, &url];
        run("curl", fixed.into_iter().chain(more)).out
    }

    fn log(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        read("output.log") + &read("error.log")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
        let _ = run("kill", ["-TERM", &self.child.id().to_string()]);
        let _ = self.child.wait();
        janitor::has_ended(self.child.id());
    }
}
