//! Which PostgreSQL role may do what: the matrix `migrations/postgres/grants.sql`, applied after every migration.

use diesel::PgConnection;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{Array, Text};

use crate::error::StoreError;

const MATRIX: &str = include_str!("../../migrations/postgres/grants.sql");

/// The roles of the matrix, told apart by whether the server has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    /// They have what the matrix says, and nothing else.
    pub granted: Vec<String>,
    /// The server does not know them (`deploy/postgres/roles.sql` makes them).
    pub absent: Vec<String>,
}

/// One `GRANT` of the matrix.
struct Grant {
    /// Everything before its `TO`.
    what: String,
    roles: Vec<String>,
}

#[derive(QueryableByName)]
struct Role {
    #[diesel(sql_type = Text)]
    name: String,
}

/// Takes back what each role had and grants what the matrix says, in one transaction: nobody sees a role without its rights, and a
/// right that is no longer in the matrix is gone.
pub(crate) fn grant(connection: &mut PgConnection) -> Result<Rights, StoreError> {
    let grants = grants(MATRIX)?;
    let mut known: Vec<String> = grants.iter().flat_map(|grant| grant.roles.clone()).collect();
    known.sort_unstable();
    known.dedup();
    connection.transaction(|connection| {
        let here: Vec<Role> =
            diesel::sql_query("SELECT rolname::text AS name FROM pg_roles WHERE rolname = ANY($1)")
                .bind::<Array<Text>, _>(&known)
                .load(connection)?;
        let (granted, absent): (Vec<String>, Vec<String>) =
            known.iter().cloned().partition(|role| here.iter().any(|found| found.name == *role));
        for role in &granted {
            for objects in ["TABLES", "SEQUENCES"] {
                let revoke = format!("REVOKE ALL ON ALL {objects} IN SCHEMA public FROM {role}");
                connection.batch_execute(&revoke)?;
            }
        }
        for Grant { what, roles } in &grants {
            let roles: Vec<&str> =
                roles.iter().filter(|role| granted.contains(*role)).map(String::as_str).collect();
            if !roles.is_empty() {
                connection.batch_execute(&format!("{what} TO {}", roles.join(", ")))?;
            }
        }
        Ok(Rights { granted, absent })
    })
}

fn grants(matrix: &str) -> Result<Vec<Grant>, StoreError> {
    let text: String =
        matrix.lines().filter(|line| !line.trim_start().starts_with("--")).collect::<Vec<_>>().join(" ");
    let statements = text.split(';').map(|words| words.split_whitespace().collect::<Vec<_>>().join(" "));
    statements
        .filter(|statement| !statement.is_empty())
        .map(|statement| match statement.rsplit_once(" TO ") {
            Some((what, roles)) if what.starts_with("GRANT ") => Ok(Grant {
                what: what.to_owned(),
                roles: roles.split(',').map(|role| role.trim().to_owned()).collect(),
            }),
            _ => Err(StoreError::Database(format!("grants.sql: not a grant to roles: {statement}"))),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_of_the_matrix_is_one_that_roles_sql_makes() {
        let made = include_str!("../../deploy/postgres/roles.sql");
        let grants = grants(MATRIX).unwrap();
        assert!(grants.len() > 5);
        for role in grants.iter().flat_map(|grant| &grant.roles) {
            assert!(made.contains(&format!("CREATE ROLE {role} ")), "{role}");
        }
    }

    #[test]
    fn what_is_no_grant_is_refused() {
        for statement in ["DROP TABLE officers", "REVOKE ALL ON jobs FROM muhr_crl", "GRANT SELECT ON jobs"] {
            assert!(
                grants(&format!("GRANT SELECT ON jobs TO muhr_crl; {statement};")).is_err(),
                "{statement}"
            );
        }
    }
}
