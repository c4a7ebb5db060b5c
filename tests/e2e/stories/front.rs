//! The TLS front of `deploy/nginx`: what has to be on plain http is, everything else is led to TLS, and status passes unchanged.

use std::fs;
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::applicant::{Application, SubjectType};
use crate::command::{self, run};
use crate::janitor;
use crate::key::text;
use crate::postgres::free_port;
use crate::relying_party::RelyingParty;
use crate::stack::{Database, eventually};

const FRONT: &str = include_str!("../../../deploy/nginx/muhr.conf");

on_both_databases!(the_front_of_deploy_passes_status_and_leads_everybody_else_to_tls,);

fn the_front_of_deploy_passes_status_and_leads_everybody_else_to_tls(database: Database) {
    let stack = database.shared();
    let application = Application::issued(&stack, SubjectType::NaturalPerson);
    let relying_party = RelyingParty::receiving(&stack, &application.certificate());
    let folder = TempDir::new().expect("a temporary folder");
    let [key, certificate] = ["key.pem", "fullchain.pem"].map(|name| text(&folder.path().join(name)));
    let request =
        ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "2"];
    let more = [
        "-subj",
        "/CN=muhr.example.uz",
        "-addext",
        "subjectAltName=DNS:muhr.example.uz",
        "-keyout",
        &key,
        "-out",
        &certificate,
    ];
    run("openssl", request.into_iter().chain(more)).well();

    let [plain, tls] = [free_port(), free_port()];
    let authority = stack.base.trim_start_matches("http://");
    let adapted: String = FRONT
        .replace("/etc/muhr/tls", &text(folder.path()))
        .replace("    listen [::]:80;\n", "")
        .replace("    listen [::]:443 ssl http2;\n", "")
        .replace("listen 80;", &format!("listen 127.0.0.1:{plain};"))
        .replace("listen 443 ssl", &format!("listen 127.0.0.1:{tls} ssl"));
    let adapted = ["8080", "8081", "8082"]
        .iter()
        .fold(adapted, |adapted, port| adapted.replace(&format!("127.0.0.1:{port}"), authority));
    let configuration = format!(
        "daemon off; master_process off; pid nginx.pid; error_log stderr info; events {{}}
         http {{ access_log off; client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4;
                 scgi_temp_path t5; {adapted} }}"
    );
    fs::write(folder.path().join("nginx.conf"), configuration).expect("our folder");
    let log = fs::File::create(folder.path().join("output.log")).expect("our folder");
    let mut nginx = Command::new(command::find("nginx"));
    nginx.arg("-p").arg(folder.path()).arg("-c").arg(folder.path().join("nginx.conf"));
    nginx.stdin(Stdio::null()).stdout(log.try_clone().expect("a second handle")).stderr(log);
    let mut child = nginx.spawn().expect("nginx starts");
    janitor::will_end(child.id(), "TERM");
    let said = || fs::read_to_string(folder.path().join("output.log")).unwrap_or_default();
    eventually("the front listens", Duration::from_secs(10), || {
        TcpStream::connect(("127.0.0.1", tls)).ok().map(drop)
    });

    let curl = |arguments: &[&str]| {
        let fixed = ["--silent", "--show-error", "--max-time", "20", "--include"];
        let resolved = ["--cacert", &certificate, "--resolve"];
        let (here, url) = (format!("muhr.example.uz:{tls}:127.0.0.1"), arguments);
        run("curl", fixed.into_iter().chain(resolved).chain([here.as_str()]).chain(url.iter().copied()))
            .well()
            .out
    };
    let page = curl(&[&format!("https://muhr.example.uz:{tls}/")]);
    assert!(page.starts_with("HTTP/2 200"), "{page}\n{}", said());
    assert!(page.to_lowercase().contains("strict-transport-security: max-age=63072000"), "{page}");
    assert!(page.contains("</html>") && page.to_lowercase().contains("content-security-policy: "), "{page}");
    let led = curl(&[&format!("http://127.0.0.1:{plain}/applications?x=1")]);
    assert!(
        led.starts_with("HTTP/1.1 308") && led.contains("https://muhr.example.uz/applications?x=1"),
        "{led}"
    );
    let api = curl(&["--http1.1", &format!("https://muhr.example.uz:{tls}/api/v1/regions")]);
    assert!(api.starts_with("HTTP/1.1 200"), "{api}");

    // Status is where certificates say, on plain http, by POST and by GET, whatever two slashes are in its Base64.
    let host = format!("127.0.0.1:{plain}");
    let [issuer, leaf, trusted] =
        ["issuing.pem", "leaf.pem", "authorities.pem"].map(|name| relying_party.file(name));
    let asked = ["ocsp", "-issuer", &issuer, "-cert", &leaf, "-CAfile", &trusted, "-no_nonce"];
    let here = format!("http://{host}/ocsp");
    let ocsp = run("openssl", asked.into_iter().chain(["-url", &here])).well().all();
    assert!(ocsp.contains(": good"), "{ocsp}");
    let slashes = format!("http://{host}/ocsp/MEUwQzBB//8w");
    let odd = curl(&["--path-as-is", &slashes]);
    let direct =
        run("curl", ["--silent", "--include", "--path-as-is", &format!("{}/ocsp/MEUwQzBB//8w", stack.base)])
            .well()
            .out;
    assert_eq!(odd.lines().next().map(str::trim), direct.lines().next().map(str::trim), "{odd}\n{direct}");
    let list = curl(&["--range", "0-9", &format!("http://{host}/repository/ca.crl")]);
    assert!(list.starts_with("HTTP/1.1 206"), "{list}");
    child.kill().expect("our child");
    child.wait().expect("our child");
    janitor::has_ended(child.id());
}
