//! Both databases carry the same schema: the migrations are two texts of one thing.

use store::{Options, Target, migrations};

use crate::postgres::{Server, psql};
use crate::sql::rows;
use crate::stack::fresh_folder;

#[test]
fn both_databases_have_the_same_tables_columns_keys_and_constraints() {
    let [(sqlite, _), (postgres, _)] = migrated();
    for (what, on_sqlite, on_postgres) in [
        ("columns", SQLITE_COLUMNS, POSTGRES_COLUMNS),
        ("unique sets of columns", SQLITE_UNIQUE, POSTGRES_UNIQUE),
        ("foreign keys", SQLITE_REFERENCES, POSTGRES_REFERENCES),
        ("indexes", SQLITE_INDEXES, POSTGRES_INDEXES),
    ] {
        let (left, right) = (sorted(&sqlite, on_sqlite), sorted(&postgres, on_postgres));
        assert!(left.len() > 5, "the database has {what}: {left:?}");
        let only = |these: &[String], those: &[String]| -> Vec<String> {
            these.iter().filter(|line| !those.contains(line)).cloned().collect()
        };
        let (only_left, only_right) = (only(&left, &right), only(&right, &left));
        assert!(
            only_left.is_empty() && only_right.is_empty(),
            "{what} differ\nonly on SQLite: {only_left:#?}\nonly on PostgreSQL: {only_right:#?}"
        );
    }
}

#[test]
fn undoing_every_migration_leaves_nothing_and_they_run_again() {
    let [(sqlite, on_sqlite), (postgres, on_postgres)] = migrated();
    migrations::down(&on_sqlite).expect("down");
    migrations::down(&on_postgres).expect("down");
    let left = "SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' AND tbl_name NOT LIKE '\\_\\_%' ESCAPE '\\'";
    assert_eq!(rows(&sqlite, left), Vec::<String>::new());
    let left = "SELECT relkind, relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE '\\_\\_%'
        UNION SELECT 'f', proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace";
    assert_eq!(rows(&postgres, left), Vec::<String>::new());
    for database in [on_sqlite, on_postgres] {
        assert!(migrations::pending(&database).expect("a database"));
        migrations::up(&database).expect("up again");
        assert!(!migrations::pending(&database).expect("a database"));
    }
}

/// As docs/OPERATIONS.md has it: a process gets the rights it needs and no more, and a responder may stand on a replica.
#[test]
fn a_role_that_only_reads_may_ask_whether_migrations_are_pending() {
    let address = Server::shared().fresh_database();
    let owner =
        store::Database::open(Target::Postgres(address.clone()), &Options::default()).expect("a pool");
    migrations::up(&owner).expect("up");
    let rights = "CREATE ROLE only_reads LOGIN; GRANT SELECT ON __diesel_schema_migrations TO only_reads";
    psql(&address, rights).well();
    let target = Target::Postgres(address.replace("muhr@", "only_reads@"));
    let reader = store::Database::open(target, &Options::default()).expect("a pool");
    assert!(!migrations::pending(&reader).expect("an answer"));
    assert!(migrations::up(&reader).is_err());
    psql(&address, "DROP OWNED BY only_reads; DROP ROLE only_reads").well();
}

/// An empty SQLite file and an empty PostgreSQL database, both migrated, with the addresses our clients take.
fn migrated() -> [(String, store::Database); 2] {
    let file = fresh_folder().join("schema.sqlite");
    let address = Server::shared().fresh_database();
    [(file.display().to_string(), Target::Sqlite(file)), (address.clone(), Target::Postgres(address))].map(
        |(address, target)| {
            let database = store::Database::open(target, &Options::default()).expect("a pool");
            migrations::up(&database).expect("up");
            (address, database)
        },
    )
}

fn sorted(database: &str, query: &str) -> Vec<String> {
    let mut rows = rows(database, query);
    rows.sort();
    rows
}

