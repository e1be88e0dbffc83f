use super::Loader;
use crate::{Error, Sync, Value, run_script, tables};
use rusqlite::Connection;
use std::time::Duration;

#[test]
fn rows_are_committed_in_lots() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("test.db");
    run_script(&path, &["CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)".into()]).unwrap();
    let look = Connection::open(&path).unwrap();
    let count = || look.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0)).unwrap();
    let sql = "INSERT INTO t VALUES (?1, ?2)";
    let open = || Loader::open(&path, sql, 10, Duration::from_secs(60), Sync::Normal).unwrap();
    let row = |id: i64| [Value::Integer(id), Value::Text(format!("row {id}"))];

    let mut loader = open();
    for id in 0..25 {
        assert_eq!(loader.push(&row(id)), Ok(1));
    }
    assert_eq!(count(), 20);
    assert_eq!(loader.push(&row(3)), Err(Error::Unique { columns: vec!["t.id".into()] }), "and it goes on");
    assert_eq!(loader.push(&row(25)), Ok(1));
    assert_eq!(loader.finish(), Ok(26));
    assert_eq!(count(), 26);

    let mut loader = open();
    loader.push(&row(100)).unwrap();
    drop(loader);
    assert_eq!(count(), 26, "what was not committed is undone");
    assert_eq!(tables(&path).unwrap(), ["t"]);
}
