//! Statements whose parsed form each connection keeps. Diesel has its own updates parsed and planned anew every time, which costs more
//! than what they do; this is for the few that a payment waits for.

use diesel::backend::Backend;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, Nullable, Text};

use crate::connection::on_both;
use crate::database::Connection;
use crate::error::StoreError;

/// A piece of a statement.
pub(crate) enum Piece<'a> {
    /// As it is.
    Sql(&'static str),
    /// A value.
    Text(&'a str),
    /// A value that may be missing.
    MaybeText(Option<&'a str>),
    /// A value.
    Number(i64),
}

struct Statement<'a>(&'a [Piece<'a>]);

/// Runs a statement of these pieces.
///
/// # Errors
/// The database's.
pub(crate) fn execute(connection: &mut Connection, pieces: &[Piece<'_>]) -> Result<usize, StoreError> {
    Ok(on_both!(connection, c => Statement(pieces).execute(c))?)
}

// Its text names it: pieces of one kind make one statement, whatever the values are.
impl QueryId for Statement<'_> {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<DB> QueryFragment<DB> for Statement<'_>
where
    DB: Backend,
    for<'a> &'a str: ToSql<Text, DB>,
    for<'a> Option<&'a str>: ToSql<Nullable<Text>, DB>,
    i64: ToSql<BigInt, DB>,
    DB: diesel::sql_types::HasSqlType<Text>
        + diesel::sql_types::HasSqlType<BigInt>
        + diesel::sql_types::HasSqlType<Nullable<Text>>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        for piece in self.0 {
            match piece {
                Piece::Sql(text) => out.push_sql(text),
                Piece::Text(value) => out.push_bind_param::<Text, _>(value)?,
                Piece::MaybeText(value) => out.push_bind_param::<Nullable<Text>, _>(value)?,
                Piece::Number(value) => out.push_bind_param::<BigInt, _>(value)?,
            }
        }
        Ok(())
    }
}

impl<C: diesel::Connection> RunQueryDsl<C> for Statement<'_> {}