/// Table, column, kind of value, whether it may be null. `BIGINT` and `INTEGER` are one kind on SQLite.
const SQLITE_COLUMNS: &str = "
    SELECT m.name, c.name,
        CASE WHEN upper(c.type) LIKE '%INT%' THEN 'integer' WHEN upper(c.type) LIKE '%BOOL%' THEN 'boolean'
             WHEN upper(c.type) IN ('BLOB', 'BINARY') THEN 'bytes' WHEN upper(c.type) LIKE 'TIMESTAMP%' THEN 'timestamp'
             WHEN upper(c.type) LIKE '%TEXT%' OR upper(c.type) LIKE '%CHAR%' THEN 'text' ELSE lower(c.type) END,
        CASE WHEN c.\"notnull\" = 1 OR c.pk > 0 THEN 'required' ELSE 'optional' END
    FROM sqlite_master m JOIN pragma_table_info(m.name) c
    WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite_%' AND m.name NOT LIKE '\\_\\_%' ESCAPE '\\'";
const POSTGRES_COLUMNS: &str = "
    SELECT table_name, column_name,
        CASE WHEN data_type IN ('bigint', 'integer', 'smallint') THEN 'integer' WHEN data_type = 'boolean' THEN 'boolean'
             WHEN data_type = 'bytea' THEN 'bytes' WHEN data_type LIKE 'timestamp%' THEN 'timestamp'
             WHEN data_type IN ('text', 'character varying') THEN 'text' ELSE data_type END,
        CASE WHEN is_nullable = 'NO' THEN 'required' ELSE 'optional' END
    FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE '\\_\\_%'";

/// Table and columns of every primary key and unique index, and whether it is over a part of the rows only.
const SQLITE_UNIQUE: &str = "
    SELECT m.name, (SELECT group_concat(name) FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno)), i.partial
    FROM sqlite_master m JOIN pragma_index_list(m.name) i
    WHERE m.type = 'table' AND i.\"unique\" = 1 AND m.name NOT LIKE '\\_\\_%' ESCAPE '\\'
    UNION
    SELECT m.name, (SELECT group_concat(name) FROM (SELECT name FROM pragma_table_info(m.name) WHERE pk > 0 ORDER BY pk)), 0
    FROM sqlite_master m
    WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name NOT LIKE '\\_\\_%' ESCAPE '\\'
        AND EXISTS (SELECT 1 FROM pragma_table_info(m.name) WHERE pk > 0)";
const POSTGRES_UNIQUE: &str = "
    SELECT DISTINCT t.relname,
        (SELECT string_agg(a.attname, ',' ORDER BY k.place)
         FROM unnest(i.indkey) WITH ORDINALITY AS k(column_number, place)
         JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.column_number),
        CASE WHEN i.indpred IS NULL THEN 0 ELSE 1 END
    FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace
    WHERE n.nspname = 'public' AND i.indisunique AND t.relname NOT LIKE '\\_\\_%'";

/// Table, column, and the table it points to.
const SQLITE_REFERENCES: &str = "
    SELECT DISTINCT m.name, f.\"from\", f.\"table\" FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f
    WHERE m.type = 'table'";
const POSTGRES_REFERENCES: &str = "
    SELECT DISTINCT t.relname, a.attname, o.relname
    FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_class o ON o.oid = c.confrelid
    JOIN pg_namespace n ON n.oid = t.relnamespace
    JOIN unnest(c.conkey) AS k(column_number) ON true
    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.column_number
    WHERE c.contype = 'f' AND n.nspname = 'public'";

/// Names of the indexes that we named, and the columns they are over.
const SQLITE_INDEXES: &str = "
    SELECT m.tbl_name, m.name, (SELECT group_concat(name) FROM (SELECT name FROM pragma_index_info(m.name) ORDER BY seqno))
    FROM sqlite_master m WHERE m.type = 'index' AND m.sql IS NOT NULL";
const POSTGRES_INDEXES: &str = "
    SELECT t.relname, x.relname,
        (SELECT string_agg(a.attname, ',' ORDER BY k.place)
         FROM unnest(i.indkey) WITH ORDINALITY AS k(column_number, place)
         JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.column_number)
    FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
    JOIN pg_namespace n ON n.oid = t.relnamespace
    WHERE n.nspname = 'public' AND t.relname NOT LIKE '\\_\\_%'
        AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.indexrelid AND c.contype IN ('p', 'u'))";
