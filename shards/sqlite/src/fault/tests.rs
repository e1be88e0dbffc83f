use super::by_code;
use crate::Error;
use rusqlite::ffi;

fn unique(columns: &[&str]) -> Error {
    Error::Unique { columns: columns.iter().map(|&column| column.to_owned()).collect() }
}

#[test]
fn codes() {
    let check = |code: i32, message: &str, expected: Error| {
        assert_eq!(by_code(code, message.to_owned()), expected, "{code} {message}");
    };
    let words = |detail: &str| detail.to_owned();
    check(ffi::SQLITE_CONSTRAINT_UNIQUE, "UNIQUE constraint failed: users.email", unique(&["users.email"]));
    check(ffi::SQLITE_CONSTRAINT_PRIMARYKEY, "UNIQUE constraint failed: t.a, t.b", unique(&["t.a", "t.b"]));
    check(ffi::SQLITE_CONSTRAINT_UNIQUE, "UNIQUE constraint failed: index 'lower_name'", unique(&[]));
    check(ffi::SQLITE_CONSTRAINT_FOREIGNKEY, "FOREIGN KEY constraint failed", Error::ForeignKey);
    check(ffi::SQLITE_CONSTRAINT_TRIGGER, "FOREIGN KEY constraint failed", Error::ForeignKey);
    check(
        ffi::SQLITE_CONSTRAINT_NOTNULL,
        "NOT NULL constraint failed: t.a",
        Error::NotNull { column: words("t.a") },
    );
    check(
        ffi::SQLITE_CONSTRAINT_CHECK,
        "CHECK constraint failed: age",
        Error::Constraint { detail: words("CHECK constraint failed: age") },
    );
    check(ffi::SQLITE_CONSTRAINT_TRIGGER, "no", Error::Raised { text: words("no") });
    check(ffi::SQLITE_INTERRUPT, "interrupted", Error::Timeout);
    check(ffi::SQLITE_TOOBIG, "string or blob too big", Error::TooLarge);
    check(ffi::SQLITE_ERROR, "no such table: t", Error::Statement { detail: words("no such table: t") });
}

#[test]
fn what_is_no_fault_of_the_statement_names_a_remedy() {
    for code in [
        ffi::SQLITE_BUSY,
        ffi::SQLITE_BUSY_SNAPSHOT,
        ffi::SQLITE_LOCKED,
        ffi::SQLITE_FULL,
        ffi::SQLITE_IOERR_FSYNC,
        ffi::SQLITE_READONLY_DBMOVED,
        ffi::SQLITE_CANTOPEN,
        ffi::SQLITE_IOERR_WRITE,
        ffi::SQLITE_NOMEM,
        ffi::SQLITE_PROTOCOL,
    ] {
        let error = by_code(code, "its words".into());
        let Error::Unavailable { detail } = &error else { panic!("{code}: {error:?}") };
        assert!(detail.starts_with(&format!("its words (code {code}): ")), "{detail}");
    }
    for code in [ffi::SQLITE_CORRUPT, ffi::SQLITE_CORRUPT_INDEX, ffi::SQLITE_NOTADB] {
        let error = by_code(code, "its words".into());
        let Error::Damaged { detail } = &error else { panic!("{code}: {error:?}") };
        assert!(detail.starts_with(&format!("its words (code {code}): ")), "{detail}");
    }
}
