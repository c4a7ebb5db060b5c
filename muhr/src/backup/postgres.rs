//! PostgreSQL's own tools for a copy of a database: `pg_dump` and `pg_restore`.

use std::io::{self, Read};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::failure::Failure;

/// A `pg_dump` under way.
pub(super) struct Dump {
    child: Child,
    /// What it writes.
    pub(super) output: ChildStdout,
}

/// A `pg_restore` under way. It is one transaction: killed before its end, it has done nothing.
pub(super) struct Load {
    child: Child,
    /// What it reads; closed, it commits.
    input: Option<ChildStdin>,
}

impl Dump {
    /// Of the state that another session holds under this name.
    pub(super) fn start(url: &str, snapshot: &str) -> Result<Self, Failure> {
        let mut command = tool("pg_dump", url);
        command.args(["--format=custom", "--no-owner", "--no-privileges", "--snapshot", snapshot]);
        let mut child = start(command.stdin(Stdio::null()).stdout(Stdio::piped()), "pg_dump")?;
        let output = child.stdout.take().ok_or_else(|| Failure::new("pg_dump has no output"))?;
        Ok(Self { child, output })
    }

    pub(super) fn finish(mut self) -> Result<(), Failure> {
        well("pg_dump", &mut self.child)
    }
}

impl Load {
    /// Into an empty database.
    pub(super) fn start(url: &str) -> Result<Self, Failure> {
        let mut command = tool("pg_restore", url);
        command.args(["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction"]);
        let mut child = start(command.stdin(Stdio::piped()).stdout(Stdio::null()), "pg_restore")?;
        let input = child.stdin.take();
        Ok(Self { child, input })
    }

    pub(super) fn take(&mut self, from: &mut impl Read) -> Result<(), Failure> {
        let input = self.input.as_mut().ok_or_else(|| Failure::new("pg_restore takes nothing more"))?;
        io::copy(from, input)?;
        Ok(())
    }

    /// Lets it commit.
    pub(super) fn finish(mut self) -> Result<(), Failure> {
        drop(self.input.take());
        well("pg_restore", &mut self.child)
    }
}

impl Drop for Dump {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // Killed before its input ends: the end would make it commit.
        end(&mut self.child);
    }
}

/// What is not needed any more; one that has ended is only remembered as such.
fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

fn start(command: &mut Command, name: &str) -> Result<Child, Failure> {
    command.spawn().map_err(|error| {
        Failure::new(format!(
            "{name}: {error}; it comes with PostgreSQL's client (Debian: postgresql-client)"
        ))
    })
}

fn well(name: &str, child: &mut Child) -> Result<(), Failure> {
    let status = child.wait()?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure::new(format!("{name} ended with {status}; it said why above")))
    }
}

/// Other users of the machine see the arguments of a program, so a password is handed over in its environment.
fn tool(name: &str, url: &str) -> Command {
    let mut command = Command::new(name);
    let (url, password) = without_password(url);
    command.args(["--dbname", &url]);
    if let Some(password) = password {
        command.env("PGPASSWORD", password);
    }
    command
}

/// `postgres://USER:PASSWORD@HOSTS/NAME?…` parted.
fn without_password(url: &str) -> (String, Option<String>) {
    let parted = || {
        let (scheme, rest) = url.split_once("://")?;
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (user, hosts) = authority.rsplit_once('@')?;
        let (user, password) = user.split_once(':')?;
        Some((format!("{scheme}://{user}@{hosts}{path}"), decoded(password)))
    };
    parted().map_or_else(|| (url.to_owned(), None), |(url, password)| (url, Some(password)))
}

/// RFC 3986 section 2.1, as libpq reads it.
fn decoded(text: &str) -> String {
    let (mut octets, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((&first, after)) = rest.split_first() {
        let escaped = match (first, after.get(..2)) {
            (b'%', Some(digits)) => hex::decode(digits).ok(),
            _ => None,
        };
        rest = match escaped {
            Some(octet) => {
                octets.extend(octet);
                &after[2..]
            }
            None => {
                octets.push(first);
                after
            }
        };
    }
    String::from_utf8_lossy(&octets).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_leaves_the_url_and_nothing_else_does() {
        let parted = |url| without_password(url);
        assert_eq!(
            parted("postgres://muhr:p%40ss%3a%zz@db1:5433,db2/muhr?target_session_attrs=read-write"),
            (
                "postgres://muhr@db1:5433,db2/muhr?target_session_attrs=read-write".to_owned(),
                Some("p@ss:%zz".to_owned())
            )
        );
        for plain in ["postgres://muhr@db/muhr", "postgres://db:5432/muhr?user=a:b@c", "postgresql:///muhr"] {
            assert_eq!(parted(plain), (plain.to_owned(), None));
        }
    }
}
